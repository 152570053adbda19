"""Takes up a stretch of an incremental model's cursor window by window, each in a transaction of its own.

Where the table is built anew, it is built beside its place, and takes that at the end: until then the old rows stand.
What a backfill did is in the ledger, window by window, so one that was stopped can go on.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from fastflowtransform import materializations
from fastflowtransform.attempts import Attempted, attempted
from fastflowtransform.engines.base import Capabilities, Engine, kind_of
from fastflowtransform.errors import ConnectionLost, FftError, UsageError, counted
from fastflowtransform.ledger import Done, Entry, Part
from fastflowtransform.materializations.base import OPEN, Gate, Query
from fastflowtransform.model import Model, SqlBody
from fastflowtransform.past import Past
from fastflowtransform.plan import Plan, Step, step_of
from fastflowtransform.relation import Relation
from fastflowtransform.results import CheckResult, Outcome, Status, StepResult, WriteCounts
from fastflowtransform.schedule import Ready
from fastflowtransform.windows import Window, cut

BESIDE = "__fft_windows"
"""What the name of a table ends in that is built window by window beside its place."""
_TAKEN = ("inserted", "updated", "unchanged", "stale")
_SUMMED = (*_TAKEN, "duplicates", "null_keys", "null_cursors")


@dataclass(frozen=True, slots=True)
class Making:
    """What a backfill is made with.

    Parameters
    ----------
    engine
        Where.
    query
        Returns what the model asks, for a model of one window.
    gate
        What rows have to pass before they are published.
    past
        Where windows are noted.
    tell
        Is told of each window's end, and of what it waits for.
    shared
        Whether other windows of the model are written at the same time.
    """

    engine: Engine
    query: Callable[[Model], Query]
    gate: Gate
    past: Past
    tell: Callable[[str], None]
    shared: bool = False


def require_windows(model: Model, *, full_refresh: bool) -> None:
    """Raise `UsageError` where a model cannot be run in windows."""
    incremental = model.incremental
    if incremental is None or incremental.updated_at is None:
        why = "is not incremental" if incremental is None else "has no updated_at"
        raise UsageError(f'--from and --to are about a cursor, and "{model.name}" {why}', hint="select other models")
    if incremental.delta is not None or (isinstance(model.body, SqlBody) and model.body.own_delta):
        raise UsageError(
            f'"{model.name}" has a delta of its own, which says itself what a run takes up',
            hint="take the delta away, or leave --from and --to out",
        )
    if not incremental.unique_key and not full_refresh:
        raise UsageError(
            f'"{model.name}" has no unique_key, so rows that are in the table already would be added again',
            hint="set unique_key, or build it anew with --full-refresh",
        )


def windows_of(
    models: Iterable[Model], start: str, end: str, step: str | None, *, full_refresh: bool
) -> tuple[Window, ...]:
    """Cut a stretch of cursors into the windows that all of some models are run in.

    Raises
    ------
    UsageError
        One of them cannot be run in windows, or these cannot be read.
    """
    for model in models:
        require_windows(model, full_refresh=full_refresh)
    return cut(start, end, step)


@dataclass(frozen=True, slots=True)
class Piece:
    """One window of a model, worked on like a node of the plan, before the model's own.

    `shared` says that other windows of the model may be worked on at the same time.
    """

    model: str
    number: int
    shared: bool


def pieces(
    plan: Plan, waits: Mapping[str, Iterable[str]], side_by_side: Container[str]
) -> tuple[Ready, dict[str, Piece]]:
    """Put the windows of a plan before their models, and say by which names.

    The first window of a model gives the table its columns, so it comes before the others; these follow each other,
    or only the first one, where they may be taken up side by side. The model itself comes last.

    Parameters
    ----------
    plan
        The plan; without windows it stays as it is.
    waits
        What each of its nodes waits for.
    side_by_side
        The models whose windows need not wait for each other.
    """
    models = {step.model.name for step in plan.steps} if plan.windows else set()
    order: list[str] = []
    found: dict[str, Piece] = {}
    after = {node: set(others) for node, others in waits.items()}
    for node in plan.order:
        if node in models:
            names = [f"{node} {window}" for window in plan.windows]
            shared, above = node in side_by_side, after.get(node, set())
            for number, name in enumerate(names):
                found[name] = Piece(node, number, shared)
                after[name] = {names[0 if shared else number - 1]} if number else above
            after[node] = {*names}
            order += names
        order.append(node)
    return Ready(order, after), found


def why_in_turn(step: Step, plan: Plan, capabilities: Capabilities, *, is_open: bool) -> str | None:
    """Return why the windows of a model have to follow each other; None where they may be taken up at once.

    They may where no two of them can have rows of one key: where the cursor is a part of it. Of a key without it, a
    later window has to find the row of an earlier one. `is_open` says that rows have no checks to pass.
    """
    incremental = step.model.incremental
    assert incremental is not None
    cursor, key = incremental.updated_at or "", incremental.unique_key
    if key and capabilities.folding.spelling(cursor, key) is None:
        return f"{incremental.updated_at} is not a part of the key"
    if not capabilities.many_writers:
        return "a table has one writer here"
    if not (is_open or _is_anew(step, plan)):
        return "checks look at the table with each window's rows"
    return None


@dataclass(frozen=True, slots=True)
class Begun:
    """A backfill of a model that has begun.

    Parameters
    ----------
    step
        The model.
    windows
        All of its windows.
    place
        What they are written to: the model's table, or one beside it.
    fingerprint
        Of the model: a backfill of another query does not go on.
    done
        What an earlier command did of it; None where this one begins it.
    entry
        What is noted of the model as a whole.
    """

    step: Step
    windows: tuple[Window, ...]
    place: Relation
    fingerprint: str
    done: Done | None
    entry: Entry
    since: float = field(default_factory=time.perf_counter)

    @property
    def is_anew(self) -> bool:
        """Whether the table is built beside its place."""
        return self.place != self.step.relation


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of one window: as of a model, with the checks of its rows, and the backfill that it is a part of."""

    result: StepResult
    checks: tuple[CheckResult, ...] = ()
    backfill: Begun | None = None


