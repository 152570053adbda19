"""How a delta is made to fit the columns of its table, as `on_schema_change` says."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fastflowtransform import incremental as rule
from fastflowtransform.column_types import common_type, converted, is_castable, is_same, most_digits
from fastflowtransform.engines.base import UNCHANGED, ColumnChanges, Engine
from fastflowtransform.errors import SchemaChanged
from fastflowtransform.incremental import Comparing
from fastflowtransform.materializations.base import Target
from fastflowtransform.model import Incremental, Model, OnSchemaChange
from fastflowtransform.names import Folding
from fastflowtransform.rows import Built, Rows

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    import ibis.expr.types as ir
    from ibis.expr.schema import Schema

_OLD = "__fft_old_"
_ANEW = "run it once with --full-refresh"


@dataclass(frozen=True, slots=True)
class Fit:
    """A delta with the columns that its table has or will have.

    Parameters
    ----------
    rows
        The delta; its columns are in the order of the query, in which ties are decided.
    target
        The table, with the columns and types that it will have.
    changes
        What is to be done to the table.
    words
        The same, for people.
    kept
        The columns that are written, with their types, where `rows` still has others that decide ties; else None.
    folding
        Which names are one.
    """

    rows: Rows
    target: Rows
    changes: ColumnChanges = UNCHANGED
    words: tuple[str, ...] = ()
    kept: Mapping[str, dt.DataType] | None = None
    folding: Folding = Folding.NONE

    def of(self, table: Rows) -> Rows:
        """Return the table as it is once its columns have changed."""
        return changed(table, self.changes, self.folding)

    def written(self, rows: Rows) -> Rows:
        """Return rows of the delta, of which each key has one, with the columns that are written."""
        return rows if self.kept is None else Built(_projected(rows.table(), self.kept, self.folding))


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
        The delta, whose names are spelt as the table's.
    table
        The table as it stands.
    target, incremental
        Whose they are, and what `on_schema_change` is.

    Raises
    ------
    SchemaChanged
        They differ, and the model's setting does not accept that, or no type holds the old values and the new ones.
    """
    if dict(rows.columns) == dict(table.columns):
        return Fit(rows, table)
    folding = engine.capabilities.folding
    given, stands = rows.schema(), table.schema()
    difference = _difference(given, stands, folding)
    if difference is not None:
        given = engine.schema(rows)
        difference = _difference(given, stands, folding)
    if difference is None:
        return Fit(_respelt_fields(rows, stands, folding), table, folding=folding)
    mode, model = incremental.on_schema_change, target.model
    filled = tuple(difference.gone.keys() & engine.filled(target.relation)) if difference.gone else ()
    refused = mode is OnSchemaChange.FAIL or (mode is OnSchemaChange.APPEND and bool(difference.retyped))
    if refused or (mode is not OnSchemaChange.IGNORE and incremental.updated_at in difference.retyped):
        raise _changed(model, difference, _accepting(difference.without(filled), incremental))
    wanted = _Wanted(engine, target.model, incremental, filled)
    make = _ignoring if mode is OnSchemaChange.IGNORE else _accepted
    return make(rows, table, difference.without(filled), wanted)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Whose columns they are, where, and those that the table fills itself."""

    engine: Engine
    model: Model
    incremental: Incremental
    filled: tuple[str, ...]

    @property
    def folding(self) -> Folding:
        return self.engine.capabilities.folding


def changed(rows: Rows, changes: ColumnChanges, folding: Folding) -> Rows:
    """Return a table as it is once its columns have changed."""
    if not changes:
        return rows
    import ibis

    table = rows.table().drop(*changes.dropped)
    retyped = {name: converted(table[name], dtype, folding) for name, dtype in changes.retyped.items()}
    return Built(table.mutate(**retyped, **{name: ibis.null(dtype) for name, dtype in changes.added.items()}))


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


def roomy(fitted: Fit, outgrown: Mapping[str, int]) -> Fit:
    """Return a fit that makes room in columns whose texts, of so many characters, are too short for new ones."""
    if not outgrown:
        return fitted
    schema = fitted.target.schema()
    retyped = {**{name: schema[name] for name in outgrown}, **fitted.changes.retyped}
    words = tuple(f"{name} takes texts of more than {width} characters now" for name, width in outgrown.items())
    return replace(fitted, changes=replace(fitted.changes, retyped=retyped), words=(*fitted.words, *words))


def _projected(rows: Any, kept: Mapping[str, dt.DataType], folding: Folding) -> ir.Table:
    import ibis

    found: ir.Table = rows.select(
        **{
            name: converted(rows[name], dtype, folding) if name in rows.columns else ibis.null(dtype)
            for name, dtype in kept.items()
        }
    )
    return found


def _respelt_fields(rows: Rows, stands: Schema, folding: Folding) -> Rows:
    """Return rows whose structs have their fields in the order and the spelling of the table's."""
    given = rows.schema()
    other = [name for name in given if given[name](nullable=True) != stands[name](nullable=True)]
    if not any(stands[name].is_nested() for name in other):
        return rows
    table = rows.table()
    return Built(table.mutate(**{name: converted(table[name], stands[name], folding) for name in other}))


