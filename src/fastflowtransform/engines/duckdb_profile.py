"""What a profile says of a DuckDB database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastflowtransform.document import Section
from fastflowtransform.errors import BadValue, Location
from fastflowtransform.settings import Profile

MEMORY = ":memory:"
MOST_THREADS = 1024
"""DuckDB starts as many as it is told to, and a system does not bear any number of them."""
_VARIABLES = {"FF_DUCKDB_PATH": "path", "FF_DUCKDB_SCHEMA": "schema"}


def schema_of(profile: Profile) -> str:
    """Return the schema that a profile names, or `main`."""
    return _schema(profile.with_variables(_VARIABLES))


def _schema(options: Section) -> str:
    return options.text("schema") or "main"


@dataclass(frozen=True, slots=True)
class Settings:
    """The database that a profile means.

    Parameters
    ----------
    path
        Its file, or `MEMORY`.
    schema
        The schema that unqualified names mean.
    given
        DuckDB's own settings, by name.
    at
        Says where a setting stands.
    """

    path: str
    schema: str
    given: Mapping[str, Any]
    at: Callable[[str], Location]

    @classmethod
    def of(cls, profile: Profile) -> Settings:
        """Read a profile's settings, which are to be all known ones."""
        options = profile.with_variables(_VARIABLES)
        path, schema = options.required_text("path"), _schema(options)
        if "://" in path:
            raise options.bad("path", "the path of a file")
        threads = options.integer("threads")
        if threads is not None and not 0 < threads <= MOST_THREADS:
            raise BadValue(
                f'"threads" is "{threads}", which DuckDB does not take: at least 1 and at most {MOST_THREADS} can run',
                at=options.at("threads"),
                hint=f"give a number from 1 on, up to {MOST_THREADS}",
            )
        given: dict[str, Any] = {"memory_limit": options.text("memory_limit"), "threads": threads}
        spilled = options.text("temp_directory")
        given["temp_directory"] = None if spilled is None else str(profile.folder / spilled)
        options.close()
        return cls(
            path if path == MEMORY else str(profile.folder / path),
            schema,
            {name: value for name, value in given.items() if value is not None},
            options.at,
        )

    def opening(self, *, read_only: bool) -> tuple[str, bool]:
        """Return what to open, and whether read-only: where there is no file to be read, a database in memory."""
        if read_only and self.path != MEMORY and Path(self.path).exists():
            return self.path, True
        return (MEMORY if read_only else self.path), False
