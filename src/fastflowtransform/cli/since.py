"""The project as it stood at a commit, which git is asked for."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fastflowtransform import project as projects
from fastflowtransform.errors import NoState
from fastflowtransform.fingerprint import Fingerprint, fingerprints
from fastflowtransform.project import Project


def fingerprints_at(ref: str, project: Project, given: Mapping[str, Any]) -> Mapping[str, Fingerprint]:
    """Return the fingerprints of the project as it stood where the present branch left `ref`; none before it was there.

    It is read as a whole, so that a change counts wherever it was made: in a macro, a YAML file or a helper module.

    Raises
    ------
    NoState
        git cannot be run, or has no project there.
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
            given=given,
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
