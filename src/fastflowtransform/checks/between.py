"""The values of a column stay within bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastflowtransform.checks.columns import present
from fastflowtransform.checks.values import like, read_value
from fastflowtransform.document import Section
from fastflowtransform.errors import MissingKey

if TYPE_CHECKING:
    import ibis.expr.types as ir

OTHER = None


def read(section: Section) -> dict[str, object]:
    """Read `column`, and `min`, `max` or both: numbers, dates or texts."""
    low, high = read_value(section, "min"), read_value(section, "max")
    if low is None and high is None:
        raise MissingKey(f'{section.title} has no "min" and no "max"', at=section.at(), hint="give one or both of them")
    return {"column": section.required_text("column"), "low": low, "high": high}


def failing_rows(table: ir.Table, *, column: str, low: object = None, high: object = None) -> ir.Table:
    """Keep the rows whose `column` is below `low` or above `high`.

    Parameters
    ----------
    table
        The table.
    column
        A column whose values have an order; NULL is no value, and passes.
    low, high
        The smallest and the largest value that are allowed; None for no bound on that side.

    Raises
    ------
    MissingColumn
        The table lacks `column`.
    BadValue
        The column cannot hold one of the bounds.

    Examples
    --------
    >>> import ibis
    >>> table = ibis.memtable({"share": [-0.1, 0.0, 1.0, 1.5]})
    >>> failing_rows(table, column="share", low=0, high=1).to_pyarrow().to_pylist()
    [{'share': -0.1}, {'share': 1.5}]
    """
    import ibis

    present(table, [column], "column")
    values = table[column]
    outside = [] if low is None else [values < like(values, low, "min")]
    outside += [] if high is None else [values > like(values, high, "max")]
    return table.filter(ibis.or_(*outside))
