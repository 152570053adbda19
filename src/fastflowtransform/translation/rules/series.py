"""Series of numbers and of days."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from fastflowtransform.translation.kinds import TIMES, Kind, kind
from fastflowtransform.translation.rule import Refused, rule
from fastflowtransform.translation.rules.date_functions import as_time
from fastflowtransform.translation.write import call, fragment, number, whole


def _series(to: str, node: Any) -> Any:
    """Return a series: rows where it stands as a table, a list elsewhere."""
    is_table = isinstance(node.parent, exp.Table)
    if is_table:
        _name_column(node)
    start, end, step = node.args["start"], node.args["end"], node.args.get("step")
    if kind(start) in TIMES:
        return _of_times(to, node, as_time(to, start), as_time(to, end), is_table=is_table)
    values = [whole(each) for each in (start, end, step or number(1))]
    first, last, by = values
    if first is None or last is None or not by:
        if (
            kind(start) is Kind.INTEGER
            and kind(end) is Kind.INTEGER
            and step is None
            and not node.args.get("is_end_exclusive")
        ):
            return _of_computed(to, start, end, is_table=is_table)
        raise Refused("its ends are not written out", instead="generate_series(1, …)")
    if node.args.get("is_end_exclusive"):
        last -= 1 if by > 0 else -1
    if is_table:
        if to == "postgres":
            words = ", ".join(f"CAST({each} AS bigint)" for each in (first, last, by))
            return fragment(to, f"GENERATE_SERIES({words})")
        return call("RANGE", *(number_of(each) for each in (first, last + (1 if by > 0 else -1), by)))
    if to == "postgres":
        return fragment(to, f"ARRAY(SELECT GENERATE_SERIES(CAST({first} AS bigint), {last}, {by}))")
    if (last - first) * by < 0:
        return fragment(to, "CAST(ARRAY() AS array<bigint>)")
    return fragment(to, f"SEQUENCE(CAST({first} AS bigint), CAST({last} AS bigint), CAST({by} AS bigint))")


def _name_column(node: Any) -> None:
    """Give the column of a series the name that DuckDB gives it, where the text gives none."""
    alias = node.parent.args.get("alias")
    if alias is not None and not alias.columns:
        name = "range" if node.args.get("is_end_exclusive") else "generate_series"
        alias.set("columns", [exp.to_identifier(name, quoted=True)])


def number_of(value: int) -> exp.Expr:
    """Return a whole number, with its sign."""
    return number(value) if value >= 0 else exp.Neg(this=number(-value))


def _of_computed(to: str, start: Any, end: Any, *, is_table: bool) -> Any:
    if to == "postgres":
        words = "GENERATE_SERIES(CAST(_0 AS bigint), CAST(_1 AS bigint))"
        return fragment(to, words if is_table else f"ARRAY(SELECT {words})", start, end)
    words = (
        "CASE WHEN _0 <= _1 THEN SEQUENCE(CAST(_0 AS bigint), CAST(_1 AS bigint)) "
        "WHEN _0 > _1 THEN CAST(ARRAY() AS array<bigint>) END"
    )
    return fragment(to, f"EXPLODE({words})" if is_table else words, start, end)


def _of_times(to: str, node: Any, start: Any, end: Any, *, is_table: bool) -> Any:
    step = node.args.get("step")
    if not isinstance(step, exp.Interval) or node.args.get("is_end_exclusive"):
        raise Refused(
            "its step is not one interval, or its end is left out", instead="generate_series(a, b, interval 1 day)"
        )
    if to == "postgres":
        words = "GENERATE_SERIES(_0, _1, _2)"
        return fragment(to, words if is_table else f"ARRAY(SELECT {words})", start, end, step)
    words = "CASE WHEN _0 <= _1 THEN SEQUENCE(_0, _1, _2) WHEN _0 > _1 THEN CAST(ARRAY() AS array<timestamp_ntz>) END"
    return fragment(to, f"EXPLODE({words})" if is_table else words, start, end, step)


RULES = (rule(_series, exp.GenerateSeries),)
