"""A table that is replaced as a whole: old rows stay until the new ones stand."""

from __future__ import annotations

from fastflowtransform.engines.base import Capabilities, Engine, Kind
from fastflowtransform.materializations.base import Action, Query, Target, Verb
from fastflowtransform.model import Model
from fastflowtransform.results import Outcome


def decide(model: Model, over: Kind | None, capabilities: Capabilities, *, full_refresh: bool) -> Action:
    """Create the table, or replace what stands there."""
    if over is None:
        return Action(Verb.CREATE, "table", "there is none yet")
    return Action(Verb.REPLACE, "table", "the model is a table" if over is Kind.TABLE else "a view stands there")


def apply(engine: Engine, target: Target, query: Query) -> Outcome:
    """Write the whole result."""
    inserted = engine.replace(target.relation, query.rows(is_incremental=False), over=target.over)
    return Outcome(strategy="create table as select", why=target.action.why, inserted=inserted)
