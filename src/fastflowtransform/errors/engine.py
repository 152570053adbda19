"""Errors that a warehouse reports."""

from __future__ import annotations

import re
from typing import ClassVar

from fastflowtransform.errors.base import FftError
from fastflowtransform.location import Location


class EngineError(FftError):
    """The warehouse refused a statement; its own words follow."""

    code = "E100"
    exit_code = 1
    transient: ClassVar[bool] = False
    """Whether the same statement may succeed a moment later, so that a run tries again."""

    def __init__(
        self, message: str, *, at: Location | None = None, hint: str | None = None, near: str | None = None
    ) -> None:
        super().__init__(message, at=at, hint=hint)
        self.near = near
        """The text that the warehouse points at, where it does."""


class ConnectionFailed(EngineError):
    """The warehouse cannot be opened."""

    code = "E101"
    exit_code = 2


class ServerStarting(ConnectionFailed):
    """The server is starting up or shutting down, and was so for too long."""

    code = "E133"


class DatabaseLocked(ConnectionFailed):
    """Another process holds the database file."""

    code = "E102"


class DatabaseCorrupt(ConnectionFailed):
    """The database file is not one, is of a later version, or is damaged."""

    code = "E103"


class ConnectionLost(EngineError):
    """The connection to the warehouse ended while it was in use."""

    code = "E104"
    transient = True


class OutcomeUnknown(EngineError):
    """The connection was lost during a commit, and the warehouse could not be asked what came of it."""

    code = "E105"


class WriteConflict(EngineError):
    """Another transaction was in the way of a write: a deadlock, or rows that both changed."""

    code = "E120"
    transient = True


class RelationBusy(EngineError):
    """Another run writes to the same table or view, and did not end in time."""

    code = "E121"


class DependentsInTheWay(EngineError):
    """A table or view cannot be replaced as the model asks, because views or other objects read it."""

    code = "E122"


class TimedOut(EngineError):
    """A statement took longer than the warehouse allows it."""

    code = "E123"


class OutOfSpace(EngineError):
    """The warehouse has no room left: disk, memory or connections."""

    code = "E124"


class NameTooLong(EngineError):
    """A name is longer than the warehouse keeps, so that two of them could become one."""

    code = "E125"


class BadName(EngineError):
    """A table has a name that the warehouse does not take."""

    code = "E126"


class OutOfTime(EngineError):
    """A model took longer than `--timeout`, or its own `timeout`, allows; what it had not committed was rolled back."""

    code = "E127"


class RelationMissing(EngineError):
    """A table or view that a model or a check reads is not in the warehouse."""

    code = "E110"
    usual: ClassVar[str] = "run or seed it first; of a source, sources.yml names the schema"

    def names(self, table: str) -> bool:
        """Whether it names this table, and not another one whose name has this one in it."""
        return re.search(rf"(?<!\w){re.escape(table)}(?!\w)", self.message, re.IGNORECASE) is not None


class RowsReferenced(EngineError):
    """Rows would go, or get another key, and foreign keys of other tables refer to them."""

    code = "E130"


class ReferencedKeyUnclear(EngineError):
    """Foreign keys refer to a table, and its new rows cannot be told by a key that is unique in them."""

    code = "E131"


class FilledColumns(EngineError):
    """A table would have to be written anew, and it fills columns itself that the query does not give."""

    code = "E132"
