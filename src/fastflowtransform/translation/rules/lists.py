"""Lists: made, indexed from 1 and from the end, searched, and given as rows."""

from __future__ import annotations

import re
from typing import Any

from sqlglot import exp

from fastflowtransform.translation.kinds import NUMBERS, SORTED, TIMES, Kind, item, kind, kind_of
from fastflowtransform.translation.rule import Refused, rule
from fastflowtransform.translation.rules.cast import plain_cast, type_name
from fastflowtransform.translation.rules.text_functions import texts
from fastflowtransform.translation.write import call, fragment, literal_text, text, whole


def of_list(node: Any) -> Any:
    """Return the type of a list's items; raise `Refused` for what is none, or is one of lists."""
    inner = item(node.type)
    if inner is None or kind_of(inner) not in SORTED:
        raise Refused(f"it is of {kind(node)} of {kind_of(inner)}")
    return inner


def _array(to: str, node: Any) -> Any:
    inner = of_list(node)
    if not node.expressions:
        words = {
            "postgres": f"CAST(ARRAY[] AS {type_name(to, node.type)})",
            "spark": f"CAST(ARRAY() AS {type_name(to, node.type)})",
        }
        return fragment(to, words[to])
    kinds = {kind(each) for each in node.expressions} - {Kind.NULL}
    parts = node.expressions
    if len(kinds) > 1 or any(each.type != inner for each in parts):
        if not (kinds <= NUMBERS or kinds <= TIMES or len(kinds) <= 1):
            raise Refused("its items are of several types")
        parts = [plain_cast(to, each, inner) for each in parts]
    return exp.Array(expressions=[each.copy() for each in parts], bracket_notation=to == "postgres")


def _split(to: str, node: Any) -> Any:
    texts(node.this)
    between = literal_text(node.expression)
    if not between:
        raise Refused("its separator is not written out")
    if to == "spark":
        return call("SPLIT", node.this, text(re.sub(r"([^\w\s])", r"\\\1", between)))
    words = "CASE WHEN _0 = '' THEN ARRAY[''] ELSE STRING_TO_ARRAY(_0, _1) END"
    return fragment(to, words, node.this, node.expression)


def _written_index(node: Any) -> int | None:
    """Return an index as the user wrote it: the parser counts from 0."""
    found = whole(node)
    return None if found is None else found + 1


def _bracket(to: str, node: Any) -> Any:
    (index,) = node.expressions
    if isinstance(index, exp.Slice):
        return _slice(to, node.this, index)
    if kind(node.this) is Kind.STRUCT:
        return _field(to, node.this, literal_text(index))
    place = _written_index(index)
    if kind(node.this) is not Kind.LIST or place is None:
        raise Refused("it is not of a list and a number that is written out", instead="list_extract(…, 1)")
    return element(to, node.this, place)


def element(to: str, this: Any, place: int) -> Any:
    """Return an item of a list by its place, from the end where it is negative; NULL beyond."""
    inner = of_list(this)
    if place == 0:
        return plain_cast(to, exp.Null(), inner)
    if to == "spark":
        return fragment(to, "TRY_ELEMENT_AT(_0, _1)", this, exp.Literal.number(place))
    if place > 0:
        return fragment(to, f"(_0)[{place}]", exp.Paren(this=this.copy()))
    return fragment(to, f"(_0)[CARDINALITY(_1) + {place + 1}]", exp.Paren(this=this.copy()), this)


def _slice(to: str, this: Any, part: Any) -> Any:
    begin = 1 if part.this is None or isinstance(part.this, exp.Var) else whole(part.this)
    end = -1 if part.expression is None or isinstance(part.expression, exp.Var) else whole(part.expression)
    if kind(this) is not Kind.LIST or begin is None or end is None or begin < 1 or part.args.get("step"):
        raise Refused("its ends are not written out, or count from the end")
    of_list(this)
    if to == "postgres":
        last = str(end) if end >= 0 else f"(CARDINALITY(_1) + {end + 1})"
        return fragment(to, f"(_0)[{begin}:{last}]", exp.Paren(this=this.copy()), this)
    last = str(end) if end >= 0 else f"(SIZE(_0) + {end + 1})"
    return fragment(to, f"SLICE(_0, {begin}, GREATEST(LEAST({last}, SIZE(_0)) - {begin - 1}, 0))", this)


def _extract(to: str, node: Any) -> Any:
    this, index = node.expressions
    place = whole(index)
    if place is None:
        raise Refused("its number is not written out")
    return element(to, this, place)


