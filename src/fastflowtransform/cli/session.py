"""From a project's folder to an open warehouse, as commands need it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import click

from fastflowtransform import engines, settings
from fastflowtransform import project as projects
from fastflowtransform.cli.comparing import WITH_NOTHING, Compared, compared
from fastflowtransform.cli.options import Chosen, Limits, given_variables
from fastflowtransform.cli.signals import hearing, interruptible
from fastflowtransform.console import Console
from fastflowtransform.engines import preparing
from fastflowtransform.engines.base import Engine, Standing
from fastflowtransform.errors import NothingSelected, UsageError
from fastflowtransform.graph import order
from fastflowtransform.kept import keeping
from fastflowtransform.ledger import states_in
from fastflowtransform.materializations.base import Adoption
from fastflowtransform.model import Materialized
from fastflowtransform.project import Project
from fastflowtransform.reading import Reading
from fastflowtransform.relation import Relation
from fastflowtransform.select import Kind as NodeKind
from fastflowtransform.select import Selectable, names_alone, select
from fastflowtransform.settings import Profile
from fastflowtransform.state import read_manifest
from fastflowtransform.work import Manner
from fastflowtransform.working_folder import working_in


@dataclass(frozen=True, slots=True)
class Opened:
    """A project, read for one engine, whose warehouse is not open yet."""

    project: Project
    profile: Profile
    engine_type: type[Engine]
    compared: Compared = WITH_NOTHING
    options: tuple[str, ...] = ()
    """What repeats the command on the same environment, but for what it was about."""

    def manner(self, limits: Limits, *, fail_fast: bool = False) -> Manner:
        """Return how a command is to do its work: how many at once, and how long each."""
        asked = limits.jobs or self.profile.jobs or "1"
        jobs = int(asked) if asked != settings.AUTO else self.engine_type.capabilities.at_once or _cores()
        return Manner(jobs, fail_fast, limits.timeout, hearing=hearing)

    @contextlib.contextmanager
    def connected(self, console: Console, *, read_only: bool = False) -> Iterator[Engine]:
        """Open the warehouse while the block runs."""
        engine = self.engine_type.connect(self.profile, read_only=read_only, on_statement=console.statement)
        try:
            with interruptible(engine.interrupt), preparing.keeping(self.project.folder) as statements:
                engine.preparing.statements = statements
                yield engine
        finally:
            console.close()
            engine.close()

    def selected(self, chosen: Chosen) -> tuple[str, ...]:
        """Return the nodes that a selection means, in the graph's order."""
        return select(self.project.graph, selectables(self.project, self.compared), chosen.select, chosen.exclude)

    def models(self, chosen: Chosen) -> tuple[str, ...]:
        """Return the models that a selection means."""
        return self._only(self.project.models, "model", chosen)

    def seeds(self, chosen: Chosen) -> tuple[str, ...]:
        """Return the seeds that a selection means."""
        return self._only(self.project.seeds, "seed", chosen)

    def made(self, chosen: Chosen) -> tuple[str, ...]:
        """Return what `fft build` makes or looks at: models, seeds, and sources for their checks."""
        self._only({**self.project.models, **self.project.seeds}, "model or seed", chosen)
        return self.selected(chosen)

    def models_and_seeds(self, chosen: Chosen) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the models that a selection means, and the seeds."""
        found = self._only({**self.project.models, **self.project.seeds}, "model or seed", chosen)
        models = tuple(name for name in found if name in self.project.models)
        return models, tuple(name for name in found if name in self.project.seeds)

    def _only(self, kind: Mapping[str, object], word: str, chosen: Chosen) -> tuple[str, ...]:
        names = self.selected(chosen)
        found = tuple(name for name in names if name in kind)
        if names and not found and (chosen.select or chosen.exclude):
            raise NothingSelected(f'the selection holds no {word}: "{", ".join(names[:3])}"', hint="see fft list")
        return found

    def existing(self, engine: Engine, names: Iterable[str]) -> Mapping[Relation, Standing]:
        """Return what exists in the warehouse under the names of nodes, and whether the ledger does."""
        states = states_in(self.project.database).relation
        return engine.existing([*(self.project.relation(name) for name in names), states])


def tell_adoptions(
    adopted: Mapping[str, Adoption], existing: Mapping[Relation, Standing], project: Project, console: Console
) -> None:
    """Say of each table or view that fft did not make that it is about to write to it, and what becomes of its rows."""
    for name, why in adopted.items():
        relation = project.relation(name)
        becomes = "keeps its rows, and takes up new ones" if why is Adoption.FITS else "is taken over, as --adopt says"
        console.event("adopted", name=name, relation=str(relation), keeps_rows=why is Adoption.FITS)
        console.say(f'adopt {name}: {existing[relation].kind} "{relation}", which fft did not make, {becomes}')


def _cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def enter_project(chosen: Chosen) -> Path:
    """Return the project's folder, which is the working folder until the command ends."""
    found = settings.find_project(chosen.folder)
    click.get_current_context().with_resource(working_in(found))
    return found


def open_project(chosen: Chosen, engine: str | None = None, *, whole: bool = True) -> Opened:
    """Read the settings and the project; `engine` stands in for the profile's.

    Where it need not be the `whole` project, and the selection is a few names, only what these need is read.
    """
    given = given_variables(chosen.variables)
    found = enter_project(chosen)
    profile = settings.load(found, chosen.env)
    engine_type = engines.find(profile.engine, profile.options.at())
    only = None if whole or chosen.state is not None or chosen.exclude else names_alone(chosen.select)
    with keeping(found, whole=only is None) as kept:
        project = projects.load(
            found,
            engine=engine or engine_type.name,
            database=engine_type.database(profile),
            variables=profile.variables,
            given=given,
            reading=Reading(kept, only),
        )
    beside = compared(project, chosen)
    if chosen.defer:
        project = _deferred(project, chosen, beside)
    return Opened(project, profile, engine_type, beside, ("--env", profile.name, *chosen.options))


def _deferred(project: Project, chosen: Chosen, beside: Compared) -> Project:
    """Return the project in which what is not selected stands where the manifest of `--state` says."""
    if chosen.state is None:
        raise UsageError("--defer has no --state", hint="name the folder of the other environment's manifest.json")
    names = select(project.graph, selectables(project, beside), chosen.select, chosen.exclude)
    relations = read_manifest(chosen.state).relations
    elsewhere = {name: found for name, found in relations.items() if name not in names and name in project.graph.nodes}
    return replace(project, deferred=MappingProxyType(elsewhere))


def selectables(project: Project, beside: Compared = WITH_NOTHING) -> dict[str, Selectable]:
    """Return what selectors can ask of each node."""
    found: dict[str, Selectable] = {}
    for name in order(project.graph):
        if (model := project.models.get(name)) is not None:
            path = model.at.path.relative_to(project.folder).as_posix()
            found[name] = Selectable(name, NodeKind.MODEL, model.tags, path, model.materialized.value)
        elif (seed := project.seeds.get(name)) is not None:
            path = seed.path.relative_to(project.folder).as_posix()
            found[name] = Selectable(name, NodeKind.SEED, seed.tags, path, Materialized.TABLE.value)
        else:
            source = project.sources[name]
            found[name] = Selectable(source.name, NodeKind.SOURCE, source.tags)
    for name in beside.states.keys() | beside.results.keys():
        if name in found:
            states, results = beside.states.get(name, frozenset()), beside.results.get(name, frozenset())
            found[name] = replace(found[name], states=states, results=results)
    return found
