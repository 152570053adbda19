"""The columns that a check is about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from fastflowtransform.document import Section
from fastflowtransform.errors import MissingColumn, hint_from

if TYPE_CHECKING:
    import ibis.expr.types as ir


def read_columns(section: Section) -> tuple[str, ...]:
    """Return the names under `column` and `columns`, each once.

    Raises
    ------
    MissingKey
        The section names no column.
    """
    names = dict.fromkeys([*section.texts("column"), *section.texts("columns")])
    return tuple(names) or (section.required_text("column"),)


def present(table: ir.Table, names: Iterable[str], what: str) -> None:
    """Make sure that a table has columns.

    Parameters
    ----------
    table
        The table.
    names
        The columns it should have.
    what
        The argument that names them, for the message.

    Raises
    ------
    MissingColumn
        The table lacks one.

    Examples
    --------
    >>> import ibis
    >>> present(ibis.table({"event_id": "int64"}), ["evnt_id"], "column")
    Traceback (most recent call last):
    fastflowtransform.errors.MissingColumn: M210 column is "evnt_id", which the table does not have
    hint did you mean "event_id"?
    """
    for name in names:
        if name not in table.columns:
            hint = hint_from(name, table.columns, "columns")
            raise MissingColumn(f'{what} is "{name}", which the table does not have', hint=hint)
