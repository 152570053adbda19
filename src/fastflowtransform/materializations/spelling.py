"""One name a column: what the settings, the query and the table spell in several ways is spelt as the table does.

Engines differ in the names that they take for one (`names.Folding`). Everything after this compares names exactly.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from fastflowtransform.column_types import is_castable
from fastflowtransform.errors import AmbiguousColumns, ReservedColumn
from fastflowtransform.incremental import OURS
from fastflowtransform.model import Incremental, Model, OnSchemaChange
from fastflowtransform.names import Folding
from fastflowtransform.rows import Rows

if TYPE_CHECKING:
    import ibis.expr.types as ir


def named_as(incremental: Incremental, columns: Collection[str], folding: Folding) -> Incremental:
    """Return settings that spell the key and the cursor as these columns are spelt; others stay as they are."""
    key = tuple(folding.spelling(name, columns) or name for name in incremental.unique_key)
    cursor = incremental.updated_at
    if cursor is not None:
        cursor = folding.spelling(cursor, columns) or cursor
    if (key, cursor) == (incremental.unique_key, incremental.updated_at):
        return incremental
    return replace(incremental, unique_key=key, updated_at=cursor)


def require_distinct(columns: Collection[str], model: Model, folding: Folding) -> None:
    """Raise `AmbiguousColumns` for two columns that are one to the engine, `ReservedColumn` for a name of fft's own."""
    found: dict[str, str] = {}
    for name in columns:
        if folding.fold(name).startswith(OURS):
            raise ReservedColumn(
                f'the query of "{model.name}" has a column "{name}"',
                at=model.at,
                hint=f'give it another name: those that begin with "{OURS}" are taken',
            )
        first = found.setdefault(folding.fold(name), name)
        if first != name:
            raise AmbiguousColumns(
                f'the query of "{model.name}" has two columns of one name to the warehouse, "{first}" and "{name}"',
                at=model.at,
                hint="give one of them another name, or leave it out",
            )


def spelt_as(rows: Rows, columns: Collection[str], folding: Folding) -> Rows:
    """Return rows whose columns are spelt as these are; columns that are not among these keep their spelling."""
    names = {name: folding.spelling(name, columns) or name for name in rows.columns}
    other = tuple((old, new) for old, new in names.items() if old != new)
    if not other:
        return rows
    return replace(rows.then(_renamed, other), columns={names[name]: spelt for name, spelt in rows.columns.items()})


def typed_as(rows: Rows, table: Rows, incremental: Incremental) -> Rows:
    """Return rows whose cursor has the type of the table's where new values are cast, so that they can be compared."""
    name = incremental.updated_at
    if incremental.on_schema_change is not OnSchemaChange.IGNORE or name is None:
        return rows
    if name not in rows.columns or rows.columns[name] == table.columns[name]:
        return rows
    given, wanted = rows.schema()[name](nullable=True), table.schema()[name](nullable=True)
    # What cannot be cast is refused when all columns are compared.
    if given == wanted or not is_castable(given, wanted):
        return rows
    columns: Mapping[str, str] = {**rows.columns, name: table.columns[name]}
    return replace(rows.then(_cast, name, str(wanted)), columns=columns)


def _renamed(rows: ir.Table, names: tuple[tuple[str, str], ...]) -> ir.Table:
    return rows.rename({new: old for old, new in names})


def _cast(rows: ir.Table, name: str, dtype: str) -> ir.Table:
    return rows.cast({name: dtype})
