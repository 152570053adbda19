"""The names of the columns that come out: DuckDB's, on every engine."""

from __future__ import annotations

from sqlglot import exp

from fastflowtransform.translation.kinds import Kind, kind_of
from fastflowtransform.translation.rule import Refused
from fastflowtransform.translation.types import built

ORDERED = "__fft_ordered"
"""The name of a query whose rows are ordered from outside of it."""

_NOT_IN_DELTA = set(" ,;{}()\n\t=")


def name_outputs(
    tree: exp.Expr, outputs: tuple[tuple[str, str], ...], nameless: tuple[bool, ...], to: str
) -> tuple[exp.Expr, list[str]]:
    """Give each column of the outermost SELECT its name, and return the tree with what is to be told.

    Raises
    ------
    Refused
        A column has no name, and the target none for it; or the number of columns is not the source's.
    """
    select = _named_select(tree)
    if any(isinstance(one, exp.Star) for one in select.expressions):
        raise Refused("the columns of its star are not known", instead="name the columns")
    if len(select.expressions) != len(outputs):
        raise Refused(f"DuckDB gives {len(outputs)} columns, and its translation {len(select.expressions)}")
    warnings = []
    renamed = {}
    columns = []
    for number, (one, (name, dtype)) in enumerate(zip(select.expressions, outputs, strict=True)):
        if to == "spark":
            _require_storable(name, dtype, nameless=number < len(nameless) and nameless[number])
        if number < len(nameless) and nameless[number]:
            warnings.append(f'column {number + 1} has no name: it is called "{name}"')
        if one.alias_or_name != name:
            renamed[one.alias_or_name] = name
        columns.append(exp.alias_(one.unalias(), exp.to_identifier(name, quoted=True), copy=False))
    select.set("expressions", columns)
    if renamed:
        _rename_in_order(tree, renamed)
    return tree, warnings


def _named_select(tree: exp.Expr) -> exp.Select:
    """Return the SELECT whose columns have the names of what comes out."""
    select = tree
    while not isinstance(select, exp.Select):
        if isinstance(select, exp.Values):
            raise Refused("VALUES by itself", instead="select * from (values …) as t(a, b)")
        select = select.this
    source = select.args.get("from_")
    if source is not None and isinstance(source.this, exp.Subquery) and source.this.alias == ORDERED:
        return _named_select(source.this.this)
    return select


def _require_storable(name: str, dtype: str, *, nameless: bool) -> None:
    if set(name) & _NOT_IN_DELTA and nameless:
        raise Refused(f'the column "{name}" has no name', instead="give it a name with AS")
    if kind_of(built(dtype, "duckdb")) in (Kind.INTERVAL, Kind.TIME):
        raise Refused(
            f'"{name}" is {"an interval" if kind_of(built(dtype, "duckdb")) is Kind.INTERVAL else "a time"}, '
            "which a table of Spark cannot hold",
            instead="give a number of seconds, or a text",
        )


def _rename_in_order(tree: exp.Expr, renamed: dict[str, str]) -> None:
    order = tree.args.get("order")
    for column in order.find_all(exp.Column) if order is not None else ():
        if not column.table and column.name in renamed:
            column.set("this", exp.to_identifier(renamed[column.name], quoted=True))
