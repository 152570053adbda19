"""What whole commands cost, from start to exit; a bare Ibis loop that makes the same tables is the floor."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from measure import Cost, child, fft, in_turns, median, python, smallest
from printing import at_most, heading, table
from sizes import Sizes

SHORT_BAR, PLAN_BAR, PEAK_BAR = 0.15, 0.8, 300
RUN_BARS = {1: 1.0, 100: 1.6, 500: 3.5}


def measure(folder: Path, sizes: Sizes) -> None:
    """Measure and print."""
    for number in sizes.models:
        write_project(folder / f"trivial_{number}", number)
    heading("commands", "whole processes, bytecode compiled; CPU is user and system")
    _warm_up(folder / f"trivial_{sizes.models[0]}", folder / "warm.duckdb")
    rows = _short(sizes)
    for number in sizes.models:
        rows += _runs(folder / f"trivial_{number}", folder / f"bare_{number}.duckdb", number, sizes.rounds)
    for number in sizes.models:
        rows += _plans(folder / f"trivial_{number}", number, sizes.rounds)
    table(("", "CPU min", "CPU median", "wall min", "wall median", "peak MB", "to the floor", "bar (CPU min)"), rows)


def _short(sizes: Sizes) -> list[tuple[str, ...]]:
    works = {f"fft {option}": _command(fft(option)) for option in ("--version", "--help")}
    return [_row(name, costs, bar=SHORT_BAR) for name, costs in in_turns(works, sizes.short_rounds).items()]


def _runs(project: Path, bare: Path, number: int, rounds: int) -> list[tuple[str, ...]]:
    """Build all tables in a new file, by `fft run` and by the bare loop."""

    def by_fft() -> Cost:
        remove(project / "trivial.duckdb")
        shutil.rmtree(project / "target", ignore_errors=True)
        return child(fft("run", str(project)))[0]

    def by_loop() -> Cost:
        remove(bare)
        return child(python("child_bare_loop.py", bare, number))[0]

    costs = in_turns({"fft": by_fft, "loop": by_loop}, rounds)
    models = "1 table" if number == 1 else f"{number} tables"
    ratio = f"{smallest(costs['fft']).cpu / smallest(costs['loop']).cpu:.2f}"
    return [
        _row(f"fft run, {models}, fresh", costs["fft"], ratio, RUN_BARS.get(number), PEAK_BAR),
        _row(f"  bare Ibis loop, {models}", costs["loop"], "1"),
    ]


def _plans(project: Path, number: int, rounds: int) -> list[tuple[str, ...]]:
    costs = in_turns({"plan": _command(fft("plan", str(project)))}, rounds)["plan"]
    return [_row(f"fft plan, {number} built, nothing changed", costs, bar=PLAN_BAR)]


def _command(command: tuple[str, ...]) -> Callable[[], Cost]:
    return lambda: child(command)[0]


def _warm_up(project: Path, bare: Path) -> None:
    """Run each command once, so that all bytecode is compiled and all libraries are in the file cache."""
    for command in (fft("run", str(project)), fft("plan", str(project)), python("child_bare_loop.py", bare, 1)):
        child(command)


def _row(
    name: str, costs: list[Cost], ratio: str = "", bar: float | None = None, peak_bar: float | None = None
) -> tuple[str, ...]:
    least, middle = smallest(costs), median(costs)
    bars = [] if bar is None else [at_most(least.cpu, bar, " s")]
    bars += [] if bar is None or peak_bar is None else [at_most(least.peak, peak_bar, " MB")]
    seconds = (least.cpu, middle.cpu, least.wall, middle.wall)
    return (name, *(f"{value:.2f}" for value in seconds), f"{middle.peak:.0f}", ratio, ", ".join(bars))


def write_project(folder: Path, number: int) -> None:
    """Write models of one row each."""
    (folder / "models").mkdir(parents=True)
    (folder / "project.yml").write_text('name: trivial\nversion: "1"\n')
    (folder / "profiles.yml").write_text("dev:\n  engine: duckdb\n  duckdb:\n    path: trivial.duckdb\n")
    for model in range(number):
        text = f"{{{{ config(materialized='table') }}}}\nselect {model} as id, 'text' as label\n"
        (folder / "models" / f"model_{model}.ff.sql").write_text(text)


def remove(database: Path) -> None:
    """Take a database away."""
    database.unlink(missing_ok=True)
    database.with_name(database.name + ".wal").unlink(missing_ok=True)