def seconds_of(windows: Sequence[Taken]) -> float:
    """Return how long a backfill has taken until now."""
    began = [found.backfill.since for found in windows if found.backfill is not None]
    return time.perf_counter() - min(began) if began else sum(found.result.seconds for found in windows)


def place_of(step: Step, plan: Plan, capabilities: Capabilities) -> Relation:
    """Return what a model's windows are written to: its table, or one that is built beside it."""
    return _beside(step.relation, capabilities.longest_name) if _is_anew(step, plan) else step.relation


def begun(step: Step, plan: Plan, fingerprint: str, entry: Entry, making: Making) -> Begun:
    """Begin a backfill, or go on with one that was stopped."""
    engine = making.engine
    anew, place = _is_anew(step, plan), place_of(step, plan, engine.capabilities)
    done = making.past.done(place, fingerprint) if plan.resumes else None
    if anew and (done is None or place not in engine.existing([place])):
        done = None
        engine.drop(place)
    return Begun(step, plan.windows, place, fingerprint, done, entry)


def taken(backfill: Begun, number: int, making: Making) -> Attempted:
    """Take up one window; without an outcome and without an error, it was taken up before."""
    window, done, engine = backfill.windows[number], backfill.done, making.engine
    if done is not None and (window.start, window.end) in done.windows:
        return Attempted(None, None)
    # What is built beside its place is looked at when it is about to be published.
    taking = replace(making, gate=OPEN) if backfill.is_anew else making
    part = Part(replace(window, with_null=backfill.is_anew and number == 0), None if done is None else done.backfill)
    model = backfill.step.model
    entry = making.past.entry_of_window(model, backfill.place, backfill.fingerprint, part)
    write = functools.partial(_taken, backfill.step, backfill.place, part.window, entry, taking)
    came = attempted(engine, backfill.step.relation, write, making.tell, shared=making.shared)
    error = None if came.error is None else f"{came.error.code} {came.error.message}"
    entry.settled(engine, Status.ERROR if came.error else Status.SUCCESS, came.outcome, error)
    if came.error is None:
        making.tell(f"{window} is done, window {number + 1} of {len(backfill.windows)}")
    return came


