"""How a delta is made to fit the columns of its table, as `on_schema_change` says."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fastflowtransform import incremental as rule
from fastflowtransform.engines.base import UNCHANGED, ColumnChanges, Engine
from fastflowtransform.errors import SchemaChanged
from fastflowtransform.incremental import Comparing
from fastflowtransform.materializations.base import Target
from fastflowtransform.model import Incremental, OnSchemaChange
from fastflowtransform.rows import Built, Derived, Rows

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    import ibis.expr.types as ir
    from ibis.expr.schema import Schema

_OLD = "__fft_old_"


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

    def without(self, filled: Collection[str]) -> _Difference:
        """Return the difference without columns that the table fills itself."""
        return replace(self, gone={name: dtype for name, dtype in self.gone.items() if name not in filled})

    def words(self) -> list[str]:
        added = [f'"{name}" ({dtype}) is not in the table' for name, dtype in self.added.items()]
        gone = [f'"{name}" ({dtype}) is not in the query' for name, dtype in self.gone.items()]
        retyped = [
            f'"{name}" is {old} in the table and {new} in the query' for name, (old, new) in self.retyped.items()
        ]
        return added + gone + retyped


def fit(engine: Engine, rows: Rows, table: Rows, target: Target, incremental: Incremental) -> Fit:
    """Compare the query with the table, before any write.

    Parameters
    ----------
    engine
        Is asked for the types that it gives, where Ibis' own idea of them differs from the table's.
    rows
        The delta.
    table
        The table as it stands.
    target, incremental
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
    mode, model = incremental.on_schema_change, target.model
    filled = (
        tuple(name for name in difference.gone if name in engine.filled(target.relation)) if difference.gone else ()
    )
    refused = mode is OnSchemaChange.FAIL or (mode is OnSchemaChange.APPEND and bool(difference.retyped))
    if refused or incremental.updated_at in difference.retyped:
        raise SchemaChanged(
            f'the columns of "{model.name}" changed: {"; ".join(difference.words())}',
            at=model.at,
            hint=_accepting(difference.without(filled), incremental),
        )
    return _accepted(rows.table(), table.table(), difference.without(filled), mode, filled)


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


def complete(
    rows: ir.Table, table: ir.Table, filled: tuple[str, ...], key: tuple[str, ...], by: Comparing, *, null_safe: bool
) -> ir.Table:
    """Return new rows with the columns that the table fills itself, in the table's order.

    They are those of its row of the same key, and NULL where there is none: nobody knows what it would fill in.
    """
    import ibis

    if not filled:
        return rows
    if not key:
        return rows.mutate(**{name: ibis.null(table[name].type()) for name in filled}).select(*table.columns)
    old = table.select(**{f"{_OLD}{name}": table[name] for name in (*key, *filled)})
    same = rule.same_key(rows, old, [(name, f"{_OLD}{name}") for name in key], by, null_safe=null_safe)
    both = rows.left_join(old, list(same))
    return both.select(**{name: both[f"{_OLD}{name}" if name in filled else name] for name in table.columns})


def _accepted(
    rows: ir.Table, table: ir.Table, difference: _Difference, mode: OnSchemaChange, filled: tuple[str, ...]
) -> Fit:
    import ibis

    absent = {name: ibis.null(dtype) for name, dtype in difference.gone.items()}
    given = [name for name in table.columns if name not in filled]
    if mode is OnSchemaChange.IGNORE:
        kept = {name: rows[name].cast(table[name].type()) for name in given if name not in absent}
        new = rows.select(**{name: {**kept, **absent}[name] for name in given})
        return Fit(Built(new), Built(table), ColumnChanges(filled=filled))
    words = tuple(f"added {name} {dtype}" for name, dtype in difference.added.items())
    if mode is OnSchemaChange.APPEND:
        changes = ColumnChanges(added=difference.added, filled=filled)
        new = rows.mutate(**absent).select(*given, *difference.added)
        return Fit(Built(new), Built(table), changes, words)
    retyped = {name: new for name, (_, new) in difference.retyped.items()}
    changes = ColumnChanges(difference.added, tuple(difference.gone), retyped, filled)
    words += tuple(f"dropped {name}" for name in difference.gone)
    words += tuple(f"{name} is {new} now" for name, new in retyped.items())
    new = rows.select(*(name for name in given if name not in difference.gone), *difference.added)
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