def _contains(to: str, node: Any) -> Any:
    inner = of_list(node.this)
    value = node.expression
    if kind(value) is not kind_of(inner) and not {kind(value), kind_of(inner)} <= NUMBERS:
        raise Refused("it looks for a value of another type")
    if to == "postgres":
        words = "CASE WHEN NOT _0 IS NULL AND NOT _1 IS NULL THEN NOT ARRAY_POSITION(_0, _2) IS NULL END"
        return fragment(to, words, node.this, value, plain_cast(to, value, inner))
    words = "CASE WHEN NOT _0 IS NULL AND NOT _1 IS NULL THEN COALESCE(ARRAY_CONTAINS(_0, _1), FALSE) END"
    return fragment(to, words, node.this, value)


def _sorted(to: str, node: Any) -> Any:
    inner = of_list(node.this)
    if node.args.get("asc") is not None or node.args.get("nulls_first") is not None:
        raise Refused("it has another order than the usual one")
    if to == "spark":
        return call("ARRAY_SORT", node.this)
    key = '"item" COLLATE "C"' if kind_of(inner) is Kind.TEXT else '"item"'
    words = f'CASE WHEN NOT _0 IS NULL THEN ARRAY(SELECT "item" FROM UNNEST(_0) AS items("item") ORDER BY {key}) END'
    return fragment(to, words, node.this)


_TOTALS = {"list_sum": "SUM", "list_avg": "AVG", "list_min": "MIN", "list_max": "MAX"}


def _total(to: str, node: Any) -> Any:
    this = node.expressions[0] if isinstance(node, exp.Anonymous) else node.this
    name = (
        node.name.lower()
        if isinstance(node, exp.Anonymous)
        else {exp.ArrayMin: "list_min", exp.ArrayMax: "list_max"}[type(node)]
    )
    inner = of_list(this)
    if kind_of(inner) not in NUMBERS:
        raise Refused(f"it is of {kind_of(inner)}")
    if to == "postgres":
        value = 'CAST("item" AS double precision)' if name == "list_avg" else '"item"'
        return fragment(to, f'(SELECT {_TOTALS[name]}({value}) FROM UNNEST(_0) AS items("item"))', this)
    if name in ("list_min", "list_max"):
        return call("ARRAY_MIN" if name == "list_min" else "ARRAY_MAX", this)
    if kind_of(inner) is Kind.FLOAT or name == "list_avg":
        raise Refused("Spark has no such function of a list", instead="unnest it, and group")
    start = {Kind.INTEGER: "CAST(0 AS bigint)", Kind.DECIMAL: "CAST(0 AS decimal(38, 10))"}[kind_of(inner)]
    words = (
        "CASE WHEN SIZE(FILTER(_0, item -> NOT item IS NULL)) > 0 THEN "
        f"AGGREGATE(FILTER(_0, item -> NOT item IS NULL), {start}, (total, item) -> total + item) END"
    )
    return fragment(to, words, this)


def _overlaps(to: str, node: Any) -> Any:
    of_list(node.this)
    of_list(node.expression)
    if to == "postgres":
        return fragment(to, "_0 && _1", node.this, node.expression)
    words = "CASE WHEN NOT _0 IS NULL AND NOT _1 IS NULL THEN COALESCE(ARRAYS_OVERLAP(_0, _1), FALSE) END"
    return fragment(to, words, node.this, node.expression)


def _concat(to: str, node: Any) -> Any:
    parts = [node.this, *node.expressions]
    if len(parts) != 2 or any(item(each.type) != item(parts[0].type) for each in parts):
        raise Refused("it is of lists of several types, or of more than two")
    of_list(parts[0])
    if to == "postgres":
        return fragment(to, "ARRAY_CAT(COALESCE(_0, '{}'), COALESCE(_1, '{}'))", *parts)
    empty = f"CAST(ARRAY() AS {type_name(to, parts[0].type)})"
    return fragment(to, f"CONCAT(COALESCE(_0, {empty}), COALESCE(_1, {empty}))", *parts)


def _joined(to: str, node: Any) -> Any:
    inner = of_list(node.this)
    if (
        kind_of(inner) not in (Kind.TEXT, Kind.INTEGER)
        or literal_text(node.expression) is None
        or node.args.get("null")
    ):
        raise Refused("its items are not texts or whole numbers, or its separator is not written out")
    this = (
        node.this
        if kind_of(inner) is Kind.TEXT or to == "postgres"
        else fragment(to, "CAST(_0 AS array<string>)", node.this)
    )
    return call("ARRAY_TO_STRING" if to == "postgres" else "ARRAY_JOIN", this, node.expression)


