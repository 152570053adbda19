"""Files of the project become tables."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from fastflowtransform.attempts import attempted
from fastflowtransform.engines.base import Engine, Standing, kind_of
from fastflowtransform.errors import Location, UnknownRef, hint_from
from fastflowtransform.model import Seed
from fastflowtransform.project import SEED_ENDINGS
from fastflowtransform.relation import Relation
from fastflowtransform.report import Report
from fastflowtransform.results import Outcome, Status, StepResult
from fastflowtransform.seed_files import read_rows


def load(
    seeds: Iterable[Seed], existing: Mapping[Relation, Standing], engine: Engine, report: Report
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
    """
    results = []
    for seed in seeds:
        report.started(seed.name, f"load {seed.path.name}")
        result = _loaded(seed, existing.get(seed.relation), engine, functools.partial(report.waiting, seed.name))
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


def _loaded(seed: Seed, over: Standing | None, engine: Engine, on_wait: Callable[[str], None]) -> StepResult:
    began = time.perf_counter()

    def write(again: bool) -> Outcome:
        now = engine.existing([seed.relation]).get(seed.relation) if again else over
        with read_rows(seed.path, seed.types) as rows:
            written = engine.replace(seed.relation, rows, over=kind_of(now))
        return Outcome(strategy="load", inserted=written.inserted)

    done = attempted(engine, seed.relation, write, on_wait)
    if done.error is not None:
        done.error.at = done.error.at or seed.at
    seconds = time.perf_counter() - began
    status = Status.SUCCESS if done.error is None else Status.ERROR
    return StepResult(seed.name, "seed", status, seconds, done.outcome, done.error, retries=done.retries)
