"""What a run will do, step by step and with the reason, decided before anything is done. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from fastflowtransform import materializations
from fastflowtransform.engines.base import Capabilities, Standing
from fastflowtransform.errors import BadName, BadPythonModel
from fastflowtransform.materializations.base import Action, Adoption
from fastflowtransform.model import Model, PythonBody
from fastflowtransform.project import Project
from fastflowtransform.relation import Relation
from fastflowtransform.windows import Window

_ADOPTED = {
    Adoption.TOLD: "--adopt, for fft did not make the {kind}",
    Adoption.FITS: "fft did not make the {kind}, which has the key and the cursor of the model",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One model, what is to be done about it, and what stands under its name now."""

    model: Model
    relation: Relation
    action: Action
    over: Standing | None = None

    def adopting(self, adoption: Adoption | None) -> Step:
        """Return the step of which the action says that it adopts what is there."""
        if adoption is None or self.over is None:
            return self
        why = f"{_ADOPTED[adoption].format(kind=self.over.kind)}; {self.action.why}"
        return replace(self, action=replace(self.action, adopts=adoption, why=why))


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in their order: what a model reads stands before it.

    Parameters
    ----------
    steps
        The models.
    order
        The models among all that is to be made or looked at: seeds, and sources that have checks.
    existing
        What stands in the warehouse.
    upstream
        What each node reads.
    full_refresh
        Whether incremental models are built anew, and seeds loaded that have not changed.
    windows
        What incremental models take up, where that is not what is new.
    resumes
        Whether a backfill that was stopped goes on.
    """

    steps: tuple[Step, ...]
    order: tuple[str, ...]
    existing: Mapping[Relation, Standing]
    upstream: Mapping[str, frozenset[str]]
    full_refresh: bool = False
    windows: tuple[Window, ...] = ()
    resumes: bool = False

    def in_windows(self, windows: tuple[Window, ...], *, resumes: bool) -> Plan:
        """Return the plan of the same models over windows of their cursors."""
        return replace(self, windows=windows, resumes=resumes)


def build(
    project: Project,
    names: Iterable[str],
    existing: Mapping[Relation, Standing],
    capabilities: Capabilities,
    *,
    full_refresh: bool = False,
    adoptions: Mapping[str, Adoption] = MappingProxyType({}),
) -> Plan:
    """Decide what to do about each model.

    Parameters
    ----------
    project
        The project.
    names
        The models to run in the graph's order, with seeds and sources among them or without.
    existing
        What stands in the warehouse.
    capabilities
        What the engine can do.
    full_refresh
        Whether incremental models are built anew.
    adoptions
        Why models may write to what fft did not make, by their names (`ownership.adoptions`).

    Raises
    ------
    NotATable
        An incremental model's name belongs to a view.
    """
    steps = []
    order = tuple(names)
    for name in order:
        if name not in project.models:
            continue
        model, relation = project.models[name], project.relation(name)
        step = step_of(model, relation, existing.get(relation), capabilities, full_refresh=full_refresh)
        steps.append(step.adopting(adoptions.get(name)))
    return Plan(tuple(steps), order, existing, project.graph.upstream, full_refresh)


def step_of(
    model: Model, relation: Relation, over: Standing | None, capabilities: Capabilities, *, full_refresh: bool
) -> Step:
    """Decide what to do about one model, from what stands under its name."""
    if capabilities.plain_names and not re.fullmatch(r"[A-Za-z0-9_]+", model.name):
        raise BadName(
            f'"{model.name}" cannot be the name of a table on this engine',
            at=model.at,
            hint="name it with letters, digits and underscores",
        )
    if isinstance(model.body, PythonBody) and model.body.frame not in capabilities.frames:
        raise BadPythonModel(
            f'"{model.name}" takes {model.body.frame} DataFrames, which this engine does not have',
            at=model.at,
            hint=f"keep it to its engine with @engine_model(only='{model.body.frame}'), or take Ibis tables",
        )
    decide = materializations.find(model.materialized).decide
    action = decide(model, over, capabilities, full_refresh=full_refresh)
    if left := [name for name in model.layout.set_by_user if name not in capabilities.layouts]:
        action = replace(action, why=f"{action.why}; this engine makes nothing of {', '.join(left)}")
    return Step(model, relation, action, over)
