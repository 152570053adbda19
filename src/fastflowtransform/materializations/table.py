"""A table that is replaced as a whole: old rows stay until the new ones stand."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from fastflowtransform.engines.base import Capabilities, Engine, Kind, Standing, kind_of
from fastflowtransform.materializations.base import (
    OPEN,
    SILENT,
    Action,
    Gate,
    Journal,
    Query,
    Target,
    Verb,
    because,
    require_droppable,
)
from fastflowtransform.model import Model
from fastflowtransform.results import Outcome, WriteCounts

if TYPE_CHECKING:
    from fastflowtransform.engines.base import Readable


def decide(model: Model, over: Standing | None, capabilities: Capabilities, *, full_refresh: bool) -> Action:
    """Create the table, or replace what stands there."""
    if over is None:
        return Action(Verb.CREATE, "table", "there is none yet")
    if over.kind is Kind.TABLE:
        return Action(Verb.REPLACE, "table", because("the model is a table", over))
    require_droppable(model, over)
    return Action(Verb.REPLACE, "table", "a view stands there")


def apply(engine: Engine, target: Target, query: Query, gate: Gate = OPEN, journal: Journal = SILENT) -> Outcome:
    """Write the whole result; it is staged first where the gate looks at it, so that it is not computed twice."""

    def outcome(written: WriteCounts) -> Outcome:
        why, updated = target.action.why, None if written.unchanged is None else written.updated
        return Outcome(written.strategy, why, written.inserted, updated, written.unchanged)

    def write(rows: Readable) -> Outcome:
        with query.located(), journal.writing(engine, target.relation, outcome):
            over, layout = kind_of(target.over), target.model.layout
            return outcome(engine.replace(target.relation, rows, over=over, layout=layout))

    if gate.is_open:
        return write(query.select() or query.result(is_incremental=False))
    rows = query.result(is_incremental=False)
    with contextlib.ExitStack() as stages:
        with query.located():
            staged = stages.enter_context(engine.stage(rows))
        gate.judge(staged)
        return write(staged)
