"""What each tool is asked to do, in words that fit them all."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

DATABASE = "warehouse.duckdb"


@dataclass(frozen=True, slots=True)
class Work:
    """A command to be measured.

    Parameters
    ----------
    folder
        Where it runs, and where its database is.
    command
        Program and arguments.
    prepared
        What comes before, and is not counted.
    variables
        Laid over the environment.
    """

    folder: Path
    command: tuple[str, ...]
    prepared: Callable[[], object] = lambda: None
    variables: Mapping[str, str] = field(default_factory=dict)


class Tool(Protocol):
    """One of those that are compared. Each folder given to it is its own, and holds its project and database."""

    name: str

    def trivial(self, folder: Path, number: int, *, checked: bool) -> None:
        """Write a project of `number` tables of one row; `checked` gives each a check for NULL and one for twins."""

    def first(self, folder: Path) -> Work:
        """Make all of them, where there is no database yet and nothing is kept of earlier commands."""

    def again(self, folder: Path) -> Mapping[str, Work]:
        """Make all of them when nothing has changed; by name where there are several ways."""

    def checks(self, folder: Path, *, one_model: bool) -> Work:
        """Run the checks of all tables, or of one."""

    def seed(self, folder: Path, rows: Path) -> Work:
        """Load a CSV file as the table `rows` into a new database."""

    def upsert(self, folder: Path, made: Path) -> Mapping[str, Work]:
        """Take the newest rows of `raw.events` into the table `facts`, in a copy of a database where it lacks them."""

    def named(self, table: str) -> str:
        """Return what a table of the tool's is called in its database."""


def written(folder: Path, files: Mapping[str, str]) -> None:
    """Write files by their path below a folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def without(folder: Path, *names: str) -> None:
    """Take files and folders away, and the database."""
    for name in (*names, DATABASE, f"{DATABASE}.wal"):
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
