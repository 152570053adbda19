"""The columns that a check is about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from fastflowtransform.document import Section
from fastflowtransform.errors import BadValue, MissingColumn, hint_from

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from fastflowtransform.rows import Rows


def read_columns(section: Section) -> tuple[str, ...]:
    """Return the names under `column` and `columns`, each once.

    Raises
    ------
    MissingKey
        The section names no column.
    """
    names = dict.fromkeys([*section.texts("column"), *section.texts("columns")])
    return tuple(names) or (section.required_text("column"),)


def read_groups(section: Section, key: str = "group_by_columns") -> tuple[str, ...]:
    """Return the names of the columns whose values make up the groups, each once; without any, all rows are one."""
    return tuple(dict.fromkeys(section.texts(key)))


def present(table: ir.Table | Rows, names: Iterable[str], what: str) -> None:
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
    fastflowtransform.errors.project.MissingColumn: M210 column is "evnt_id", which the table does not have
    hint did you mean "event_id"?
    """
    for name in names:
        if name not in table.columns:
            hint = hint_from(name, table.columns, "columns")
            raise MissingColumn(f'{what} is "{name}", which the table does not have', hint=hint)


def text_column(table: ir.Table, name: str) -> ir.StringColumn:
    """Return a column that has to hold texts.

    Raises
    ------
    MissingColumn
        The table lacks it.
    BadValue
        It holds something else.

    Examples
    --------
    >>> import ibis
    >>> text_column(ibis.table({"code": "int64"}), "code")
    Traceback (most recent call last):
    fastflowtransform.errors.project.BadValue: P104 column "code" is of the type "int64", and holds no texts
    hint cast it to a text in its model, or take the check away
    """
    present(table, [name], "column")
    if table[name].type().is_unknown():
        # Such as an enumeration, which has a text.
        return table[name].cast("string")
    if not table[name].type().is_string():
        raise _unfit(table, name, "holds no texts", "cast it to a text in its model, or take the check away")
    return table[name]


def number_column(table: ir.Table, name: str) -> ir.NumericColumn:
    """Return a column that has to hold numbers.

    Raises
    ------
    MissingColumn
        The table lacks it.
    BadValue
        It holds something else.
    """
    present(table, [name], "column")
    if not table[name].type().is_numeric():
        raise _unfit(table, name, "holds no numbers", "cast it to a number in its model, or take the check away")
    return table[name]


def free_name(wanted: str, taken: Iterable[str]) -> str:
    """Return a name for a new column, which no other has.

    Examples
    --------
    >>> free_name("rows", ["id"]), free_name("rows", ["ID", "Rows"])
    ('rows', 'rows_')
    """
    folded = {name.casefold() for name in taken}
    while wanted.casefold() in folded:
        wanted += "_"
    return wanted


def _unfit(table: ir.Table, name: str, complaint: str, hint: str) -> BadValue:
    return BadValue(f'column "{name}" is of the type "{table[name].type()}", and {complaint}', hint=hint)
