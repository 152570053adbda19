"""What a run will do, step by step and with the reason, decided before anything is done. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fastflowtransform import materializations
from fastflowtransform.engines.base import Capabilities, Kind
from fastflowtransform.materializations.base import Action
from fastflowtransform.model import Model
from fastflowtransform.project import Project
from fastflowtransform.relation import Relation


@dataclass(frozen=True, slots=True)
class Step:
    """One model, what is to be done about it, and what stands under its name now."""

    model: Model
    relation: Relation
    action: Action
    over: Kind | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in their order: what a model reads stands before it."""

    steps: tuple[Step, ...]
    upstream: Mapping[str, frozenset[str]]


def build(
    project: Project,
    names: Iterable[str],
    existing: Mapping[Relation, Kind],
    capabilities: Capabilities,
    *,
    full_refresh: bool = False,
) -> Plan:
    """Decide what to do about each model.

    Parameters
    ----------
    project
        The project.
    names
        The models to run, in the graph's order.
    existing
        What stands in the warehouse.
    capabilities
        What the engine can do.
    full_refresh
        Whether incremental models are built anew.

    Raises
    ------
    NotATable
        An incremental model's name belongs to a view.
    """
    steps = []
    for name in names:
        model = project.models[name]
        relation = project.relation(name)
        over = existing.get(relation)
        decide = materializations.find(model.materialized).decide
        steps.append(Step(model, relation, decide(model, over, capabilities, full_refresh=full_refresh), over))
    return Plan(tuple(steps), project.graph.upstream)
