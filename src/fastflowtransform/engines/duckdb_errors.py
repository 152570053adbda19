"""Opens DuckDB's files, and says its errors in our words."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastflowtransform.errors import (
    ConnectionFailed,
    DatabaseCorrupt,
    DatabaseLocked,
    EngineError,
    FftError,
    RelationMissing,
    WriteConflict,
)

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MEMORY = ":memory:"


def opened(target: str, read_only: bool, settings: Mapping[str, Any]) -> DuckDBPyConnection:
    """Open a database file, or one in memory.

    Raises
    ------
    DatabaseLocked, DatabaseCorrupt, ConnectionFailed
        It cannot be opened.
    """
    import duckdb

    path = Path(target)
    try:
        if target != MEMORY:
            path.parent.mkdir(parents=True, exist_ok=True)
        return duckdb.connect(target, read_only=read_only, config=dict(settings))
    except OSError as error:
        raise ConnectionFailed(
            f'cannot make the folder "{path.parent}": "{error.strerror}"', hint="choose another path in profiles.yml"
        ) from error
    except duckdb.Error as error:
        raise _why_not_open(path, str(error)) from error


def _why_not_open(path: Path, message: str) -> FftError:
    """Return the error for a file that DuckDB does not open; it tells the cases apart in its text only."""
    if "Could not set lock" in message or "already open" in message:
        holder = re.search(r"in (\S+) \(PID (\d+)\)", message)
        who = f" by process {holder[2]}" if holder else ""
        return DatabaseLocked(f'the database "{path}" is in use{who}', hint="wait for the other process, or end it")
    if "not a valid DuckDB" in message or "corrupt" in message.lower() or "Serialization" in message:
        return DatabaseCorrupt(
            f'"{path}" is not a database that this DuckDB can read: {first_line(message)}',
            hint="move the file away, or set another path in profiles.yml",
        )
    return ConnectionFailed(f'cannot open the database "{path}": {first_line(message)}')


class translated(contextlib.AbstractContextManager[None]):
    """Turns DuckDB's errors into ours; `sql` is what was asked, where that is one statement.

    `interrupted` is called where a statement has ended because somebody asked for it.
    """

    def __init__(self, sql: str | None, interrupted: Callable[[], None] = lambda: None) -> None:
        self._sql = sql
        self._interrupted = interrupted

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        import duckdb

        # A signal that arrives while DuckDB runs comes out in one of three ways; the last is what Python means by it.
        told = isinstance(error, duckdb.InterruptException)
        if (
            told
            or isinstance(error, KeyboardInterrupt)
            or (type(error) is RuntimeError and "interrupted" in str(error))
        ):
            self._interrupted()
            raise KeyboardInterrupt from error
        if not isinstance(error, duckdb.Error):
            return
        message = str(error)
        ours = _kind(error, message)(first_line(message), hint=_hint(message), near=_near(message))
        ours.sql = self._sql
        raise ours from error


def _kind(error: Exception, message: str) -> type[EngineError]:
    import duckdb

    if isinstance(error, duckdb.CatalogException) and "does not exist" in message:
        return RelationMissing
    if isinstance(error, duckdb.TransactionException) and "conflict" in message.lower():
        return WriteConflict
    return EngineError


def first_line(message: str) -> str:
    """Return the first line of a driver's message, which says what is wrong."""
    return message.strip().splitlines()[0].rstrip(".")


def _hint(message: str) -> str | None:
    found = re.search(r"^(Did you mean .*|Candidate bindings: .*)$", message, re.MULTILINE)
    return found[1] if found else None


def _near(message: str) -> str | None:
    found = re.search(r"^LINE \d+: (.*)$", message, re.MULTILINE)
    return found[1].strip().removeprefix("DESCRIBE ") if found else None
