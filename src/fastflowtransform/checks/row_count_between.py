"""A table has about as many rows as it should."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastflowtransform.document import Section
from fastflowtransform.errors import MissingKey

if TYPE_CHECKING:
    import ibis.expr.types as ir

OTHER = None


def read(section: Section) -> dict[str, object]:
    """Read `min`, `max` or both: whole numbers."""
    low, high = section.integer("min"), section.integer("max")
    if low is None and high is None:
        raise MissingKey(f'{section.title} has no "min" and no "max"', at=section.at(), hint="give one or both of them")
    return {"low": low, "high": high}


def failing_rows(table: ir.Table, *, low: int | None = None, high: int | None = None) -> ir.Table:
    """Count the rows.

    Parameters
    ----------
    table
        The table.
    low, high
        The smallest and the largest number of rows that are allowed; None for no bound on that side.

    Returns
    -------
    ir.Table
        One row with the number as `rows` where it is out of bounds; else none.

    Examples
    --------
    >>> import ibis
    >>> table = ibis.memtable({"id": [1, 2, 3]})
    >>> failing_rows(table, low=10).to_pyarrow().to_pylist()
    [{'rows': 3}]
    """
    import ibis

    counted = table.aggregate(rows=table.count())
    outside = [] if low is None else [counted.rows < low]
    outside += [] if high is None else [counted.rows > high]
    return counted.filter(ibis.or_(*outside))
