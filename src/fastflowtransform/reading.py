"""Which files of a project hold its models, and which of them are read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, TypeVar

from fastflowtransform.errors import DuplicateName, Location, UnreadableFile
from fastflowtransform.kept import Kept
from fastflowtransform.model import Model


@dataclass(frozen=True, slots=True)
class Reading:
    """How a project is read.

    Parameters
    ----------
    kept
        What files were parsed to before.
    only
        Names of models and seeds that are wanted, with all that they read: of no other SQL model the file is read,
        nor a YAML file that names none of them. All are read where a name is not known, so that the error can say
        which are. None has all of them read.
    """

    kept: Kept = field(default_factory=Kept)
    only: Set[str] | None = None


class Named(Protocol):
    """What a file defines under a name."""

    @property
    def name(self) -> str: ...
    @property
    def at(self) -> Location: ...


Item = TypeVar("Item", bound=Named)


@dataclass(frozen=True, slots=True)
class _File:
    """A file that holds the SQL model of its name."""

    name: str
    at: Location


@dataclass(frozen=True, slots=True)
class Read:
    """Models that were read, and those that were not, by name."""

    models: list[Model]
    unread: Mapping[str, Named] = field(default_factory=lambda: MappingProxyType({}))


def read_models(
    folder: Path, read: Callable[[Path], list[Model]], seeds: Set[str], only: Set[str] | None = None
) -> Read:
    """Read the models below `models/`.

    Parameters
    ----------
    folder
        The project's.
    read
        Gives the models of a file.
    seeds
        The names of the seeds.
    only
        As `Reading` has it. What the functions of a Python file are called is known once it is read, so all are.

    Raises
    ------
    DuplicateName
        Two files are called alike.
    """
    macros = f"{folder / 'models' / 'macros'}{os.sep}"
    paths = [path for path in files_in(folder / "models", (".ff.sql", ".ff.py")) if not str(path).startswith(macros)]
    if only is None:
        return Read([model for path in paths for model in read(path)])
    by_python = {path: read(path) for path in paths if path.name.endswith(".ff.py")}
    functions = [model for models in by_python.values() for model in models]
    files = by_name(_File(_stem(path), Location(path, 1)) for path in paths if path not in by_python)
    if not only <= {*files, *seeds, *(model.name for model in functions)}:
        return Read([model for path in paths for model in (by_python[path] if path in by_python else read(path))])
    found, wanted = dict[str, list[Model]](), sorted(only, reverse=True)
    while wanted:
        name = wanted.pop()
        if name not in found:
            file = files.pop(name, None)
            found[name] = read(file.at.path) if file else [model for model in functions if model.name == name]
            wanted += [above.name for model in found[name] for above in model.reads if not above.is_source]
    left = {model.name: model for model in functions if model.name not in found}
    return Read([model for models in found.values() for model in models], {**files, **left})


def _stem(path: Path) -> str:
    return path.name.removesuffix(".ff.sql")


def files_in(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    """Return the files in a folder and below whose names end so, sorted."""
    found = sorted(path for path in folder.rglob("*") if path.name.endswith(endings) and path.is_file())
    for path in found:
        shown = path.name.encode(errors="backslashreplace").decode()
        if shown != path.name:
            raise UnreadableFile(f'the name "{shown}" is not UTF-8', at=Location(path.parent), hint="rename the file")
    return found


def by_name(found: Iterable[Item], others: Mapping[str, Named] = MappingProxyType({})) -> dict[str, Item]:
    """Return what has a name by that; no two may share one, whatever their case, nor have one of `others`."""
    named: dict[str, Item] = {}
    folded: dict[str, Named] = {name.casefold(): other for name, other in others.items()}
    for item in found:
        first = folded.setdefault(item.name.casefold(), item)
        if first is not item:
            raise DuplicateName(
                f'"{item.name}" is defined twice: here and at {first.at}', at=item.at, hint="rename one of them"
            )
        named[item.name] = item
    return named
