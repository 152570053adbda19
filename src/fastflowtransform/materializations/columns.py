"""How a delta is made to fit the columns of its table, as `on_schema_change` says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastflowtransform.engines.base import UNCHANGED, ColumnChanges, Engine
from fastflowtransform.errors import SchemaChanged
from fastflowtransform.model import Incremental, Model, OnSchemaChange
from fastflowtransform.rows import Built, Derived, Rows

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    import ibis.expr.types as ir
    from ibis.expr.schema import Schema


@dataclass(frozen=True, slots=True)
class Fit:
    """A delta with the columns that its table has or will have.

    Parameters
    ----------
    rows
        The delta.
    target
        The table, with the types that it will have.
    changes
        What is to be done to the table.
    words
        The same, for people.
    """

    rows: Rows
    target: Rows
    changes: ColumnChanges = UNCHANGED
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Difference:
    """What sets a query's columns apart from a table's."""

    added: dict[str, dt.DataType]
    gone: dict[str, dt.DataType]
    retyped: dict[str, tuple[dt.DataType, dt.DataType]]

    def words(self) -> list[str]:
        added = [f'"{name}" ({dtype}) is not in the table' for name, dtype in self.added.items()]
        gone = [f'"{name}" ({dtype}) is not in the query' for name, dtype in self.gone.items()]
        retyped = [
            f'"{name}" is {old} in the table and {new} in the query' for name, (old, new) in self.retyped.items()
        ]
        return added + gone + retyped


def fit(engine: Engine, rows: Rows, table: Rows, model: Model, incremental: Incremental) -> Fit:
    """Compare the query with the table, before any write.

    Parameters
    ----------
    engine
        Is asked for the types that it gives, where Ibis' own idea of them differs from the table's.
    rows
        The delta.
    table
        The table as it stands.
    model, incremental
        Whose they are, and what `on_schema_change` is.

    Raises
    ------
    SchemaChanged
        They differ, and the model's setting does not accept that.
    """
    if dict(rows.columns) == dict(table.columns):
        return Fit(_in_order(rows, table), table)
    difference = _difference(rows.schema(), table.schema())
    if difference is not None:
        difference = _difference(engine.schema(rows), table.schema())
    if difference is None:
        return Fit(_in_order(rows, table), table)
    mode = incremental.on_schema_change
    refused = mode is OnSchemaChange.FAIL or (mode is OnSchemaChange.APPEND and bool(difference.retyped))
    if refused or incremental.updated_at in difference.retyped:
        raise SchemaChanged(
            f'the columns of "{model.name}" changed: {"; ".join(difference.words())}',
            at=model.at,
            hint=_accepting(difference, incremental),
        )
    return _accepted(rows.table(), table.table(), difference, mode)


def _in_order(rows: Rows, table: Rows) -> Rows:
    """Return rows with their columns in a table's order."""
    names = tuple(table.columns)
    return rows if tuple(rows.columns) == names else Derived(_selected, (rows, names), {}, table.columns)


def _selected(rows: ir.Table, names: tuple[str, ...]) -> ir.Table:
    return rows.select(*names)


def changed(rows: Rows, changes: ColumnChanges) -> Rows:
    """Return a table as it is once its columns have changed."""
    if not changes:
        return rows
    import ibis

    added = {name: ibis.null(dtype) for name, dtype in changes.added.items()}
    return Built(rows.table().drop(*changes.dropped).cast(dict(changes.retyped)).mutate(**added))


def _accepted(rows: ir.Table, table: ir.Table, difference: _Difference, mode: OnSchemaChange) -> Fit:
    import ibis

    absent = {name: ibis.null(dtype) for name, dtype in difference.gone.items()}
    if mode is OnSchemaChange.IGNORE:
        kept = {name: rows[name].cast(table[name].type()) for name in table.columns if name not in absent}
        return Fit(Built(rows.select(**{name: {**kept, **absent}[name] for name in table.columns})), Built(table))
    words = tuple(f"added {name} {dtype}" for name, dtype in difference.added.items())
    if mode is OnSchemaChange.APPEND:
        changes = ColumnChanges(added=difference.added)
        new = rows.mutate(**absent).select(*table.columns, *difference.added)
        return Fit(Built(new), Built(table), changes, words)
    retyped = {name: new for name, (_, new) in difference.retyped.items()}
    changes = ColumnChanges(added=difference.added, dropped=tuple(difference.gone), retyped=retyped)
    words += tuple(f"dropped {name}" for name in difference.gone)
    words += tuple(f"{name} is {new} now" for name, new in retyped.items())
    kept_columns = [name for name in table.columns if name not in difference.gone]
    new = rows.select(*kept_columns, *difference.added)
    return Fit(Built(new), Built(table.cast(retyped)), changes, words)


def _difference(query: Schema, table: Schema) -> _Difference | None:
    """Return how two schemas differ; the order of columns and whether they take NULL do not count."""
    added = {name: dtype for name, dtype in query.items() if name not in table}
    gone = {name: dtype for name, dtype in table.items() if name not in query}
    both = {name: (table[name], query[name]) for name in query if name in table}
    retyped = {name: pair for name, pair in both.items() if pair[0](nullable=True) != pair[1](nullable=True)}
    return _Difference(added, gone, retyped) if added or gone or retyped else None


def _accepting(difference: _Difference, incremental: Incremental) -> str:
    """Name the setting that would accept the difference."""
    if incremental.updated_at in difference.retyped:
        return "run it once with --full-refresh: a cursor cannot change its type on the way"
    mode = OnSchemaChange.SYNC if difference.retyped or difference.gone else OnSchemaChange.APPEND
    return f"set on_schema_change to {mode}, or run it once with --full-refresh"
