"""Which files of a project hold its models, and which of them are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Protocol, TypeVar

from fastflowtransform.errors import DuplicateName, FftError, Location, raise_all
from fastflowtransform.files import files_in
from fastflowtransform.kept import Kept
from fastflowtransform.model import Input, Model


@dataclass(frozen=True, slots=True)
class Reading:
    """How a project is read.

    Parameters
    ----------
    kept
        What files were parsed to before.
    only
        Names of models that are wanted, with all that they read; None has all models read. They all are as well where
        one of the names is not known, so that the error can say which are.
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
class File:
    """A SQL model that was not read: its file tells its name."""

    name: str
    at: Location
    engines: ClassVar[tuple[str, ...]] = ()


@dataclass(frozen=True, slots=True)
class Read:
    """The models of a project, by name, in the order of their files.

    Parameters
    ----------
    models
        Those that were read.
    unread
        Those that nothing needs.
    elsewhere
        Those that are for other engines only.
    """

    models: Mapping[str, Model]
    unread: Mapping[str, Model | File]
    elsewhere: Mapping[str, Model]


def read_models(
    folder: Path,
    read: Callable[[Path], Sequence[Model]],
    engine: str,
    only: Set[str] | None,
    behind: Callable[[Input], str],
) -> Read:
    """Read the models below `models/`.

    What the functions of a Python file are called is known once it is read, so all Python files are.

    Parameters
    ----------
    folder
        The project's.
    read
        Gives the models of a file; it is asked for a file again.
    engine
        The engine's name.
    only
        As `Reading` has it.
    behind
        Gives the name of the model or seed that an input is, if it is one; in whatever case.

    Raises
    ------
    DuplicateName
        Two models have one name.
    """
    macros = folder / "models" / "macros"
    found: list[Model | File] = []
    errors: list[FftError] = []
    for path in files_in(folder / "models", ".ff.sql", ".ff.py"):
        if path.name.endswith(".ff.sql") and macros in path.parents:
            continue
        if only is None or path.name.endswith(".ff.py"):
            try:
                found += read(path)
            except FftError as error:
                errors.append(error)
        else:
            found.append(File(path.name.removesuffix(".ff.sql"), Location(path, 1)))
    raise_all(errors)
    here = by_name(item for item in found if not item.engines or engine in item.engines)
    elsewhere = {item.name: item for item in found if isinstance(item, Model) and item.name not in here}
    if only is not None and not only <= here.keys():
        return read_models(folder, read, engine, None, behind)
    needed = here.keys() if only is None else _needed(here, read, only, behind)
    return Read(
        {name: _model(item, read) for name, item in here.items() if name in needed},
        {name: item for name, item in here.items() if name not in needed},
        elsewhere,
    )


def _needed(
    here: Mapping[str, Model | File],
    read: Callable[[Path], Sequence[Model]],
    only: Iterable[str],
    behind: Callable[[Input], str],
) -> Set[str]:
    """Return names with those of all that they read."""
    folded = {name.casefold(): name for name in here}
    needed, waiting = set[str](), sorted(only)
    while waiting:
        name = folded.get(waiting.pop().casefold())
        if name is not None and name not in needed:
            needed.add(name)
            waiting += [behind(above) for above in _model(here[name], read).reads]
    return needed


def _model(item: Model | File, read: Callable[[Path], Sequence[Model]]) -> Model:
    return read(item.at.path)[0] if isinstance(item, File) else item


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
