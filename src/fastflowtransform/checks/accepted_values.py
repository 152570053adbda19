"""A column holds nothing but certain values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastflowtransform.checks.columns import present
from fastflowtransform.checks.values import like, read_values
from fastflowtransform.document import Section

if TYPE_CHECKING:
    import ibis.expr.types as ir

OTHER = None


def read(section: Section) -> dict[str, object]:
    """Read `column` and the list of `values`."""
    return {"column": section.required_text("column"), "values": read_values(section)}


def failing_rows(table: ir.Table, *, column: str, values: Sequence[object]) -> ir.Table:
    """Keep the rows whose `column` is none of `values`; NULL is no value, and passes.

    Raises
    ------
    MissingColumn
        The table lacks `column`.
    BadValue
        The column cannot hold one of `values`.

    Examples
    --------
    >>> import ibis
    >>> table = ibis.memtable({"status": ["new", "sent", "sant", None]})
    >>> failing_rows(table, column="status", values=["new", "sent"]).to_pyarrow().to_pylist()
    [{'status': 'sant'}]
    """
    present(table, [column], "column")
    return table.filter(table[column].notin([like(table[column], value, "values") for value in values]))
