"""A view: the query itself stands in the warehouse."""

from __future__ import annotations

from fastflowtransform.engines.base import Capabilities, Engine, Kind
from fastflowtransform.errors import WrongResult
from fastflowtransform.materializations.base import Action, Query, Target, Verb
from fastflowtransform.model import Model
from fastflowtransform.results import Outcome


def decide(model: Model, over: Kind | None, capabilities: Capabilities, *, full_refresh: bool) -> Action:
    """Create the view, or replace what stands there."""
    if over is None:
        return Action(Verb.CREATE, "view", "there is none yet")
    return Action(Verb.REPLACE, "view", "the model is a view" if over is Kind.VIEW else "a table stands there")


def apply(engine: Engine, target: Target, query: Query) -> Outcome:
    """Write the query."""
    import ibis.expr.operations as ops
    import ibis.expr.types as ir

    rows = query.rows(is_incremental=False)
    if not isinstance(rows, ir.Table) or rows.op().find(ops.InMemoryTable):
        raise WrongResult(
            f'"{target.model.name}" is a view, and its function gives rows from outside of the warehouse',
            at=target.model.at,
            hint="set materialized='table', or return an Ibis table",
        )
    engine.create_view(target.relation, rows, over=target.over)
    return Outcome(strategy="create view")
