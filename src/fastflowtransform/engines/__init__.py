"""Finds an engine by the name that a profile gives; engines come from the entry points `fft.engines`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from fastflowtransform.engines.base import Engine
from fastflowtransform.errors import Location, UnknownEngine, hint_from

if TYPE_CHECKING:
    from fastflowtransform.translation.binding import Binder

_GROUP = "fft.engines"
OWN = {
    "databricks_spark": ("fastflowtransform.engines.spark", "SparkEngine"),
    "duckdb": ("fastflowtransform.engines.duckdb", "DuckDBEngine"),
    "postgres": ("fastflowtransform.engines.postgres", "PostgresEngine"),
    "spark": ("fastflowtransform.engines.spark", "SparkEngine"),
}
"""This package's own entry points: to ask what is installed takes longer than all else that finds an engine."""
_EXTRAS = {"databricks_spark": "spark"}


def names() -> list[str]:
    """Return the names of the installed engines."""
    from importlib.metadata import entry_points

    return sorted(entry_points(group=_GROUP).names)


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
    try:
        engine = _own(name) or _installed(name)
    except ModuleNotFoundError as error:
        raise UnknownEngine(
            f'the engine "{name}" needs the package "{error.name}", which is not installed',
            at=at,
            hint=f"pip install 'fastflowtransform[{_EXTRAS.get(name, name)}]'",
        ) from error
    if engine is None:
        raise UnknownEngine(f'there is no engine "{name}"', at=at, hint=hint_from(name, names(), "engines"))
    return engine


def binder(dialect: str) -> Binder:
    """Return what binds texts of a dialect without a warehouse; only texts of DuckDB have it."""
    assert dialect == "duckdb"
    from fastflowtransform.engines.duckdb_binding import binder

    return binder()


def type_in_sql(dialect: str, spelt: str) -> str:
    """Return the type of a column, as an engine tells it, in the words of its SQL."""
    if dialect != "postgres":
        return spelt
    from fastflowtransform.engines.postgres_types import written

    return written(spelt)


def _own(name: str) -> type[Engine] | None:
    if name not in OWN:
        return None
    module, attribute = OWN[name]
    engine: type[Engine] = vars(import_module(module))[attribute]
    return engine


def _installed(name: str) -> type[Engine] | None:
    """Return an engine of another package."""
    from importlib.metadata import entry_points

    found = [entry for entry in entry_points(group=_GROUP) if entry.name == name]
    engine: type[Engine] | None = found[0].load() if found else None
    return engine