def _by_lambda(to: str, node: Any) -> Any:
    """Apply a function to each item: PostgreSQL has none, and does it in a subquery."""
    of_list(node.this)
    function = node.expression
    if not isinstance(function, exp.Lambda) or len(function.expressions) != 1:
        raise Refused("its function does not have one argument")
    filters = isinstance(node, exp.ArrayFilter)
    if kind(function.this) not in SORTED:
        raise Refused("the type of what its function gives is not known")
    if to == "spark":
        name = "FILTER" if filters else "TRANSFORM"
        return exp.Anonymous(this=name, expressions=[node.this.copy(), function.copy()])
    name = function.expressions[0].name
    body, value = (function.this, exp.column(name, quoted=True)) if filters else (exp.true(), function.this)
    words = (
        "CASE WHEN NOT _0 IS NULL THEN ARRAY(SELECT _1 FROM UNNEST(_0) WITH ORDINALITY "
        f'AS items("{name}", "__place") WHERE _2 ORDER BY "__place") END'
    )
    return fragment(to, words, node.this, value, body)


def _unnest(to: str, node: Any) -> Any:
    select = node.parent_select
    of_list(node.this)
    if to == "postgres":
        return call("UNNEST", node.this)
    others = [each for each in select.find_all(exp.Explode) if each is not node] if select is not None else []
    if others or not isinstance(node.parent, exp.Alias | exp.Select):
        raise Refused("Spark gives rows of one list only, and not within another expression", instead="a subquery")
    return call("EXPLODE", node.this)


def _unnest_table(to: str, node: Any) -> Any:
    (this,) = node.expressions if len(node.expressions) == 1 else (None,)
    alias = node.args.get("alias")
    if this is None or node.args.get("offset") or alias is None or len(alias.columns) != 1:
        raise Refused("it is of several lists, or names no column", instead="unnest(…) as t(x)")
    of_list(this)
    if to == "spark" and this.find(exp.Column) is not None:
        raise Refused("Spark reads no columns there", instead="unnest(…) among the columns")
    name = "UNNEST" if to == "postgres" else "EXPLODE"
    return exp.Table(this=call(name, this), alias=alias.copy())


def _field(to: str, struct: Any, name: str | None) -> Any:
    if name is None:
        raise Refused("the name of its field is not written out")
    if isinstance(struct, exp.Struct):
        for field in struct.expressions:
            if isinstance(field, exp.PropertyEQ) and field.name.lower() == name.lower():
                return field.expression
    if to == "postgres":
        raise Refused("PostgreSQL has no structs", instead="a column for each field")
    return exp.Dot(this=struct.copy(), expression=exp.to_identifier(name, quoted=True))


def _dot(to: str, node: Any) -> Any:
    this = node.this.unnest() if isinstance(node.this, exp.Paren) else node.this
    return _field(to, this, node.expression.name)


def _struct(to: str, node: Any) -> Any:
    reached = node.parent
    while isinstance(reached, exp.Paren):
        reached = reached.parent
    if to == "postgres" and not isinstance(reached, exp.Dot | exp.Bracket):
        raise Refused("PostgreSQL has no structs", instead="a column for each field")
    if not all(isinstance(field, exp.PropertyEQ) for field in node.expressions):
        raise Refused("its fields have no names")
    if to == "postgres":
        return node
    parts: list[Any] = []
    for field in node.expressions:
        parts += [text(field.name), field.expression]
    made = call("NAMED_STRUCT", *parts)
    return node if isinstance(reached, exp.Dot | exp.Bracket) else made


def _any(to: str, node: Any) -> Any:
    return node


RULES = (
    rule(_array, exp.Array),
    rule(_split, exp.Split),
    rule(_bracket, exp.Bracket),
    rule(_any, exp.Slice),
    rule(_extract, "list_extract", "list_element", "array_extract"),
    rule(_contains, exp.ArrayContains),
    rule(_sorted, exp.SortArray),
    rule(_total, "list_sum", "list_avg", "list_min", "list_max", exp.ArrayMin, exp.ArrayMax),
    rule(_overlaps, exp.ArrayOverlaps),
    rule(_concat, exp.ArrayConcat),
    rule(_joined, exp.ArrayToString),
    rule(_by_lambda, exp.Transform, exp.ArrayFilter),
    rule(_unnest, exp.Explode),
    rule(_unnest_table, exp.Unnest),
    rule(_dot, exp.Dot),
    rule(_struct, exp.Struct),
)
