"""A model that stands nowhere: those that read it take its expression in."""

from __future__ import annotations

from fastflowtransform.engines.base import Capabilities, Engine, Standing
from fastflowtransform.materializations.base import OPEN, SILENT, Action, Gate, Journal, Query, Target, Verb
from fastflowtransform.model import Model
from fastflowtransform.results import Outcome


def decide(model: Model, over: Standing | None, capabilities: Capabilities, *, full_refresh: bool) -> Action:
    """Do nothing in the warehouse."""
    return Action(Verb.INLINE, "", "the models that read it take it in")


def apply(engine: Engine, target: Target, query: Query, gate: Gate = OPEN, journal: Journal = SILENT) -> Outcome:
    """Do nothing but show the gate what the query gives; the models that read this one report its errors."""
    if not gate.is_open or target.model.contract is not None:
        with query.given(is_incremental=False) as rows:
            gate.judge(rows, staged=False)
    return Outcome(strategy="inline")
