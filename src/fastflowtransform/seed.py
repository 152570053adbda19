"""Files of the project become tables."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastflowtransform.attempts import attempted
from fastflowtransform.csv_file import read_rows
from fastflowtransform.engines.base import Engine, Standing, kind_of
from fastflowtransform.errors import Location, UnknownRef, hint_from
from fastflowtransform.materializations.base import OPEN, Gate
from fastflowtransform.model import Seed
from fastflowtransform.project import SEED_ENDINGS
from fastflowtransform.relation import Relation
from fastflowtransform.report import Report
from fastflowtransform.results import Outcome, Status, StepResult


def load(
    seeds: Iterable[Seed],
    existing: Mapping[Relation, Standing],
    engine: Engine,
    report: Report,
    *,
    gate: Gate = OPEN,
) -> tuple[StepResult, ...]:
    """Load seeds, each as a whole: its old rows stay until the new ones stand.

    Parameters
    ----------
    seeds
        What to load.
    existing
        What stands in the warehouse.
    engine
        Where to load it.
    report
        Is told of each beginning and end.
    gate
        What the rows have to pass, where there is one seed.
    """
    results = []
    for seed in seeds:
        report.started(seed.name, f"load {seed.path.name}")
        write = functools.partial(_written, seed, existing.get(seed.relation), engine, gate)
        result = _loaded(seed, write, engine, functools.partial(report.waiting, seed.name))
        report.finished(result)
        results.append(result)
    return tuple(results)


def taken_from(folder: Path, seeds: Mapping[str, Seed]) -> dict[str, Seed]:
    """Return the seeds that have a file in another folder, with that file.

    Raises
    ------
    UnknownRef
        A file there belongs to none of the seeds.
    """
    found: dict[str, Seed] = {}
    for path in sorted(folder.iterdir()):
        name = path.name.partition(".")[0]
        if path.suffix not in SEED_ENDINGS:
            continue
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


def _written(seed: Seed, over: Standing | None, engine: Engine, gate: Gate, again: bool) -> Outcome:
    """Load a seed; its rows are staged first where the gate looks at them."""
    now = engine.existing([seed.relation]).get(seed.relation) if again else over
    with contextlib.ExitStack() as opened:
        rows: Any = opened.enter_context(read_rows(seed.path, seed.types))
        if not gate.is_open:
            rows = opened.enter_context(engine.stage(rows))
            gate.judge(rows)
        written = engine.replace(seed.relation, rows, over=kind_of(now))
    return Outcome(strategy="load", inserted=written.inserted)
