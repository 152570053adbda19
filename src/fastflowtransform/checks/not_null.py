"""No NULL stands in a column."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastflowtransform.checks.columns import present, read_columns
from fastflowtransform.document import Section

if TYPE_CHECKING:
    import ibis.expr.types as ir

OTHER = None


def read(section: Section) -> dict[str, object]:
    """Read `column`, or several `columns`."""
    return {"columns": read_columns(section)}


def failing_rows(table: ir.Table, *, columns: tuple[str, ...]) -> ir.Table:
    """Keep the rows in which any of `columns` is NULL.

    Raises
    ------
    MissingColumn
        The table lacks one of `columns`.

    Examples
    --------
    >>> import ibis
    >>> table = ibis.memtable({"id": [1, 2], "city": ["Bern", None]})
    >>> failing_rows(table, columns=("city",)).to_pyarrow().to_pylist()
    [{'id': 2, 'city': None}]
    """
    import ibis

    present(table, columns, "column")
    return table.filter(ibis.or_(*(table[name].isnull() for name in columns)))