def _ignoring(rows: Rows, table: Rows, difference: _Difference, wanted: _Wanted) -> Fit:
    """Keep the columns of the table; all of the query's decide ties first, as they do in a table that is made anew."""
    incremental, folding, changes = wanted.incremental, wanted.folding, ColumnChanges(filled=wanted.filled)
    wrong = {name: pair for name, pair in difference.retyped.items() if not is_castable(pair[1], pair[0])}
    if wrong:
        raise _changed(wanted.model, _Difference({}, {}, wrong), _ANEW)
    given, stands = rows.table(), table.schema()
    kept = {name: dtype(nullable=True) for name, dtype in stands.items() if name not in wanted.filled}
    if not incremental.unique_key:
        return Fit(Built(_projected(given, kept, folding)), table, changes, folding=folding)
    cast = {
        name: converted(given[name], dtype, folding)
        for name, dtype in kept.items()
        if name in (*incremental.unique_key, incremental.updated_at) and name in difference.retyped
    }
    return Fit(Built(given.mutate(**cast)), table, changes, kept=kept, folding=folding)


def _accepted(rows: Rows, table: Rows, difference: _Difference, wanted: _Wanted) -> Fit:
    """Let the table have what is new in the query, and keep what both have in their common type."""
    import ibis

    folding, added, drops = wanted.folding, difference.added, wanted.incremental.on_schema_change is OnSchemaChange.SYNC
    given, stands = rows.table(), table.schema()
    common = _common_types(difference, wanted)
    retyped = {name: new for name, new in common.items() if not is_same(new, stands[name], folding)}
    changes = ColumnChanges(added, tuple(difference.gone) if drops else (), retyped, wanted.filled)
    words = [f"added {name} {dtype}" for name, dtype in added.items()]
    words += [f"dropped {name}" for name in changes.dropped]
    words += [f"{name} is {new} now" for name, new in retyped.items()]
    types = {name: stands[name](nullable=True) for name in given.columns if name not in added} | retyped
    new = {name: converted(given[name], types.get(name, given[name].type()), folding) for name in given.columns}
    absent = {name: ibis.null(dtype) for name, dtype in difference.gone.items() if not drops}
    target = changed(table, changes, folding)
    return Fit(Built(given.select(**new, **absent)), target, changes, tuple(words), folding=folding)


def _common_types(difference: _Difference, wanted: _Wanted) -> dict[str, dt.DataType]:
    """Return the common type of each column that has two.

    Raises
    ------
    SchemaChanged
        A column has none, so that its old values would change, or the engine has no decimal as long.
    """
    found: dict[str, dt.DataType] = {}
    most = wanted.engine.capabilities.decimal_digits
    for name, (old, new) in difference.retyped.items():
        common = common_type(old, new, wanted.folding)
        if common is not None and most_digits(common) <= most:
            found[name] = common
    wrong = {name: pair for name, pair in difference.retyped.items() if name not in found}
    if wrong:
        raise _changed(
            wanted.model,
            _Difference({}, {}, wrong),
            f"cast it in the model, set on_schema_change to {OnSchemaChange.IGNORE} to cast new values, or {_ANEW}",
            "; no type holds the values of both",
        )
    return found


def _difference(query: Schema, table: Schema, folding: Folding) -> _Difference | None:
    """Return how two schemas differ; the order of columns and whether they take NULL do not count."""
    added = {name: dtype for name, dtype in query.items() if name not in table}
    gone = {name: dtype for name, dtype in table.items() if name not in query}
    both = {name: (table[name], query[name]) for name in query if name in table}
    retyped = {name: pair for name, pair in both.items() if not is_same(*pair, folding)}
    return _Difference(added, gone, retyped) if added or gone or retyped else None


def _changed(model: Model, difference: _Difference, hint: str, why: str = "") -> SchemaChanged:
    return SchemaChanged(
        f'the columns of "{model.name}" changed: {"; ".join(difference.words())}{why}', at=model.at, hint=hint
    )


def _accepting(difference: _Difference, incremental: Incremental) -> str:
    """Name the setting that would accept the difference."""
    if incremental.updated_at in difference.retyped:
        return f"{_ANEW}: a cursor cannot change its type on the way"
    mode = OnSchemaChange.SYNC if difference.retyped or difference.gone else OnSchemaChange.APPEND
    return f"set on_schema_change to {mode}, or {_ANEW}"
