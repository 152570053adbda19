"""Who is told what happens, while it happens."""

from __future__ import annotations

from typing import Protocol

from fastflowtransform.results import CheckResult, SourceResult, StepResult


class Report(Protocol):
    """Told of each step, check and source as it begins and ends."""

    @property
    def tells_statements(self) -> bool:
        """Whether anybody wants to know of statements."""
        ...

    def statement(self, sql: str, name: str | None = None) -> None:
        """Say that a statement is about to be sent, and for which step where several run at once."""
        ...

    def started(self, name: str, what: str) -> None:
        """Say that a step or check begins."""
        ...

    def waiting(self, name: str, why: str) -> None:
        """Say that a step waits, or is tried again."""
        ...

    def finished(self, result: StepResult | CheckResult | SourceResult) -> None:
        """Say what came of it."""
        ...
