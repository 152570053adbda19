"""Takes up a stretch of an incremental model's cursor window by window, each in a transaction of its own.

Where the table is built anew, it is built beside its place, and takes that at the end: until then the old rows stand.
What a backfill did is in the ledger, window by window, so one that was stopped can go on.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from fastflowtransform import materializations
from fastflowtransform.attempts import Attempted, attempted
from fastflowtransform.engines.base import Engine, kind_of
from fastflowtransform.errors import FftError, UsageError, counted
from fastflowtransform.ledger import Entry, Part
from fastflowtransform.materializations.base import OPEN, Gate, Query
from fastflowtransform.model import Model, SqlBody
from fastflowtransform.past import Past
from fastflowtransform.plan import Plan, Step, step_of
from fastflowtransform.relation import Relation
from fastflowtransform.results import Outcome, Status, WriteCounts
from fastflowtransform.windows import Window

BESIDE = "__fft_windows"
"""What the name of a table ends in that is built window by window beside its place."""
_SUMMED = ("inserted", "updated", "unchanged", "stale", "duplicates", "null_keys", "null_cursors")


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
    """

    engine: Engine
    query: Callable[[Model], Query]
    gate: Gate
    past: Past
    tell: Callable[[str], None]


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


def backfilled(step: Step, plan: Plan, fingerprint: str, entry: Entry, making: Making) -> Attempted:
    """Take up the windows of a plan, one after the other.

    Parameters
    ----------
    step
        The model.
    plan
        Its windows, whether the table is built anew, and whether one that was stopped goes on.
    fingerprint
        Of the model: a backfill of another query does not go on.
    entry
        What is noted of the model as a whole.
    making
        With what.
    """
    engine = making.engine
    anew = plan.full_refresh or step.over is None
    place = _beside(step.relation, engine.capabilities.longest_name) if anew else step.relation
    done = making.past.done(place, fingerprint) if plan.resumes else None
    if anew and (done is None or place not in engine.existing([place])):
        done = None
        engine.drop(place)
    parts: list[Outcome] = []
    retries: list[str] = []
    backfill = None if done is None else done.backfill
    # What is built beside its place is looked at when it is about to be published.
    taking = replace(making, gate=OPEN) if anew else making
    for number, window in enumerate(plan.windows):
        if done is not None and (window.start, window.end) in done.windows:
            continue
        part = Part(replace(window, with_null=anew and number == 0), backfill)
        noted = making.past.entry_of_window(step.model, place, fingerprint, part)
        write = functools.partial(_taken, step, place, part.window, noted, taking)
        came = attempted(engine, step.relation, write, making.tell)
        retries += came.retries
        error = None if came.error is None else f"{came.error.code} {came.error.message}"
        noted.settled(engine, Status.ERROR if came.error else Status.SUCCESS, came.outcome, error)
        if came.error is not None:
            return Attempted(None, _within(came.error, window), tuple(retries))
        assert came.outcome is not None
        parts.append(came.outcome)
        making.tell(f"{window} is done, window {number + 1} of {len(plan.windows)}")
    total = _summed(parts, plan.windows)
    if not anew:
        entry.is_noted = True
        return Attempted(total, None, tuple(retries))
    publish = functools.partial(_published, step, place, total, entry, making)
    published = attempted(engine, step.relation, publish, making.tell)
    return replace(published, retries=(*retries, *published.retries))


def _taken(step: Step, place: Relation, window: Window, entry: Entry, making: Making, again: bool) -> Outcome:
    """Take up one window: as an increment, the first of a new table as that."""
    incremental = step.model.incremental
    assert incremental is not None
    model = replace(step.model, incremental=replace(incremental, window=window))
    engine = making.engine
    over = engine.existing([place]).get(place)
    now = step_of(model, place, over, engine.capabilities, full_refresh=False)
    return materializations.find(model.materialized).apply(engine, now, making.query(model), making.gate, entry)


def _published(step: Step, place: Relation, total: Outcome, entry: Entry, making: Making, again: bool) -> Outcome:
    """Put the table that was built beside its place there."""
    engine = making.engine
    rows = engine.table(place)
    making.gate.judge(rows, staged=False)
    over = kind_of(engine.existing([step.relation]).get(step.relation))

    def outcome(_: WriteCounts) -> Outcome:
        return total

    with entry.writing(engine, step.relation, outcome):
        engine.replace(step.relation, rows, over=over, layout=step.model.layout)
    engine.drop(place)
    return total


def _summed(parts: Sequence[Outcome], windows: Sequence[Window]) -> Outcome:
    """Return what windows came to together: those that were taken up now."""
    found = [asdict(part) for part in parts]
    sums: dict[str, Any] = {name: sum(part[name] or 0 for part in found) for name in _SUMMED}
    newest = [part.watermark_after for part in parts if part.watermark_after is not None]
    return Outcome(
        strategy=counted(len(windows), "window"),
        why=f"the rows of {windows[0].start} to {windows[-1].end}",
        watermark_before=parts[0].watermark_before if parts else None,
        watermark_after=newest[-1] if newest else None,
        columns=tuple(words for part in parts for words in part.columns),
        **sums,
    )


def _beside(relation: Relation, longest: int | None) -> Relation:
    """Return the table that is built beside a place; a name that is too long is shortened, and told by its digest."""
    name = relation.name + BESIDE
    if longest is not None and len(name.encode()) > longest:
        name = f"{BESIDE}_{hashlib.blake2b(relation.name.encode(), digest_size=8).hexdigest()}"
    return Relation(relation.database, name)


def _within(error: FftError, window: Window) -> FftError:
    error.message = f"in the window {window}: {error.message}"
    error.hint = f"{error.hint or 'mend it'}; then go on with --resume"
    return error
