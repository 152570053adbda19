"""Finds an engine by the name that a profile gives; engines come from the entry points `fft.engines`."""

from __future__ import annotations

from importlib.metadata import entry_points

from fastflowtransform.engines.base import Engine
from fastflowtransform.errors import Location, UnknownEngine, hint_from


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
        None of that name is installed.
    """
    found = [entry for entry in entry_points(group="fft.engines") if entry.name == name]
    if not found:
        raise UnknownEngine(f'there is no engine "{name}"', at=at, hint=hint_from(name, names(), "engines"))
    engine: type[Engine] = found[0].load()
    return engine
