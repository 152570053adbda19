"""What work is: what is to be done about the nodes of a graph, in which manner, and how it ended."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Protocol, TypeVar

from fastflowtransform.engines.base import Engine
from fastflowtransform.errors import Location, OutOfTime
from fastflowtransform.report import Report
from fastflowtransform.results import Status, StepResult

Result = TypeVar("Result")
Call = Callable[[], None]


class Ending(Enum):
    """How work ended: all of it was seen to, it was stopped, or it was stopped and something goes on regardless."""

    OVER = auto()
    INTERRUPTED = auto()
    ABANDONED = auto()


def _unheard(stop: Call) -> AbstractContextManager[None]:
    return contextlib.nullcontext()


@dataclass(frozen=True, slots=True)
class Manner:
    """How work is to be done.

    Parameters
    ----------
    jobs
        How many nodes at once.
    fail_fast
        Whether nothing starts any more after the first failure; what runs then, ends.
    timeout
        Seconds that a node may take which has no limit of its own; None for no limit.
    shared
        Seconds after which no other node begins in a transaction that several share, where an engine lets them.
    hearing
        Gives a block in which the user's wish to stop comes to the function that it is given, from any thread.
    """

    jobs: int = 1
    fail_fast: bool = False
    timeout: float | None = None
    shared: float = 0.05
    hearing: Callable[[Call], AbstractContextManager[None]] = _unheard


ALONE = Manner()


class Work(Protocol[Result]):
    """What is to be done about each node. All but the functions that `at` gives is called by the main thread only."""

    def barred(self, node: str) -> Result | None:
        """Return the result of a node that must not start, because of what came of others; None where it may."""
        ...

    def limit(self, node: str) -> float | None:
        """Return the seconds that a node may take; None for no limit."""
        ...

    def at(self, engine: Engine, report: Report, is_stopped: Callable[[], bool]) -> Callable[[str], Result]:
        """Return what does a node's work at one connection, and asks now and then whether it is to stop."""
        ...

    def cut(self, node: str, seconds: float, *, late: bool) -> Result:
        """Return the result of a node that was stopped: because it was `late`, or with the whole run."""
        ...

    def ended(self, node: str, result: Result) -> None:
        """Note what came of a node."""
        ...


def cut_off(result: StepResult, at: Location, limit: float | None, *, late: bool) -> StepResult:
    """Return the result of a model or seed that was stopped: an error where it was late, else just that."""
    if not late:
        return replace(result, status=Status.CANCELLED)
    return replace(result, status=Status.ERROR, error=out_of_time(f'"{result.name}"', at, limit))


def out_of_time(what: str, at: Location, limit: float | None) -> OutOfTime:
    """Return the error for what took too long."""
    return OutOfTime(
        f"{what} took longer than the limit of {limit or 0:g} s", at=at, hint="raise the limit, or read less"
    )
