"""What a selection compares the project with: a manifest, an earlier state in git, or the last command's results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from fastflowtransform.cli.options import Chosen, given_variables
from fastflowtransform.errors import UsageError
from fastflowtransform.fingerprint import fingerprints
from fastflowtransform.project import Project
from fastflowtransform.select import Method, asked
from fastflowtransform.state import changes, read_manifest, read_results, results_by_node

_NOTHING: Mapping[str, frozenset[str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Compared:
    """How each node differs from what it was, and what came of it in the last run, by its name in the graph."""

    states: Mapping[str, frozenset[str]] = field(default_factory=lambda: _NOTHING)
    results: Mapping[str, frozenset[str]] = field(default_factory=lambda: _NOTHING)


WITH_NOTHING = Compared()


def compared(project: Project, chosen: Chosen) -> Compared:
    """Return what a selection asks for, and nothing that it does not.

    Raises
    ------
    UsageError
        It asks for `state:`, and nothing is named to compare with; or two things are.
    NoState
        What is named cannot be read.
    """
    methods = asked(chosen.select, chosen.exclude)
    if chosen.state is not None and chosen.since is not None:
        raise UsageError("--state and --changed-since are two things to compare with", hint="name one of them")
    states = _states(project, chosen) if Method.STATE in methods else _NOTHING
    results = results_by_node(read_results(project.folder)) if Method.RESULT in methods else _NOTHING
    return Compared(states, results)


def _states(project: Project, chosen: Chosen) -> Mapping[str, frozenset[str]]:
    if chosen.state is not None:
        before = read_manifest(chosen.state).fingerprints
    elif chosen.since is not None:
        from fastflowtransform.cli.since import fingerprints_at

        before = fingerprints_at(chosen.since, project, given_variables(chosen.variables))
    else:
        raise UsageError(
            "state: has nothing to compare with",
            hint="add --state DIR, where the manifest.json of a run stands, or --changed-since GITREF",
        )
    return {name: frozenset(found) for name, found in changes(fingerprints(project), before).items()}
