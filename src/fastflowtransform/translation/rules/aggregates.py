"""Aggregates with the type and the NULLs that DuckDB gives."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from fastflowtransform.translation.collation import as_before, by_code_point
from fastflowtransform.translation.kinds import NUMBERS, SORTED, TIMES, Kind, kind
from fastflowtransform.translation.rule import Refused, rule
from fastflowtransform.translation.rules.arithmetic import as_double
from fastflowtransform.translation.rules.cast import converted
from fastflowtransform.translation.write import call, fragment


def plain(node: Any, *allowed: str) -> Any:
    """Return the function, if it has no argument but those."""
    for name, value in node.args.items():
        if name not in allowed and value not in (None, [], False):
            raise Refused("an argument more than all engines have")
    return node


def _count(to: str, node: Any) -> Any:
    plain(node, "this", "big_int")
    return node


def inner_of(node: Any) -> Any:
    """Return what a function is of, without DISTINCT."""
    return node.this.expressions[0] if isinstance(node.this, exp.Distinct) else node.this


def _with_inner(node: Any, inner: Any) -> Any:
    made = node.copy()
    inner_of(made).replace(inner.copy())
    return made


def _sum(to: str, node: Any) -> Any:
    inner = inner_of(plain(node, "this"))
    if kind(inner) is Kind.BOOLEAN:
        return _with_inner(node, converted(to, inner, exp.DataType.build("int")))
    if kind(inner) not in NUMBERS | {Kind.NULL}:
        raise Refused(f"it sums {kind(inner)}")
    return node


def _avg(to: str, node: Any) -> Any:
    inner = inner_of(plain(node, "this"))
    if kind(inner) not in NUMBERS:
        raise Refused(f"the mean of {kind(inner)}")
    return _with_inner(node, as_double(to, inner))


def _smallest(to: str, node: Any) -> Any:
    inner = inner_of(plain(node, "this"))
    if kind(inner) is Kind.BOOLEAN and to == "postgres":
        words = "BOOL_OR(_0)" if isinstance(node, exp.Max) else "BOOL_AND(_0)"
        return fragment(to, words, inner)
    if kind(inner) not in SORTED | {Kind.NULL}:
        raise Refused(f"the order of {kind(inner)} is not the same everywhere")
    made = type(node)(this=by_code_point(to, inner).copy())
    return made if isinstance(node.parent, exp.Window | exp.Filter) else as_before(to, made, inner)


def _filter(to: str, node: Any) -> Any:
    if isinstance(node.parent, exp.Window):
        if to == "spark":
            raise Refused("Spark has no filter in a window", instead="sum(case when … then … end) over (…)")
        return node
    return as_before(to, node, node) if isinstance(node.this, exp.Min | exp.Max) else node


def _count_if(to: str, node: Any) -> Any:
    if kind(node.this) is not Kind.BOOLEAN:
        raise Refused(f"it counts {kind(node.this)}")
    return fragment(to, "SUM(CASE WHEN _0 THEN 1 WHEN NOT _0 THEN 0 END)", node.this)


def _of_booleans(to: str, node: Any) -> Any:
    if kind(node.this) is not Kind.BOOLEAN:
        raise Refused(f"it is of {kind(node.this)}")
    return fragment(to, "BOOL_AND(_0)" if isinstance(node, exp.LogicalAnd) else "BOOL_OR(_0)", node.this)


_DEVIATIONS = {
    exp.Stddev: "STDDEV_SAMP",
    exp.StddevSamp: "STDDEV_SAMP",
    exp.StddevPop: "STDDEV_POP",
    exp.Variance: "VAR_SAMP",
    exp.VariancePop: "VAR_POP",
}


def _deviation(to: str, node: Any) -> Any:
    inner = plain(node, "this").this
    if kind(inner) not in NUMBERS:
        raise Refused(f"it is of {kind(inner)}")
    return call(_DEVIATIONS[type(node)], as_double(to, inner))


def _correlation(to: str, node: Any) -> Any:
    names = {exp.CovarSamp: "COVAR_SAMP", exp.CovarPop: "COVAR_POP"}
    if not {kind(node.this), kind(node.expression)} <= NUMBERS:
        raise Refused("it is of other types than numbers")
    return call(names[type(node)], as_double(to, node.this), as_double(to, node.expression))


def _median(to: str, node: Any) -> Any:
    return _quantile(to, plain(node, "this").this, "0.5")


def _quantile_cont(to: str, node: Any) -> Any:
    if isinstance(node.parent, exp.WithinGroup):
        return node
    if not isinstance(node.expression, exp.Literal):
        raise Refused("its share is not written out")
    return _quantile(to, node.this, node.expression.name)


def _quantile(to: str, inner: Any, share: str) -> Any:
    if kind(inner) not in (Kind.INTEGER, Kind.FLOAT):
        raise Refused(f"between two of {kind(inner)} is another value", instead="cast it to double")
    if to == "spark":
        return call("PERCENTILE", as_double(to, inner), exp.Literal.number(share))
    return fragment(to, f"PERCENTILE_CONT({share}) WITHIN GROUP (ORDER BY _0)", as_double(to, inner))


def _quantile_disc(to: str, node: Any) -> Any:
    if isinstance(node.parent, exp.WithinGroup):
        return node
    share = node.args.get("quantile") or node.args.get("expression")
    if not isinstance(share, exp.Literal) or kind(node.this) not in NUMBERS | TIMES:
        raise Refused("its share is not written out, or what it is of has another order")
    return fragment(to, f"PERCENTILE_DISC({share.name}) WITHIN GROUP (ORDER BY _0)", node.this)


def _within_group(to: str, node: Any) -> Any:
    function = node.this
    (ordered,) = node.expression.expressions
    if isinstance(function, exp.PercentileCont) and kind(ordered.this) in (Kind.INTEGER, Kind.FLOAT):
        ordered.this.replace(as_double(to, ordered.this))
        return node
    if isinstance(function, exp.PercentileDisc) and kind(ordered.this) in NUMBERS | TIMES:
        return node
    raise Refused(f"between two of {kind(ordered.this)} is another value", instead="cast it to double")


def _bits(to: str, node: Any) -> Any:
    if kind(node.this) is not Kind.INTEGER:
        raise Refused()
    names = {exp.BitwiseAndAgg: "BIT_AND", exp.BitwiseOrAgg: "BIT_OR", exp.BitwiseXorAgg: "BIT_XOR"}
    return call(names[type(node)], node.this)


def _grouping_id(to: str, node: Any) -> Any:
    return call("GROUPING" if to == "postgres" else "GROUPING_ID", *node.expressions)


def _grouping(to: str, node: Any) -> Any:
    if len(node.expressions) > 1:
        return _grouping_id(to, node)
    return node


def _group(to: str, node: Any) -> Any:
    return plain(node, "expressions", "grouping_sets", "rollup", "cube")


def _same(to: str, node: Any) -> Any:
    return node


RULES = (
    rule(_count, exp.Count),
    rule(_sum, exp.Sum),
    rule(_avg, exp.Avg),
    rule(_smallest, exp.Min, exp.Max),
    rule(_filter, exp.Filter),
    rule(_count_if, exp.CountIf),
    rule(_of_booleans, exp.LogicalAnd, exp.LogicalOr),
    rule(_deviation, *_DEVIATIONS),
    rule(_correlation, exp.CovarSamp, exp.CovarPop),
    rule(_median, exp.Median),
    rule(_quantile_cont, exp.PercentileCont),
    rule(_quantile_disc, exp.PercentileDisc, exp.Quantile),
    rule(_within_group, exp.WithinGroup),
    rule(_bits, exp.BitwiseAndAgg, exp.BitwiseOrAgg, exp.BitwiseXorAgg),
    rule(_grouping, exp.Grouping),
    rule(_grouping_id, exp.GroupingId),
    rule(_group, exp.Group),
    rule(_same, exp.GroupingSets, exp.Rollup, exp.Cube),
    rule(None, exp.Mode, instead="rank the values by their number, and decide which of two equals comes first"),
)
