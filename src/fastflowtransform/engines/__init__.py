"""Finds an engine by the name that a profile gives; engines come from the entry points `fft.engines`."""

from __future__ import annotations

from importlib.metadata import entry_points

from fastflowtransform.engines.base import Engine
from fastflowtransform.errors import Location, UnknownEngine, hint_from

_EXTRAS = {"databricks_spark": "spark"}


def names() -> list[str]:
    """Return the names of the installed engines."""
    return sorted(entry_points(group="fft.engines").names)


def find(name: str, at: Location | None = None) -> type[Engine]:
    """Return an engine's class.

    Parameters
    ----------
    name
        As a profile names it.
    at
        Where it was named.

    Raises
    ------
    UnknownEngine
        None of that name is installed, or a package that it needs is not.
    """
    found = [entry for entry in entry_points(group="fft.engines") if entry.name == name]
    if not found:
        raise UnknownEngine(f'there is no engine "{name}"', at=at, hint=hint_from(name, names(), "engines"))
    try:
        engine: type[Engine] = found[0].load()
    except ModuleNotFoundError as error:
        raise UnknownEngine(
            f'the engine "{name}" needs the package "{error.name}", which is not installed',
            at=at,
            hint=f"pip install 'fastflowtransform[{_EXTRAS.get(name, name)}]'",
        ) from error
    return engine
