"""What came of a step, a check and a run. Frozen, and free of I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from fastflowtransform.errors import FftError

UNCHANGED = "unchanged"
"""The strategy of what was left as it stands."""


class Status(StrEnum):
    """How a step or check ended."""

    SUCCESS = "success"
    WARN = "warn"
    ERROR = "error"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class WriteCounts:
    """Rows that a write changed, the way it took, and what kept it from the way that was planned.

    `unchanged` counts the new rows that a replaced table had already; None where all of its rows were written.
    """

    inserted: int
    updated: int
    strategy: str
    warning: str | None = None
    unchanged: int | None = None

    @property
    def rows(self) -> int:
        """Return how many rows a replaced table has now."""
        return self.inserted + self.updated + (self.unchanged or 0)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a seed: its name, its Ibis type, and why it has that type."""

    name: str
    type: str
    why: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a materialization did to the warehouse.

    Parameters
    ----------
    strategy
        The physical way, in a few words, such as `delete + insert`.
    why
        Why this way and no other.
    inserted, updated, unchanged, stale
        Rows of the delta by what became of them; None where it does not apply.
    duplicates, null_keys, null_cursors
        Rows that the rule dropped as duplicates or for a NULL key, and rows without a cursor.
    watermark_before, watermark_after
        The target's largest cursor, as the engine prints it; None where there is none.
    columns
        Changes of the table's columns, in words.
    contract
        How the columns differ from a contract that only warns, in words.
    warning
        What kept the write from the way that was planned.
    types
        The columns of a seed that was loaded.
    """

    strategy: str
    why: str = ""
    inserted: int | None = None
    updated: int | None = None
    unchanged: int | None = None
    stale: int | None = None
    duplicates: int | None = None
    null_keys: int | None = None
    null_cursors: int | None = None
    watermark_before: str | None = None
    watermark_after: str | None = None
    columns: tuple[str, ...] = ()
    contract: tuple[str, ...] = ()
    warning: str | None = None
    types: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class StepResult:
    """What came of one model or seed."""

    name: str
    kind: str
    status: Status
    seconds: float = 0.0
    outcome: Outcome | None = None
    error: FftError | None = None
    blocked_by: str | None = None
    """The failed step that kept it from running; None for one that was never started, since the run was stopped."""
    retries: tuple[str, ...] = ()
    """Why each attempt before the last one ended; what was in the way may be gone the next time."""
    kept: str | None = None
    """The table that keeps new rows which were not published."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What came of one check.

    `failures` counts the failing rows, `sample` holds at most five of them, and `stored` is the table that keeps them.
    `new_only` says that only the rows were looked at that an increment brings. `notes` tell what was assumed.
    """

    name: str
    node: str
    type: str
    status: Status
    seconds: float = 0.0
    failures: int | None = None
    sample: tuple[dict[str, object], ...] = ()
    sql: str | None = None
    error: FftError | None = None
    stored: str | None = None
    new_only: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceResult:
    """How new a source is.

    Parameters
    ----------
    name
        As in `raw.events`.
    status
        SUCCESS, WARN or ERROR.
    seconds
        The time that it took to ask.
    loaded_at
        The newest moment, in UTC; None where there is none, or it could not be asked for.
    age
        How old that is.
    warn_after, error_after
        How old it may be.
    error
        What is wrong, where something is.
    """

    name: str
    status: Status
    seconds: float
    loaded_at: datetime | None = None
    age: timedelta | None = None
    warn_after: timedelta | None = None
    error_after: timedelta | None = None
    error: FftError | None = None


@dataclass(frozen=True, slots=True)
class RunResult:
    """What came of a command."""

    command: str
    steps: tuple[StepResult, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    seconds: float = 0.0
    options: tuple[str, ...] = ()
    """What repeats it, but for what it was about: the environment, and the options that were given."""
    interrupted: bool = False
    """Whether it was stopped from outside."""

    @property
    def exit_code(self) -> int:
        """130 where it was stopped from outside, 1 where a step or a check of severity error failed, else 0."""
        if self.interrupted:
            return 130
        failed = any(status in (Status.ERROR, Status.SKIPPED, Status.CANCELLED) for status in self.statuses)
        return 1 if failed else 0

    @property
    def statuses(self) -> tuple[Status, ...]:
        """How each step and check ended."""
        return (*(step.status for step in self.steps), *(check.status for check in self.checks))