def published(backfill: Begun, parts: Sequence[Outcome], making: Making) -> Attempted:
    """End a backfill whose windows are all taken up: a table that was built beside its place is put there."""
    total = _summed(parts, backfill.windows)
    if not backfill.is_anew:
        backfill.entry.is_noted = True
        return Attempted(total, None)
    publish = functools.partial(_published, backfill, total, making)
    return attempted(making.engine, backfill.step.relation, publish, making.tell)


def within(error: FftError, window: Window) -> FftError:
    """Let an error say in which window it came."""
    error.message = f"in the window {window}: {error.message}"
    error.hint = f"{error.hint or 'mend it'}; then go on with --resume"
    return error


def _is_anew(step: Step, plan: Plan) -> bool:
    return plan.full_refresh or step.over is None


def _taken(step: Step, place: Relation, window: Window, entry: Entry, making: Making, again: bool) -> Outcome:
    """Take up one window: as an increment, the first of a new table as that."""
    incremental = step.model.incremental
    assert incremental is not None
    model = replace(step.model, incremental=replace(incremental, window=window))
    engine = making.engine
    over = engine.existing([place]).get(place)
    now = step_of(model, place, over, engine.capabilities, full_refresh=False)
    now = now.adopting(step.action.adopts if place == step.relation else None)
    return materializations.find(model.materialized).apply(engine, now, making.query(model), making.gate, entry)


def _published(backfill: Begun, total: Outcome, making: Making, again: bool) -> Outcome:
    """Put the table that was built beside its place there."""
    engine, step = making.engine, backfill.step
    rows = engine.found(backfill.place)
    making.gate.judge(rows, staged=False)
    over = kind_of(engine.existing([step.relation]).get(step.relation))

    def outcome(_: WriteCounts) -> Outcome:
        return total

    with backfill.entry.writing(engine, step.relation, outcome):
        engine.replace(step.relation, rows, over=over, layout=step.model.layout)
    # The table is published, and is not to be so again; the next backfill drops what is left of this one.
    with contextlib.suppress(ConnectionLost):
        engine.drop(backfill.place)
    return total


def _summed(parts: Sequence[Outcome], windows: Sequence[Window]) -> Outcome:
    """Return what windows came to together: those that were taken up now."""
    found = [asdict(part) for part in parts]
    sums: dict[str, Any] = {name: sum(part[name] or 0 for part in found) for name in _SUMMED}
    # Of windows that were taken up side by side, one without rows saw the table as it was at some time.
    newest = [part.watermark_after for part in parts if any(getattr(part, name) for name in _TAKEN)] or [
        part.watermark_after for part in parts
    ]
    return Outcome(
        strategy=counted(len(windows), "window"),
        why=f"the rows of {windows[0].start} to {windows[-1].end}",
        watermark_before=parts[0].watermark_before if parts else None,
        watermark_after=newest[-1] if newest else None,
        columns=tuple(words for part in parts for words in part.columns),
        contract=parts[-1].contract if parts else (),
        **sums,
    )


def _beside(relation: Relation, longest: int | None) -> Relation:
    """Return the table that is built beside a place; a name that is too long is shortened, and told by its digest."""
    name = relation.name + BESIDE
    if longest is not None and len(name.encode()) > longest:
        name = f"{BESIDE}_{hashlib.blake2b(relation.name.encode(), digest_size=8).hexdigest()}"
    return Relation(relation.database, name)
