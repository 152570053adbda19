"""Texts and lists of a group's rows, in the order that is asked for."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from fastflowtransform.translation.collation import as_before, by_code_point
from fastflowtransform.translation.kinds import SORTED, Kind, kind
from fastflowtransform.translation.rule import Refused, rule
from fastflowtransform.translation.rules.cast import text_of
from fastflowtransform.translation.write import call, fragment, literal_text, text


def _parts(node: Any) -> tuple[Any, bool, list[Any]]:
    """Return what is collected, whether each value counts once, and the keys of the order."""
    inner, keys, distinct = node.this, [], False
    if isinstance(inner, exp.Order):
        keys, inner = inner.expressions, inner.this
    if isinstance(inner, exp.Distinct):
        distinct, (inner,) = True, inner.expressions
    if isinstance(inner, exp.Order):
        keys, inner = inner.expressions, inner.this
    return inner, distinct, keys


def _string_agg(to: str, node: Any) -> Any:
    inner, distinct, keys = _parts(node)
    between = node.args.get("separator")
    between = text(",") if between is None else between
    if literal_text(between) is None:
        raise Refused("its separator is not written out")
    if isinstance(node.parent, exp.Window):
        raise Refused("it is of a window")
    collected = text_of(to, inner)
    if distinct:
        if any(each.this.unnest() != inner and not _same_but_collation(each.this, inner) for each in keys):
            raise Refused("each value counts once, and is ordered by another one")
        collected = by_code_point(to, collected) if keys else collected
    if to == "postgres":
        order = exp.Order(this=None, expressions=[each.copy() for each in keys]) if keys else None
        first = exp.Distinct(expressions=[collected.copy()]) if distinct else collected.copy()
        made: Any = exp.GroupConcat(
            this=exp.Order(this=first, expressions=order.expressions) if order else first, separator=between.copy()
        )
        return as_before(to, made, collected) if not isinstance(node.parent, exp.Filter) else made
    if distinct and len(keys) > 1:
        raise Refused("it has several keys")
    first = exp.Distinct(expressions=[collected.copy()]) if distinct else collected.copy()
    listed = exp.Anonymous(this="LISTAGG", expressions=[first, between.copy()])
    if not keys:
        return listed
    return exp.WithinGroup(this=listed, expression=exp.Order(expressions=[each.copy() for each in keys]))


def _same_but_collation(one: Any, other: Any) -> bool:
    return isinstance(one, exp.Collate) and one.this == other


def _array_agg(to: str, node: Any) -> Any:
    inner, distinct, keys = _parts(node)
    if isinstance(node.parent, exp.Window | exp.Filter):
        raise Refused("it is of a window, or has a filter", instead="list() over a subquery")
    if kind(inner) in (Kind.LIST, Kind.STRUCT, Kind.MAP, Kind.UNKNOWN):
        raise Refused(f"it collects {kind(inner)}")
    if distinct:
        return _distinct_list(to, inner, keys)
    if to == "spark":
        return _collected_in_spark(inner, keys)
    collected = exp.Order(this=inner.copy(), expressions=[each.copy() for each in keys]) if keys else inner.copy()
    return exp.Anonymous(this="ARRAY_AGG", expressions=[collected])


def _distinct_list(to: str, inner: Any, keys: list[Any]) -> Any:
    """Collect each value once, in its own order."""
    (key,) = keys if len(keys) == 1 else (None,)
    if key is None or (key.this != inner and not _same_but_collation(key.this, inner)) or to == "spark":
        raise Refused("it takes each value once, in an order of its own", instead="list() over a subquery")
    first = exp.Distinct(expressions=[by_code_point(to, inner).copy()])
    ordered = exp.Order(this=first, expressions=[key.copy()])
    return exp.Anonymous(this="ARRAY_AGG", expressions=[ordered])


def _collected_in_spark(inner: Any, keys: list[Any]) -> Any:
    """Collect with the keys, order by them, and keep the values: Spark's own leaves out NULLs, and has no order."""
    if any(kind(each.this) not in SORTED for each in keys):
        raise Refused("it is ordered by a type whose order is not the same everywhere")
    fields = ", ".join([f"'k{place}', _{place + 1}" for place in range(len(keys))] + ["'v', _0"])
    rows = f"COLLECT_LIST(NAMED_STRUCT({fields}))"
    ordered = f"ARRAY_SORT({rows}, (l, r) -> {_compared(keys)})" if keys else rows
    words = f"CASE WHEN COUNT(1) > 0 THEN TRANSFORM({ordered}, row -> row.v) END"
    return fragment("spark", words, inner, *(each.this for each in keys))


