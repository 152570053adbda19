"""A model that stands nowhere: those that read it take its expression in."""

from __future__ import annotations

from fastflowtransform.engines.base import Capabilities, Engine, Standing
from fastflowtransform.materializations.base import Action, Query, Target, Verb
from fastflowtransform.model import Model
from fastflowtransform.results import Outcome


def decide(model: Model, over: Standing | None, capabilities: Capabilities, *, full_refresh: bool) -> Action:
    """Do nothing in the warehouse."""
    return Action(Verb.INLINE, "", "the models that read it take it in")


def apply(engine: Engine, target: Target, query: Query) -> Outcome:
    """Do nothing; the models that read this one report its errors."""
    return Outcome(strategy="inline")
