"""Opens DuckDB's files, and says its errors in our words."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastflowtransform.engines.duckdb_profile import MEMORY
from fastflowtransform.engines.messages import whole_line
from fastflowtransform.engines.quoting import require_no_nul
from fastflowtransform.errors import (
    BadValue,
    ConnectionFailed,
    DatabaseCorrupt,
    DatabaseLocked,
    EngineError,
    FftError,
    Location,
    RelationMissing,
    WriteConflict,
)

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SUCH_AS = {"memory_limit": "write a number and a unit, such as 2GB", "threads": "give a whole number from 1 on"}


def opened(
    target: str, read_only: bool, settings: Mapping[str, Any], at: Callable[[str], Location]
) -> DuckDBPyConnection:
    """Open a database file, or one in memory; `at` says where a setting stands.

    Raises
    ------
    DatabaseLocked, DatabaseCorrupt, ConnectionFailed
        It cannot be opened.
    BadValue
        DuckDB does not take a setting.
    """
    from fastflowtransform.engines.duckdb_driver import driver as duckdb

    path = Path(target)
    folders = [] if target == MEMORY else [path.parent]
    if not read_only and settings.get("temp_directory"):
        # DuckDB makes the last of its folders when it needs it, and takes it away in the end.
        folders.append(Path(settings["temp_directory"]).parent)
    folder = path
    try:
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        return duckdb.connect(target, read_only=read_only, config=dict(settings))
    except OSError as error:
        raise ConnectionFailed(
            f'cannot make the folder "{folder}": "{error.strerror}"', hint="choose another path in profiles.yml"
        ) from error
    except duckdb.Error as error:
        _require_settings(settings, at)
        raise _why_not_open(path, str(error)) from error


def _require_settings(settings: Mapping[str, Any], at: Callable[[str], Location]) -> None:
    """Raise `BadValue` for a setting that DuckDB does not take anywhere; it says so of all of them at once only."""
    from fastflowtransform.engines.duckdb_driver import driver as duckdb

    for name, value in settings.items():
        try:
            duckdb.connect(MEMORY, config={name: value}).close()
        except duckdb.Error as error:
            reason = first_line(str(error)).partition(": ")[2]
            raise BadValue(
                f'"{name}" is "{value}", which DuckDB does not take: {reason}', at=at(name), hint=_SUCH_AS.get(name)
            ) from error


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

    def __enter__(self) -> None:
        if self._sql is not None:
            require_no_nul(self._sql)

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        from fastflowtransform.engines.duckdb_driver import driver as duckdb

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
        ours = _kind(error, message)(first_line(message), hint=_hint(message) or _room(error), near=_near(message))
        ours.sql = self._sql
        raise ours from error


def _kind(error: Exception, message: str) -> type[EngineError]:
    from fastflowtransform.engines.duckdb_driver import driver as duckdb

    if isinstance(error, duckdb.CatalogException) and "does not exist" in message:
        return RelationMissing
    if isinstance(error, duckdb.TransactionException) and "conflict" in message.lower():
        return WriteConflict
    return EngineError


def first_line(message: str) -> str:
    """Return the first line of a driver's message, which says what is wrong."""
    return whole_line(message.strip().splitlines()).rstrip(".")


def _hint(message: str) -> str | None:
    found = re.search(r"^(Did you mean .*|Candidate bindings: .*)$", message, re.MULTILINE)
    return found[1] if found else None


def _room(error: Exception) -> str | None:
    """Return what to do where memory or disk do not hold what DuckDB needs; only its text tells the cases apart."""
    from fastflowtransform.engines.duckdb_driver import driver as duckdb

    message = str(error)
    if "offload data" in message or "No space left" in message:
        return "make room on the disk, or let temp_directory in profiles.yml name a folder on another one"
    if "Failed to create directory" in message:
        return "let temp_directory in profiles.yml name a folder that can be made"
    if isinstance(error, duckdb.OutOfMemoryException):
        return "in profiles.yml, raise memory_limit or lower threads, and give the file a temp_directory with room"
    return None


def _near(message: str) -> str | None:
    found = re.search(r"^LINE \d+: (.*)$", message, re.MULTILINE)
    return found[1].strip().removeprefix("DESCRIBE ") if found else None
