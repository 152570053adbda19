"""A view: the query itself stands in the warehouse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastflowtransform.engines.base import Capabilities, Engine, Kind, Select, Standing, kind_of
from fastflowtransform.errors import WrongResult
from fastflowtransform.materializations.base import (
    OPEN,
    SILENT,
    Action,
    Gate,
    Journal,
    Query,
    Target,
    Verb,
    require_droppable,
)
from fastflowtransform.model import Model
from fastflowtransform.results import Outcome
from fastflowtransform.rows import Built, Rows

if TYPE_CHECKING:
    import ibis.expr.types as ir

_MADE = Outcome(strategy="create view")


def decide(model: Model, over: Standing | None, capabilities: Capabilities, *, full_refresh: bool) -> Action:
    """Create the view, or replace what stands there."""
    if over is None:
        return Action(Verb.CREATE, "view", "there is none yet")
    if over.kind is Kind.VIEW:
        return Action(Verb.REPLACE, "view", "the model is a view")
    require_droppable(model, over)
    lost = f", and goes with its rows{''.join(f' and {words}' for words in over.belongings)}"
    return Action(Verb.REPLACE, "view", f"a table stands there{lost}")


def apply(engine: Engine, target: Target, query: Query, gate: Gate = OPEN, journal: Journal = SILENT) -> Outcome:
    """Write the query; the gate looks at what it gives."""

    def write(rows: Rows | Select) -> Outcome:
        with query.located(), journal.writing(engine, target.relation, lambda _: _MADE):
            engine.create_view(target.relation, rows, over=kind_of(target.over))
        return _MADE

    if gate.is_open:
        return write(query.select() or _of_the_warehouse(target.model, query))
    rows = _of_the_warehouse(target.model, query)
    gate.judge(rows, staged=False)
    return write(rows)


def _of_the_warehouse(model: Model, query: Query) -> Rows:
    """Return rows that are made of tables of the warehouse alone."""
    rows = query.result(is_incremental=False)
    if not isinstance(rows, Rows) or (isinstance(rows, Built) and _has_own_rows(rows.table())):
        raise WrongResult(
            f'"{model.name}" is a view, and its function gives rows from outside of the warehouse',
            at=model.at,
            hint="set materialized='table', or return an Ibis table",
        )
    return rows


def _has_own_rows(table: ir.Table) -> bool:
    import ibis.expr.operations as ops

    return bool(table.op().find(ops.InMemoryTable))
