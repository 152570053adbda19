"""How costs grow with sizes: whole `fft` commands on DuckDB along one size at a time, and the exponent that fits.

Of each cost, that of the smallest size is taken away, which is nearly all start of the process; the exponent is the
slope of the least squares through the logarithms of what remains. 1 is linear; below 1, a part is done once for all.
"""

from __future__ import annotations

import functools
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import commands
import start
from measure import HERE, Cost, child, fft, in_turns, python, smallest
from printing import heading, markdown, table, write_between
from sizes import Sizes
from upsert import copied

COLUMNS = ("", "size", "CPU", "wall", "peak MB")
Works = Mapping[int, Callable[[], Cost]]


def measure(folder: Path, sizes: Sizes) -> None:
    """Measure and print."""
    heading("scaling", "whole commands; CPU is user and system")
    project = shutil.copytree(HERE / "projects" / "increment", folder / "scaling_project")
    axes: dict[str, Works] = {
        "first build, by rows": _builds(folder, project, sizes),
        "increment, by changed rows": _increments(folder, project, sizes),
        "increment, by rows of the table": _targets(folder, project, sizes),
        "fft run, by models": _runs(folder, sizes),
        "fft plan, by models with 2 checks": _plans(folder, sizes),
    }
    rows = []
    for name, works in axes.items():
        costs = {size: smallest(found) for size, found in _measured(works, sizes.compared).items()}
        cpu, wall = ({size: of(cost) for size, cost in costs.items()} for of in (_cpu, _wall))
        for size, cost in costs.items():
            rows.append((name, f"{size:,}", f"{cost.cpu:.2f}", f"{cost.wall:.2f}", f"{cost.peak:.0f}"))
        rows.append((name, "exponent", f"{exponent(cpu):.2f}", f"{exponent(wall):.2f}", ""))
    table(COLUMNS, rows)
    if sizes.is_full:
        write_between(HERE.parent / "docs" / "scaling.md", "growth", markdown(COLUMNS, rows))


def exponent(costs: Mapping[int, float]) -> float:
    """Return the exponent of the size that fits costs, the smallest size's being what all have.

    Examples
    --------
    >>> round(exponent({1: 2.0, 10: 2.0 + 10**1.5, 100: 2.0 + 100**1.5}), 2)
    1.5
    """
    (_, fixed), *others = sorted(costs.items())
    points = [(math.log(size), math.log(max(cost - fixed, 1e-9))) for size, cost in others]
    x, y = (sum(values) / len(points) for values in zip(*points, strict=True))
    return sum((a - x) * (b - y) for a, b in points) / sum((a - x) ** 2 for a, _ in points)


def _builds(folder: Path, project: Path, sizes: Sizes) -> Works:
    works = {}
    for rows in sizes.grown:
        made = folder / f"built_{rows}.duckdb"
        child(python("child_large.py", made, "begin", rows, 5))
        works[rows] = functools.partial(_merged, project, made, "--full-refresh")
    return works


def _increments(folder: Path, project: Path, sizes: Sizes) -> Works:
    return {
        changed: functools.partial(_merged, project, _standing(folder, project, sizes.grown[-1], changed))
        for changed in (5, *(rows // 10 for rows in sizes.grown[1:]))
    }


def _targets(folder: Path, project: Path, sizes: Sizes) -> Works:
    changed = sizes.grown[0]
    return {
        rows: functools.partial(_merged, project, _standing(folder, project, rows, changed)) for rows in sizes.grown
    }


def _standing(folder: Path, project: Path, rows: int, changed: int) -> Path:
    """Make a database with a built table, and newer events."""
    made = folder / f"standing_{rows}_{changed}.duckdb"
    if made.exists():
        return made
    child(python("child_large.py", made, "begin", rows, changed))
    child(fft("run", str(project), "--select", "facts"), variables={"FF_DUCKDB_PATH": str(made)})
    child(python("child_large.py", made, "arrive"))
    return made


def _merged(project: Path, made: Path, *more: str) -> Cost:
    copy = made.with_name("scaling_copy.duckdb")
    copied(made, copy)
    return child(fft("run", str(project), "--select", "facts", *more), variables={"FF_DUCKDB_PATH": str(copy)})[0]


def _runs(folder: Path, sizes: Sizes) -> Works:
    works = {}
    for number in (1, *sizes.many):
        project = folder / f"scaling_run_{number}"
        commands.write_project(project, number)
        works[number] = functools.partial(_run, project)
    return works


def _run(project: Path) -> Cost:
    commands.remove(project / "trivial.duckdb")
    return child(fft("run", str(project)))[0]


def _plans(folder: Path, sizes: Sizes) -> Works:
    works = {}
    for number in (1, *sizes.many):
        project = folder / f"scaling_plan_{number}"
        start.write_project(project, number)
        works[number] = functools.partial(_plan, project)
        _plan(project)
    return works


def _plan(project: Path) -> Cost:
    return child(fft("plan", str(project)))[0]


def _measured(works: Works, rounds: int) -> dict[int, Sequence[Cost]]:
    found = in_turns({str(size): work for size, work in works.items()}, rounds)
    return {int(size): costs for size, costs in found.items()}


def _cpu(cost: Cost) -> float:
    return cost.cpu


def _wall(cost: Cost) -> float:
    return cost.wall
