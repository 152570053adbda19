"""Spark's errors in our words."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Callable
from typing import Any

from fastflowtransform.engines.messages import whole_line
from fastflowtransform.errors import (
    BadName,
    ConnectionLost,
    DatabaseLocked,
    EngineError,
    OutOfSpace,
    RelationMissing,
    WriteConflict,
)


class Unsupported(EngineError):
    """A statement that Spark refused for what it is, before it looked at a row."""


# What stands in an error's condition or, where it has none, in its text; the first that fits counts.
_KINDS: tuple[tuple[str, type[EngineError], str | None], ...] = (
    (
        r"TABLE_OR_VIEW_NOT_FOUND|SCHEMA_NOT_FOUND|DELTA_TABLE_NOT_FOUND|DELTA_PATH_DOES_NOT_EXIST",
        RelationMissing,
        None,
    ),
    (
        r"DELTA_CONCURRENT|Concurrent(Append|DeleteRead|DeleteDelete|Transaction|Write)Exception"
        r"|DELTA_METADATA_CHANGED|MetadataChangedException|DELTA_PROTOCOL_CHANGED|ProtocolChangedException",
        WriteConflict,
        None,
    ),
    (r"No space left on device|java\.lang\.OutOfMemoryError", OutOfSpace, "make room, or let the model read less"),
    (r"XSDB6", DatabaseLocked, "wait for the other process, or end it"),
    (
        r"StatusCode\.UNAVAILABLE|SESSION_CLOSED|INVALID_HANDLE|Py4JNetworkError|Answer from Java side is empty"
        r"|Connection refused|stopped SparkContext",
        ConnectionLost,
        "see the log of Spark for why it ended",
    ),
)
# A MERGE that is refused so may still be done by a rewrite: it is the statement that is at fault, and not the rows.
_REFUSED = re.compile(
    r"_LEGACY_ERROR_TEMP_2096|_LEGACY_ERROR_TEMP_1121|UNSUPPORTED_FEATURE|DELTA_UNSUPPORTED|DELTA_OPERATION_NOT_ALLOWED"
    r"|DELTA_MERGE_UNSUPPORTED|DELTA_NON_DETERMINISTIC|DELTA_FAILED_TO_MERGE|DELTA_FEATURE"
    r"|is not supported temporarily|Table does not support reads"
)


_CONDITION = re.compile(r"\[[A-Z][A-Z0-9_.]+\]")
_WRAPPED = re.compile(r"Task failed while writing rows|TASK_WRITE_FAILED|Job aborted|job aborted|Stage failed")


class Translated(contextlib.AbstractContextManager[None]):
    """Turns Spark's errors into ours; `sql` is what was sent, where that is one statement."""

    def __init__(self, sql: str | None, is_interrupted: Callable[[], bool]) -> None:
        self._sql = sql
        self._is_interrupted = is_interrupted

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if error is None or not isinstance(error, _their_errors()):
            return
        if self._is_interrupted():
            raise KeyboardInterrupt from error
        ours = translated(error)
        ours.sql = self._sql
        raise ours from error


def translated(error: Any) -> EngineError:
    """Return our error for one of Spark, of the bridge to it, or of the line to its server."""
    from pyspark.errors import PySparkException

    text = f"{type(error).__name__}: {error}"
    condition = (error.getCondition() if isinstance(error, PySparkException) else None) or ""
    where = condition or text
    message = last_words(_with_causes(error))
    near = _near(error)
    if condition.startswith("INVALID_SCHEMA_OR_RELATION_NAME"):
        return BadName(message, hint="name it with letters, digits and underscores", near=near)
    for pattern, kind, hint in _KINDS:
        if re.search(pattern, where) or (not condition and re.search(pattern, text)):
            return kind(message, hint=hint, near=near)
    if _REFUSED.search(where):
        return Unsupported(message, near=near)
    return EngineError(message, near=near)


def last_words(text: str) -> str:
    """Return what a text of Spark or Java says is wrong, without classes, codes and plans.

    Examples
    --------
    >>> last_words("[DIVIDE_BY_ZERO] Division by zero. Use `try_divide`. SQLSTATE: 22012\\n== SQL ==")
    'Division by zero. Use `try_divide`'
    >>> last_words("[DELTA_X] CHECK constraint c (v > 0) violated by row with values:\\n - v : -1\\n\\tat z")
    'CHECK constraint c (v > 0) violated by row with values: - v : -1'
    >>> last_words("An error occurred while calling o60.sql.\\n: io.delta.X: [DELTA_Y] No.\\n\\tat z")
    'No'
    >>> last_words("[TASK_WRITE_FAILED] Task failed while writing rows to /x.\\nCaused by: org.X: [A_B] No.")
    'No'
    """
    given = [line.strip() for line in text.strip().splitlines()]
    lines = [line for line in given if line]
    lines = [line for line in lines if not line.startswith(("at ", "... ", "=="))] or ["(nothing)"]
    told = [line for line in lines if _CONDITION.search(line)]
    found = told[0] if told else None
    if _WRAPPED.search(found or lines[0]):
        # A failed write tells where it was, and its last cause tells why.
        causes = [line for line in lines if line.startswith("Caused by:")]
        causes = [line for line in causes if not _WRAPPED.search(line)]
        found = next(reversed([line for line in causes if _CONDITION.search(line)] or causes), found)
    if found is None:
        found = next((line for line in reversed(lines) if re.search(r"(Exception|Error): ", line)), lines[0])
    found = re.sub(r"^.*?\[[A-Z][A-Z0-9_.]+\] ", "", found)
    found = re.sub(r"^[: ]*([\w$]+\.)+[\w$]+: ", "", found)
    found = re.sub(r"^(Caused by: )?([\w$]+\.)+[\w$]+(Exception|Error): ", "", found)
    found = re.sub(r"\s*SQLSTATE: \w+(; line \d+ pos \d+)?;?", "", found)
    found = found.strip()
    if found.endswith(":"):
        place = next(number for number, line in enumerate(given) if line.endswith(found))
        values = itertools.takewhile(lambda line: line.startswith("- "), given[place + 1 :])
        found = whole_line([found, *values])
    return found.rstrip(".;")


def _with_causes(error: Any) -> str:
    """Return an error's text with its causes, which Spark shows in the trace of its own stack only."""
    text = str(error)
    trace = getattr(error, "_stackTrace", None) or ""
    causes = [line.strip() for line in trace.splitlines() if line.strip().startswith("Caused by:")]
    return text if "Caused by:" in text or not causes else "\n".join([text, *causes])


def _near(error: Any) -> str | None:
    """Return the text that Spark points at."""
    from pyspark.errors import PySparkException

    if not isinstance(error, PySparkException):
        return None
    with contextlib.suppress(AttributeError, NotImplementedError):
        for context in error.getQueryContext():
            return str(context.fragment())
    found = re.search(r"`([^`]+)` cannot be resolved|routine `([^`]+)`|near '([^']+)'", str(error))
    return None if found is None else next(filter(None, found.groups()))


def _their_errors() -> tuple[type[BaseException], ...]:
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    return (PySparkException, Py4JError)
