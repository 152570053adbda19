"""What it costs to find out that nothing has changed: `fft run --cache rw` beside `fft run`, on trivial tables.

Each is a copy of the same folder, so that no one's files or tables are another's. A model in ten makes rows, and the
others read one of these.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from commands import remove
from measure import Cost, child, fft, in_turns, median, smallest
from printing import at_most, heading, table
from sizes import Sizes

SKIP_BAR, FIRST_BAR = 1.0, 1.5
"""CPU to that of building the same tables in a new file, smallest of each."""


def measure(folder: Path, sizes: Sizes) -> None:
    """Measure and print."""
    heading("skip", "whole processes; CPU is user and system, and the ratio is to `fft run` into a new file")
    rows = []
    for number in sizes.skipped:
        built, cached = folder / f"built_{number}", folder / f"cached_{number}"
        write_project(built, number)
        write_project(cached, number)
        rows += _rows(built, cached, number, sizes.rounds)
    table(("", "CPU min", "CPU median", "wall min", "to building", "bar"), rows)


def _rows(built: Path, cached: Path, number: int, rounds: int) -> list[tuple[str, ...]]:
    works: dict[str, Callable[[], Cost]] = {
        "built": lambda: _fresh(built),
        "built again": lambda: child(fft("run", "-q", str(built)))[0],
        "first time with the cache": lambda: _fresh(cached, "--cache", "rw"),
        "skipped": lambda: child(fft("run", "-q", "--cache", "rw", str(cached)))[0],
    }
    costs = in_turns(works, rounds)
    floor = smallest(costs["built"]).cpu
    bars = {"first time with the cache": FIRST_BAR, "skipped": SKIP_BAR}
    return [_row(f"{number} models, {name}", found, floor, bars.get(name)) for name, found in costs.items()]


def _fresh(project: Path, *more: str) -> Cost:
    remove(project / "w.duckdb")
    shutil.rmtree(project / "target", ignore_errors=True)
    return child(fft("run", "-q", *more, str(project)))[0]


def _row(name: str, costs: list[Cost], floor: float, bar: float | None) -> tuple[str, ...]:
    least, middle = smallest(costs), median(costs)
    ratio = least.cpu / floor
    figures = (f"{value:.2f}" for value in (least.cpu, middle.cpu, least.wall, ratio))
    return (name, *figures, "" if bar is None else at_most(ratio, bar))


def write_project(folder: Path, number: int) -> None:
    """Write models of which one in ten makes rows, and the nine after it read that."""
    (folder / "models").mkdir(parents=True)
    (folder / "project.yml").write_text("name: skipped\nmodels: {materialized: table}\n")
    (folder / "profiles.yml").write_text("dev:\n  engine: duckdb\n  duckdb: {path: w.duckdb, schema: demo}\n")
    for model in range(number):
        above = model - model % 10
        text = f"select {model} as id, 'name {model}' as name"
        if model != above:
            text = f"select id + 1 as id, upper(name) as name from {{{{ ref('m_{above}') }}}}"
        (folder / "models" / f"m_{model}.ff.sql").write_text(text + "\n")
