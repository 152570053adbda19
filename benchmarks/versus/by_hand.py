"""A script of SQL, run by DuckDB's own Python: what is left where there is no tool at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from measure import HERE
from upsert import copied

from versus.environments import Environment
from versus.work import DATABASE, Work, without

MERGES = {
    "staged": "sql: stage, delete, insert",
    "direct": "sql: delete, insert",
    "checked": "sql: stage, look for twins and NULL, delete, insert",
}


class ByHand:
    """Sends the statements of `child_script.py`, in one process."""

    name = "sql"

    def __init__(self, environment: Environment) -> None:
        self._python = environment.program("python")

    def trivial(self, folder: Path, number: int, *, checked: bool) -> None:
        """Keep the number; the script makes its statements from it."""
        folder.mkdir(parents=True)
        (folder / "number").write_text(str(number))

    def first(self, folder: Path) -> Work:
        """Make the tables in a new file."""
        return self._work(folder, "tables", number(folder), prepared=True)

    def again(self, folder: Path) -> Mapping[str, Work]:
        """Make them again: a script does not know better."""
        return {"": self._work(folder, "tables", number(folder))}

    def checks(self, folder: Path, *, one_model: bool) -> Work:
        """Count the rows that fail, check by check."""
        return self._work(folder, "checks", "1" if one_model else number(folder))

    def seed(self, folder: Path, rows: Path) -> Work:
        """Let DuckDB read the file, and find its types."""
        folder.mkdir(parents=True, exist_ok=True)
        return self._work(folder, "seed", str(rows), prepared=True)

    def upsert(self, folder: Path, made: Path) -> Mapping[str, Work]:
        """Merge in one transaction, in three ways."""
        folder.mkdir(parents=True, exist_ok=True)
        copy = folder / DATABASE
        script = str(HERE / "child_script.py")
        return {
            name: Work(folder, (self._python, script, str(copy), "merge", how), lambda: copied(made, copy))
            for how, name in MERGES.items()
        }

    def named(self, table: str) -> str:
        """Return the name as it is."""
        return table

    def _work(self, folder: Path, *arguments: str, prepared: bool = False) -> Work:
        command = (self._python, str(HERE / "child_script.py"), str(folder / DATABASE), *arguments)
        return Work(folder, command, (lambda: without(folder)) if prepared else (lambda: None))


def number(folder: Path) -> str:
    """Return how many tables a project has."""
    return (folder / "number").read_text()