def _compared(keys: list[Any]) -> str:
    words = "0"
    for place, each in reversed(list(enumerate(keys))):
        low, high = ("1", "-1") if each.args.get("desc") else ("-1", "1")
        null, other = ("-1", "1") if each.args.get("nulls_first") else ("1", "-1")
        one, two = f"l.k{place}", f"r.k{place}"
        words = (
            f"CASE WHEN {one} IS NULL AND {two} IS NULL THEN {words} "
            f"WHEN {one} IS NULL THEN {null} WHEN {two} IS NULL THEN {other} "
            f"WHEN {one} < {two} THEN {low} WHEN {one} > {two} THEN {high} ELSE {words} END"
        )
    return words


def _arg_max(to: str, node: Any) -> Any:
    inner, by = node.this, node.expression
    if node.args.get("count") or kind(by) not in SORTED or isinstance(node.parent, exp.Filter | exp.Window):
        raise Refused("it asks for several rows, or has a filter or a window")
    if to == "spark":
        name = "MAX_BY" if isinstance(node, exp.ArgMax) else "MIN_BY"
        return fragment(to, f"{name}(_0, _1) FILTER (WHERE NOT _0 IS NULL AND NOT _1 IS NULL)", inner, by)
    if kind(inner) is Kind.LIST:
        raise Refused("it gives a list")
    way = "DESC" if isinstance(node, exp.ArgMax) else "ASC"
    words = f"(ARRAY_AGG(_0 ORDER BY _1 {way}) FILTER (WHERE NOT _0 IS NULL AND NOT _2 IS NULL))[1]"
    return fragment(to, words, inner, by_code_point(to, by), by)


def _first(to: str, node: Any) -> Any:
    """Return the first or last value of a group, in an order that is said."""
    if not isinstance(node.this, exp.Order) or isinstance(node.parent, exp.Window | exp.Filter):
        raise Refused("which row comes first is not said", instead="first(… order by …)")
    inner, keys = node.this.this, node.this.expressions
    if kind(inner) not in SORTED:
        raise Refused(f"it is of {kind(inner)}")
    is_first = isinstance(node, exp.First)
    if to == "spark":
        place = "1" if is_first else "-1"
        return fragment(to, f"TRY_ELEMENT_AT(_0, {place})", _collected_in_spark(inner, keys))
    listed = exp.Order(this=inner.copy(), expressions=[each.copy() for each in keys])
    made = exp.Anonymous(this="ARRAY_AGG", expressions=[listed])
    if is_first:
        return fragment(to, "(_0)[1]", exp.Paren(this=made))
    return fragment(to, "(_0)[COUNT(*)]", exp.Paren(this=made))


def _any_value(to: str, node: Any) -> Any:
    if isinstance(node.this, exp.Order | exp.HavingMax) or isinstance(node.parent, exp.Window):
        raise Refused("it has an order", instead="arg_min(…, …)")
    return call("ANY_VALUE", node.this, *([exp.true()] if to == "spark" else []))


RULES = (
    rule(_string_agg, exp.GroupConcat),
    rule(_array_agg, exp.ArrayAgg),
    rule(_arg_max, exp.ArgMax, exp.ArgMin),
    rule(_any_value, exp.AnyValue),
    rule(_first, exp.First, exp.Last),
)
