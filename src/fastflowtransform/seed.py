"""Files of the project become tables, unless they are tables already."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fastflowtransform import seed_files
from fastflowtransform.attempts import attempted
from fastflowtransform.engines.base import Engine, Kind, Standing, kind_of
from fastflowtransform.errors import Location, UnknownRef, hint_from
from fastflowtransform.files import files_in
from fastflowtransform.materializations.base import OPEN, SILENT, Gate, Journal
from fastflowtransform.model import Seed
from fastflowtransform.relation import Relation
from fastflowtransform.report import Report
from fastflowtransform.results import UNCHANGED, Column, Outcome, Status, StepResult, WriteCounts
from fastflowtransform.schedule import Ready
from fastflowtransform.seed_files import Fingerprint
from fastflowtransform.work import ALONE, Ending, Manner, cut_off
from fastflowtransform.workers import perform

if TYPE_CHECKING:
    from fastflowtransform.engines.base import Readable

_AS_LOADED = "the file and the table are as they were when it was loaded"


@dataclass(frozen=True, slots=True)
class Conditions:
    """On what conditions a seed is loaded.

    Parameters
    ----------
    full_refresh
        Whether it is loaded where it has not changed, too.
    gate
        What its rows have to pass.
    journal
        Where it is noted.
    """

    full_refresh: bool = False
    gate: Gate = OPEN
    journal: Journal = SILENT


PLAIN = Conditions()


@dataclass(frozen=True, slots=True)
class SeedStep:
    """What `fft seed` would do about a seed, why, and the columns that the table has then."""

    seed: Seed
    action: str
    why: str
    columns: tuple[Column, ...]


def plan(
    seeds: Iterable[Seed],
    existing: Mapping[Relation, Standing],
    engine: Engine,
    *,
    full_refresh: bool = False,
    adopted: Container[str] = (),
) -> tuple[SeedStep, ...]:
    """Decide what to do about seeds, and read each for its columns.

    Parameters
    ----------
    seeds
        What to load.
    existing
        What stands in the warehouse.
    engine
        Is asked whether a table still holds what was loaded.
    full_refresh
        Whether seeds that have not changed are loaded too.
    adopted
        The seeds that may replace what fft did not make, by their names.

    Raises
    ------
    BadSeed, BadValue, MissingColumn
        A file cannot be loaded.
    """
    steps = []
    for seed in seeds:
        over = existing.get(seed.relation)
        file = seed_files.fingerprint(seed.path, seed.types)
        why = _why(seed, file, over, engine, full_refresh=full_refresh)
        columns = seed_files.described(seed.path, seed.types)
        action = "adopt and load" if seed.name in adopted else "load" if why else UNCHANGED
        steps.append(SeedStep(seed, action, why or _AS_LOADED, columns))
    return tuple(steps)


def load_all(
    seeds: Iterable[Seed],
    existing: Mapping[Relation, Standing],
    engine: Engine,
    report: Report,
    manner: Manner = ALONE,
    *,
    full_refresh: bool = False,
) -> tuple[tuple[StepResult, ...], Ending]:
    """Load seeds, each as `load` does, and return what came of each in their order.

    Parameters
    ----------
    seeds, existing, engine, report, full_refresh
        As for `load`.
    manner
        How many at once, and how long each.
    """
    work = _Loading({seed.name: seed for seed in seeds}, existing, report, manner, full_refresh=full_refresh)
    ending = perform(Ready([*work.seeds]), work, engine, report, manner)
    skipped = {name: StepResult(name, "seed", Status.SKIPPED) for name in work.seeds}
    return tuple((skipped | work.results).values()), ending


class _Loading:
    """The seeds of a command, none of which waits for another one."""

    def __init__(
        self,
        seeds: Mapping[str, Seed],
        existing: Mapping[Relation, Standing],
        report: Report,
        manner: Manner,
        *,
        full_refresh: bool,
    ) -> None:
        self.seeds = seeds
        self.results: dict[str, StepResult] = {}
        self._existing = existing
        self._report = report
        self._manner = manner
        self._full_refresh = full_refresh

    def barred(self, node: str) -> StepResult | None:
        return None

    def limit(self, node: str) -> float | None:
        return self._manner.timeout

    def at(self, engine: Engine, report: Report, is_stopped: Callable[[], bool]) -> Callable[[str], StepResult]:
        conditions = Conditions(self._full_refresh)
        return lambda node: load(self.seeds[node], self._existing, engine, report, conditions)

    def cut(self, node: str, seconds: float, *, late: bool) -> StepResult:
        result = StepResult(node, "seed", Status.CANCELLED, seconds)
        return cut_off(result, self.seeds[node].at, self._manner.timeout, late=late)

    def ended(self, node: str, result: StepResult) -> None:
        if node not in self.results:
            self.results[node] = result
            self._report.finished(result)


def load(
    seed: Seed,
    existing: Mapping[Relation, Standing],
    engine: Engine,
    report: Report,
    conditions: Conditions = PLAIN,
) -> StepResult:
    """Load a seed as a whole: its old rows stay until the new ones stand.

    It is left alone where its table holds what the same file gave, with the same types declared.

    Parameters
    ----------
    seed
        What to load.
    existing
        What stands in the warehouse.
    engine
        Where to load it.
    report
        Is told of the beginning.
    conditions
        Whether one that has not changed is loaded too, what its rows have to pass, and where that is noted.
    """
    report.started(seed.name, f"load {seed.path.name}")
    write = functools.partial(_written, seed, existing.get(seed.relation), engine, conditions)
    return _loaded(seed, write, engine, functools.partial(report.waiting, seed.name))


def taken_from(folder: Path, seeds: Mapping[str, Seed]) -> dict[str, Seed]:
    """Return the seeds that have a file in another folder, with that file.

    Raises
    ------
    UnknownRef
        A file there belongs to none of the seeds.
    """
    found: dict[str, Seed] = {}
    for path in files_in(folder, *seed_files.ENDINGS):
        if path.parent != folder:
            continue
        name = path.name.partition(".")[0]
        if name not in seeds:
            raise UnknownRef(
                f'there is no seed "{name}" to load this file as',
                at=Location(path),
                hint=hint_from(name, seeds, "seeds"),
            )
        found[name] = replace(seeds[name], path=path.resolve())
    return found


def _loaded(seed: Seed, write: Callable[[bool], Outcome], engine: Engine, on_wait: Callable[[str], None]) -> StepResult:
    began = time.perf_counter()
    done = attempted(engine, seed.relation, write, on_wait)
    if done.error is not None:
        done.error.at = done.error.at or seed.at
    seconds = time.perf_counter() - began
    status = Status.SUCCESS if done.error is None else Status.ERROR
    return StepResult(seed.name, "seed", status, seconds, done.outcome, done.error, retries=done.retries)


def _written(seed: Seed, over: Standing | None, engine: Engine, conditions: Conditions, again: bool) -> Outcome:
    """Load a seed, or find that there is no need to; its rows are staged first where the gate looks at them."""
    now = engine.existing([seed.relation]).get(seed.relation) if again else over
    file = seed_files.fingerprint(seed.path, seed.types)
    gate, why = conditions.gate, _why(seed, file, now, engine, full_refresh=conditions.full_refresh)
    if why is None:
        if not gate.is_open:
            gate.judge(engine.found(seed.relation), staged=False)
        return Outcome(strategy=UNCHANGED, why=_AS_LOADED)

    def outcome(written: WriteCounts) -> Outcome:
        updated = None if written.unchanged is None else written.updated
        return Outcome("load", why or "", written.inserted, updated, written.unchanged)

    def write(opened: seed_files.Opened) -> Outcome:
        rows: Readable = opened.rows
        with contextlib.ExitStack() as stages:
            if not gate.is_open:
                rows = staged = stages.enter_context(engine.stage(rows))
                gate.judge(staged)
            with conditions.journal.writing(engine, seed.relation, outcome):
                written = engine.replace(seed.relation, rows, over=kind_of(now), mark=file.text)
        return replace(outcome(written), types=opened.columns())

    with contextlib.suppress(seed_files.OtherTypes), seed_files.streamed(seed.path, seed.types, file) as opened:
        return write(opened)
    with seed_files.open_seed(seed.path, seed.types, file) as opened:
        return write(opened)


def _why(seed: Seed, file: Fingerprint, over: Standing | None, engine: Engine, *, full_refresh: bool) -> str | None:
    """Return why a seed has to be loaded; None where its table holds just what the file would give."""
    if over is None:
        return "there is no table yet"
    if full_refresh:
        return "--full-refresh"
    if over.kind is not Kind.TABLE:
        return "a view stands in its place"
    if engine.is_marked(seed.relation, file.text):
        return None
    return "the file, its types or the table changed"
