"""Which rows an increment takes up: from the table's watermark on, or those of a window, or the user's own delta."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fastflowtransform import incremental as rule
from fastflowtransform.engines.base import Engine, Noting
from fastflowtransform.errors import DeltaColumnsDiffer
from fastflowtransform.materializations.base import Query, Target
from fastflowtransform.materializations.spelling import named_as, require_distinct, spelt_as, typed_as
from fastflowtransform.model import Incremental, Model, SqlBody
from fastflowtransform.rows import Built, Newest, Rows

if TYPE_CHECKING:
    import ibis.expr.types as ir


@dataclass(frozen=True, slots=True)
class Reach:
    """The table's watermark, whether an increment takes the whole query, and the version of the table for both."""

    watermark: Newest | None
    whole: bool
    version: int


def reach_of(engine: Engine, table: Rows, target: Target, incremental: Incremental) -> Reach:
    """Return how far back an increment of a table reaches."""
    watermark, version = _watermark(engine, table, target, incremental)
    whole = watermark is None and (incremental.updated_at is not None or _is_empty(engine, table))
    return Reach(watermark, whole, version)


@contextlib.contextmanager
def candidates(
    engine: Engine, query: Query, incremental: Incremental, reach: Reach, table: Rows | None
) -> Iterator[Rows]:
    """Give the delta: all of the query, the user's own delta, or the rows that the watermark leaves.

    Its columns are spelt as the table's are, if there is one; so are the settings.
    """
    folding = engine.capabilities.folding

    def aligned(rows: Rows, columns: Collection[str]) -> Rows:
        require_distinct(rows.columns, query.model, folding)
        rows = spelt_as(rows, columns, folding)
        return rows if table is None else typed_as(rows, table, incremental)

    with query.given(is_incremental=not reach.whole) as given:
        full = aligned(given, () if table is None else table.columns)
        incremental = named_as(incremental, full.columns, folding)
        settings = lasting(incremental)
        engine.preparing.says(rule.require_columns, full, settings)
        delta = None if reach.whole else query.delta()
        delta = None if delta is None else aligned(delta, full.columns)
        if delta is not None:
            yield _same_columns(delta, full, incremental, query.model)
        elif incremental.window is not None:
            yield windowed(full, incremental)
        elif reach.whole or has_own_delta(query.model) or reach.watermark is None:
            yield full
        else:
            yield full.then(rule.delta, settings, reach.watermark, engine.capabilities.comparing)


def windowed(rows: Rows, incremental: Incremental) -> Rows:
    """Keep the rows of this run's window; each run has another one."""
    return rows if incremental.window is None else Built(rule.windowed(rows.table(), incremental))


def _same_columns(given: Rows, full: Rows, incremental: Incremental, model: Model) -> Rows:
    missing = [name for name in full.columns if name not in given.columns]
    extra = [name for name in given.columns if name not in full.columns]
    if not missing and not extra:
        return given
    assert incremental.delta is not None
    words = [f'lacks "{name}"' for name in missing] + [f'has "{name}" besides' for name in extra]
    raise DeltaColumnsDiffer(
        f'the delta of "{model.name}" differs from its query: {", ".join(words)}',
        at=incremental.delta.template.at,
        hint="select the same columns in both",
    )


def lasting(incremental: Incremental) -> Incremental:
    """Return the settings without what only this run has, or this model: so that others have the same ones."""
    return replace(incremental, delta=None, window=None)


def has_own_delta(model: Model) -> bool:
    """Whether the user wrote what an increment takes up, beside the query or in it, and not the rule chooses that."""
    own = isinstance(model.body, SqlBody) and model.body.own_delta
    return own or (model.incremental is not None and model.incremental.delta is not None)


def _watermark(engine: Engine, table: Rows, target: Target, incremental: Incremental) -> tuple[Newest | None, int]:
    """Return the table's largest cursor, and the version of the table that has it.

    Where an exact note says what it is, the table is not read; where one says what it was, the rows from there on are
    asked first.
    """
    rule.require_target_columns(table.columns, target.model.name, incremental)
    name = incremental.updated_at
    if name is None:
        return None, -1
    by, version = engine.capabilities.comparing, -1

    def highest(rows: Rows) -> Newest | None:
        found = rule.highest_of(engine.rows(rows.into(rule.highest, name, by)))
        return None if found is None else Newest(found, table, name)

    if isinstance(engine, Noting) and rule.has_maximum(table.schema()[name]):
        noted = engine.newest_noted(target.relation, name, table.schema()[name])
        version = noted.version
        if noted.newest is not None:
            near = Newest(noted.newest, table, name)
            if noted.is_exact:
                return near, version
            # There is none where somebody took the newest rows away.
            if (found := highest(table.then(rule.from_on, name, near))) is not None:
                return found, version
    return highest(table), version


def _is_empty(engine: Engine, table: Rows) -> bool:
    return not engine.rows(table.into(_first))


def _first(rows: ir.Table) -> ir.Table:
    import ibis

    return rows.limit(1).select(one=ibis.literal(1))
