"""What a selection compares the project with: a manifest, an earlier state in git, or the last command's results."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from fastflowtransform import project as projects
from fastflowtransform.cli.options import Chosen, given_variables
from fastflowtransform.errors import NoState, UsageError
from fastflowtransform.fingerprint import Fingerprint, fingerprints
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
        before = _since(project, chosen.since, chosen)
    else:
        raise UsageError(
            "state: has nothing to compare with",
            hint="add --state DIR, where the manifest.json of a run stands, or --changed-since GITREF",
        )
    return {name: frozenset(found) for name, found in changes(fingerprints(project), before).items()}


def _since(project: Project, ref: str, chosen: Chosen) -> Mapping[str, Fingerprint]:
    """Return the fingerprints of the project as it stood where the present branch left `ref`; none before it was there.

    It is read as a whole, so that a change counts wherever it was made: in a macro, a YAML file or a helper module.
    """
    folder = project.folder
    base = _git(folder, ref, "merge-base", ref, "HEAD").decode().strip()
    if not _git(folder, ref, "ls-tree", base, "--", "project.yml"):
        return {}
    # In a subfolder of the repository, both commands are about that folder.
    packed = _git(folder, ref, "archive", "--format=tar", base)
    with tempfile.TemporaryDirectory(prefix="fft-since-") as name, _as_it_was():
        then = Path(name).resolve()
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(then, filter="data")
        loaded = projects.load(
            then,
            engine=project.scope.engine,
            database=project.database,
            variables=project.scope.variables,
            given=given_variables(chosen.variables),
        )
        return fingerprints(loaded)


def _git(folder: Path, ref: str, *arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, check=False)
    except OSError as error:
        raise NoState(f'git cannot be run: "{error.strerror}"', hint="install git, or use --state") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {done.returncode}"]
        raise NoState(
            f'git has no project at "{ref}": "{said[0]}"', hint="name a branch, a tag or a commit of this repository"
        )
    return done.stdout


@contextlib.contextmanager
def _as_it_was() -> Iterator[None]:
    """Forget the modules that the block imports: a project's helpers would stay under the names of another state's."""
    path, modules = list(sys.path), dict(sys.modules)
    try:
        yield
    finally:
        sys.path[:] = path
        for name in [name for name in sys.modules if sys.modules[name] is not modules.get(name)]:
            if name in modules:
                sys.modules[name] = modules[name]
            elif _stands_in_a_project(name):
                del sys.modules[name]


def _stands_in_a_project(name: str) -> bool:
    """Whether a module was read from the temporary folder, which has gone or will go."""
    file = sys.modules[name].__file__ if hasattr(sys.modules[name], "__file__") else None
    return file is not None and "fft-since-" in file
