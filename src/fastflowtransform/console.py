"""Every word on the terminal: a live line, plain lines, tables, errors, or one JSON event a line."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastflowtransform.artifacts import describe_check, describe_error, describe_source, describe_step, to_json
from fastflowtransform.errors import FftError, NotPublished, counted
from fastflowtransform.freshness import spelt
from fastflowtransform.plain_text import in_ascii_json, in_line, in_lines, in_sql
from fastflowtransform.results import CheckResult, Outcome, RunResult, SourceResult, Status, StepResult
from fastflowtransform.secret_values import redact
from fastflowtransform.streams import event_stream, put
from fastflowtransform.working_folder import shell_folder

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.status import Status as RichStatus

MARKS = {
    Status.SUCCESS: "ok",
    Status.WARN: "warn",
    Status.ERROR: "error",
    Status.SKIPPED: "skip",
    Status.CANCELLED: "stop",
}
_TOTALS = {
    Status.SUCCESS: "ok",
    Status.WARN: "warned",
    Status.ERROR: "failed",
    Status.SKIPPED: "skipped",
    Status.CANCELLED: "cancelled",
}
_STYLES = {
    Status.SUCCESS: "green",
    Status.WARN: "yellow",
    Status.ERROR: "bold red",
    Status.SKIPPED: "dim",
    Status.CANCELLED: "yellow",
}
_FEW = 20
"""Columns of a seed that are shown in a line."""

_CELLS = 20
"""How many cells of a unit test are shown."""


@dataclass(frozen=True, slots=True)
class Output:
    """How the user wants to be told: `verbosity` is -1 (only errors), 0, or 1 (each statement)."""

    json: bool = False
    verbosity: int = 0


class Console:
    """Writes to the terminal; what it writes depends on who reads.

    Parameters
    ----------
    output
        What the user asked for.
    folder
        The project's; places are shown relative to it in JSON.
    """

    def __init__(self, output: Output, folder: Path | None = None) -> None:
        self.output = output
        self.folder = folder or shell_folder()
        self._live: RichStatus | None = None
        self._ended = 0
        self._total = 0
        self._running: dict[str, str] = {}

    @property
    def tells_statements(self) -> bool:
        """Whether the user wants to see statements."""
        return self.output.verbosity > 0

    @property
    def _fancy(self) -> bool:
        return sys.stdout.isatty() and not self.output.json and (sys.stdout.encoding or "").lower().startswith("utf")

    def begin(self, title: str, total: int) -> None:
        """Say what is about to run, over how many steps."""
        self._ended, self._total = 0, total
        self.event("started", title=title, total=total)
        self.say(title)

    def say(self, text: str = "") -> None:
        """Write a line for people; whatever stands in it, it is one line."""
        if not self.output.json and self.output.verbosity >= 0:
            self._print(in_lines(in_line(redact(text))))

    def say_sql(self, sql: str, prefix: str = "") -> None:
        """Write a statement for people, in its own lines."""
        if not self.output.json and self.output.verbosity >= 0:
            self._print(in_sql(redact(f"{prefix}{sql}")))

    def event(self, kind: str, /, **values: Any) -> None:
        """Write a JSON event, where they are asked for."""
        if self.output.json:
            put(to_json({"event": kind, **values}), event_stream(), in_ascii_json)

    def statement(self, sql: str, name: str | None = None) -> None:
        """Show a statement that is about to be sent, with `-v`; with its step, where several run at once."""
        if self.tells_statements:
            self.event("statement", sql=sql, **({} if name is None else {"name": name}))
            self.say_sql(sql, "  > " if name is None else f"  {in_line(name)} > ")

    def started(self, name: str, what: str) -> None:
        """Show what runs, on a terminal as one line that changes."""
        self._running[name] = what
        self.event("step_started", name=name, what=what)
        self._show_running()

    def _show_running(self) -> None:
        if not self._fancy or self.output.verbosity < 0 or not self._running:
            return
        if self._live is None:
            self._live = self._rich().status("", spinner="dots")
            self._live.start()
        from rich.markup import escape

        # The last one first: those before it may only wait for their commit.
        (name, what), *others = reversed(self._running.items())
        number = self._ended + len(self._running)
        text = f"{name}: {what}"
        if others:
            text = f"{len(self._running)} under way: {', '.join(reversed(self._running))}"
        # In one line, whatever runs: a live line that wraps would not be taken back as a whole.
        room = self._rich().width - 4
        shown = in_line(redact(f"{number}/{self._total} {text}"))
        self._live.update(escape(shown if len(shown) <= room else f"{shown[: room - 1]}…"))

    def waiting(self, name: str, why: str) -> None:
        """Show that a step waits, and for what."""
        self.event("step_waiting", name=name, why=why)
        self.say(f"{name}: {why}")

    def finished(self, result: StepResult | CheckResult | SourceResult) -> None:
        """Show what came of a step, a check or a source."""
        was_running = self._running.pop(result.name, None) is not None
        if was_running or (isinstance(result, StepResult) and result.status is Status.SKIPPED):
            self._ended += 1
        if isinstance(result, StepResult):
            self.event("step_finished", **describe_step(result, self.folder))
        elif isinstance(result, SourceResult):
            self.event("source_finished", **describe_source(result, self.folder))
        else:
            self.event("check_finished", **describe_check(result, self.folder))
        self._show_running()
        if self.output.json or self.output.verbosity < 0 or self._fancy:
            return
        if isinstance(result, StepResult):
            width = len(str(self._total))
            self.say(
                f"{self._ended:>{width}}/{self._total} {MARKS[result.status]:<5} {result.name}  {_summary(result)}"
            )

    def close(self) -> None:
        """End the live line, whatever happens."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def steps(self, results: Sequence[StepResult]) -> None:
        """Show the table at the end of a run or a seeding."""
        if not results:
            return
        heads = ("", "name", "inserted", "updated", "unchanged", "strategy", "seconds")
        rows = [(MARKS[result.status], result.name, *_counts(result), f"{result.seconds:.2f}") for result in results]
        self.table(heads, rows, right=(2, 3, 4, 6), styles=[_STYLES[result.status] for result in results])
        for result in results:
            for note in _notes(result):
                self.say(f"note {result.name}: {note}")

    def checks(self, results: Sequence[CheckResult]) -> None:
        """Show the checks, and of each that failed its rows and the SQL to see them all."""
        heads = ("", "check", "on", "failing rows", "seconds")
        rows = [
            (
                MARKS[result.status],
                result.name,
                f"{result.node} (new rows)" if result.new_only else result.node,
                "" if result.failures is None else str(result.failures),
                f"{result.seconds:.2f}",
            )
            for result in results
        ]
        self.table(heads, rows, right=(3, 4), styles=[_STYLES[result.status] for result in results])
        for result in results:
            if result.error is not None:
                self.error(result.error, "" if f'"{result.name}"' in result.error.message else f"{result.name}: ")
            if result.sql is not None:
                number = counted(result.failures or 0, "failing row")
                such = ", such as" if result.sample else ""
                self.say()
                self.say(f'{MARKS[result.status]} "{result.name}": {number}{such}')
                self.rows(result.sample)
                self.say()
                self.say("to see them all:")
                self.say_sql(result.sql.strip())
                if result.stored is not None:
                    self.say()
                    self.say(f"they are kept in {result.stored}")

    def unit_tests(self, results: Sequence[CheckResult]) -> None:
        """Show each unit test in a line, and each that failed cell by cell."""
        rows = [(MARKS[result.status], result.name, f"{result.seconds:.2f}") for result in results]
        styles = [_STYLES[result.status] for result in results]
        self.table(("", "unit test", "seconds"), rows, right=(2,), styles=styles)
        for result in results:
            for note in result.notes:
                self.say(f"note {result.name}: {note}")
            if result.error is None:
                continue
            self.say("")
            self.error(result.error, "" if f'"{result.name}"' in result.error.message else f"{result.name}: ")
            self.rows(result.sample[:_CELLS])
            if len(result.sample) > _CELLS:
                self.say(f"and {len(result.sample) - _CELLS} more, which target/run_results.json holds")

    def sources(self, results: Sequence[SourceResult], seconds: float) -> int:
        """Show how new sources are, and what is too old; return the exit code."""
        statuses = [result.status for result in results]
        exit_code = 1 if Status.ERROR in statuses else 0
        rows = [
            (
                MARKS[result.status],
                result.name,
                "" if result.loaded_at is None else f"{result.loaded_at:%Y-%m-%d %H:%M:%S}",
                *(
                    "" if length is None else spelt(length)
                    for length in (result.age, result.warn_after, result.error_after)
                ),
            )
            for result in results
        ]
        styles = [_STYLES[result.status] for result in results]
        self.table(("", "source", "newest in UTC", "age", "warn after", "error after"), rows, styles=styles)
        for result in results:
            if result.error is not None:
                self.error(result.error, "" if f'"{result.name}"' in result.error.message else f"{result.name}: ")
        self._totals(statuses, seconds, exit_code)
        return exit_code

    def rows(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Show rows of data as a table."""
        heads = list(rows[0]) if rows else []
        self.table(heads, [[_shown(row[head]) for head in heads] for row in rows])

    def table(
        self,
        heads: Sequence[str],
        rows: Iterable[Sequence[str]],
        *,
        right: Sequence[int] = (),
        styles: Sequence[str] | None = None,
    ) -> None:
        """Show a table: with rich on a terminal, in plain columns elsewhere."""
        heads = [in_line(redact(head)) for head in heads]
        cells = [[in_line(redact(cell)) for cell in row] for row in rows]
        if self.output.json or self.output.verbosity < 0 or not cells:
            return
        widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
        if self._fancy and sum(widths) + 3 * len(widths) > self._rich().width:
            for row in cells:
                self._print(in_lines(_stacked(heads, row)))
            return
        if not self._fancy:
            for line in _aligned([list(heads), *cells], right):
                self._print(in_lines(line))
            return
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for number, head in enumerate(heads):
            table.add_column(head, justify="right" if number in right else "left", overflow="fold")
        for number, row in enumerate(cells):
            style = styles[number] if styles else ""
            table.add_row(*(Text(cell, style if place == 0 else "") for place, cell in enumerate(row)))
        self._rich().print(table)

    def summary(self, result: RunResult) -> None:
        """Show each error and what was skipped, and end with one line of totals."""
        for step in result.steps:
            if step.error is not None:
                self.error(step.error, "" if f'"{step.name}"' in step.error.message else f"{step.name}: ")
        skipped: dict[str, list[str]] = {}
        for step in result.steps:
            if step.blocked_by is not None:
                skipped.setdefault(step.blocked_by, []).append(step.name)
        for blocker, names in skipped.items():
            self.say(f'skipped because "{blocker}" failed: {_few(names)}')
        for words, names in (
            ("cancelled", [step.name for step in result.steps if step.status is Status.CANCELLED]),
            ("not started", [step.name for step in result.steps if _is_not_started(step)]),
        ):
            if names:
                self.say(f"{words}: {_few(names)}")
        self._totals(result.statuses, result.seconds, result.exit_code)

    def _totals(self, statuses: Sequence[Status], seconds: float, exit_code: int) -> None:
        words = [f"{number} {_TOTALS[status]}" for status in Status if (number := statuses.count(status))]
        self.say()
        self.say(f"{', '.join(words) or 'nothing to do'} in {seconds:.2f} s")
        self.event("finished", exit_code=exit_code, seconds=round(seconds, 3))

    def error(self, error: FftError, prefix: str = "") -> None:
        """Show an error as one short block on the error stream; as an event with `--json`."""
        self.event("error", **describe_error(error, self.folder))
        if not self.output.json:
            self._error(error, prefix)
        for other in error.others:
            self.error(other)

    def _error(self, error: FftError, prefix: str) -> None:
        lines = [f"{error.code} {prefix}{error.message}"]
        if error.at is not None:
            lines.append(in_line(f"  at {error.at.on_a_line()}"))
        if error.hint is not None:
            lines += map(in_line, f"  hint {error.hint}".split("\n"))
        put(in_lines(redact("\n".join(lines))), sys.stderr)

    def _print(self, text: str) -> None:
        if self._live is not None:
            self._rich().print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            put(text, sys.stdout)

    def _rich(self) -> RichConsole:
        from rich.console import Console as RichConsole

        if self._live is not None:
            return self._live.console
        return RichConsole(highlight=False, soft_wrap=False)


def _few(names: Sequence[str]) -> str:
    """Return names, but not too many."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{', '.join(names[:5])}{more}"


def _is_not_started(step: StepResult) -> bool:
    return step.status is Status.SKIPPED and step.blocked_by is None


def _summary(result: StepResult) -> str:
    """Return a step's result in a few words."""
    if result.status is Status.SKIPPED:
        return f'"{result.blocked_by}" failed'
    if result.status is Status.CANCELLED:
        return f"cancelled after {result.seconds:.2f} s"
    if result.error is not None:
        return f"{result.error.code} {result.error.message.splitlines()[0]}"
    outcome = result.outcome or Outcome("")
    counts = [
        f"{value} {word}"
        for word, value in (
            ("inserted", outcome.inserted),
            ("updated", outcome.updated),
            ("unchanged", outcome.unchanged),
        )
        if value is not None and (value or word == "inserted")
    ]
    return f"{', '.join(counts) or outcome.strategy} in {result.seconds:.2f} s"


def _counts(result: StepResult) -> tuple[str, str, str, str]:
    outcome = result.outcome
    if outcome is None:
        if isinstance(result.error, NotPublished):
            return "", "", "", "not published"
        if result.blocked_by is not None:
            return "", "", "", f"{result.blocked_by} failed"
        return "", "", "", "not started" if _is_not_started(result) else ""
    shown = ["" if value is None else str(value) for value in (outcome.inserted, outcome.updated, outcome.unchanged)]
    return shown[0], shown[1], shown[2], outcome.strategy


def _notes(result: StepResult) -> Iterable[str]:
    """Yield what a reader should know and no column shows."""
    for retry in result.retries:
        yield f"tried again after {retry}"
    outcome = result.outcome
    if outcome is None:
        return
    if outcome.warning is not None:
        yield f"warning: {outcome.warning}; done by {outcome.strategy}"
    if outcome.duplicates:
        yield f"{counted(outcome.duplicates, 'duplicate')} dropped, the newest row of each key kept"
    if outcome.stale:
        yield f"{counted(outcome.stale, 'row')} left out, older than the table's"
    if outcome.null_cursors:
        yield f"{counted(outcome.null_cursors, 'row')} without a cursor, counted as oldest"
    if outcome.null_keys:
        yield f"{counted(outcome.null_keys, 'row')} with a NULL in the key"
    yield from _columns(outcome)
    if outcome.watermark_before is not None and outcome.watermark_before != outcome.watermark_after:
        yield f"watermark {outcome.watermark_before} -> {outcome.watermark_after}"


def _columns(outcome: Outcome) -> Iterable[str]:
    """Yield what is to be said of the columns."""
    yield from outcome.columns
    for words in outcome.contract:
        yield f"breaks its contract: {words}"
    if outcome.types:
        shown = [f"{column.name} {column.type}{_reason(column.why)}" for column in outcome.types[:_FEW]]
        more = len(outcome.types) - len(shown)
        yield ", ".join(shown) + (f" and {more} more, see fft plan" if more else "")


def _reason(why: str) -> str:
    return "" if why == "all values" else f" ({why})"


def _stacked(heads: Sequence[str], row: Sequence[str]) -> str:
    """Return a row as a few lines, for a terminal that is too narrow for the table."""
    named = [(head, cell) for head, cell in zip(heads, row, strict=True) if cell]
    first = next((place for place, (head, _) in enumerate(named) if head), 0)
    title = " ".join(cell for _, cell in named[: first + 1])
    return "\n".join([title, *(f"  {head} {cell}" for head, cell in named[first + 1 :])])


def _aligned(rows: list[list[str]], right: Sequence[int]) -> Iterable[str]:
    """Yield the rows with their columns below each other."""
    widths = [max(len(row[number]) for row in rows) for number in range(len(rows[0]))]
    for row in rows:
        cells = [
            cell.rjust(width) if number in right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def _shown(value: object) -> str:
    return "NULL" if value is None else str(value)
