"""What fft costs on Spark with Delta, above the statements that it sends: one session, everything warm, in turns."""

from __future__ import annotations

import json
import shutil
import statistics
from pathlib import Path
from typing import Any

from measure import Cost, child, fft, in_turns, median, python, smallest
from printing import at_most, heading, table
from sizes import Sizes

MERGE_BAR, ROWS_BAR, RECENT_BAR, DEMO_BAR = 1.2, 1.3, 0.5, 1.3
DEMO = Path(__file__).parents[1] / "examples" / "incremental_demo"
ENVIRONMENT = {"FFT_ACTIVE_ENV": "dev_databricks"}


def measure(folder: Path, sizes: Sizes) -> None:
    """Measure and print; JVM CPU is that of Java's process, with its compiler and its garbage collector."""
    moved, rounds = sizes.server_rows, sizes.rounds
    what = f"{sizes.changed:,} changed rows of 8 columns into {sizes.rows:,} on Delta"
    heading("spark", f"{what}; {moved:,} rows in and out")
    _, said = child(python("child_spark.py", folder / "spark", sizes.rows, sizes.changed, moved, rounds))
    costs: dict[str, list[dict[str, float]]] = json.loads(said.splitlines()[-1])
    rows = []
    for name, found in costs.items():
        figures = (_least(found, "wall"), _median(found, "wall"), _least(found, "cpu"), _median(found, "cpu"))
        rows.append((name, *(f"{figure:.2f}" for figure in figures)))
    table(("", "wall min", "wall median", "JVM CPU min", "JVM CPU median"), rows)
    for kind in ("scattered", "recent"):
        _ratio(f"fft to raw, {kind}", costs[f"fft, {kind}"], costs[f"raw MERGE, {kind}"], MERGE_BAR)
    _ratio("fft, recent to scattered", costs["fft, recent"], costs["fft, scattered"], RECENT_BAR)
    _ratio("rows in, to Spark's own way", costs["fft, rows in"], costs["Spark's own, rows in"], ROWS_BAR)
    _ratio("rows out, to Spark's own way", costs["fft, rows out"], costs["Spark's own, rows out"], ROWS_BAR)
    _demo(folder / "demo", rounds // 2 + 1)


def _demo(folder: Path, rounds: int) -> None:
    """Measure the demo's second run as a process; each one starts from the same warehouse."""
    heading("spark: the demo", "its second run as a process, Java's CPU among its own, against the same by hand")
    made = folder / "made"
    shutil.copytree(DEMO, made, ignore=shutil.ignore_patterns(".local", "target", "__pycache__"))
    selected = ("--select", "tag:example:incremental_demo", "--select", "tag:engine:databricks_spark")
    # A warehouse knows where it is, so that its copies have to stand in the same place.
    place = folder / "demo"
    made.rename(place)
    for command in (("seed",), ("run", *selected), ("seed", "--from", str(place / "seeds_later"))):
        child(fft(command[0], str(place), *command[1:]), variables=ENVIRONMENT)
    shutil.copytree(place, made)

    def measured(command: tuple[str, ...]) -> Cost:
        shutil.rmtree(place)
        shutil.copytree(made, place)
        return child(command, variables=ENVIRONMENT)[0]

    works = {"fft run": fft("run", str(place), *selected), "by hand": python("child_spark_demo.py", place)}
    found = in_turns({name: lambda command=command: measured(command) for name, command in works.items()}, rounds)
    rows = []
    for name, costs in found.items():
        least, middle = smallest(costs), median(costs)
        rows.append((name, *(f"{value:.2f}" for value in (least.wall, middle.wall, least.cpu, middle.cpu))))
    table(("", "wall min", "wall median", "CPU min", "CPU median"), rows)
    ratio = smallest(found["fft run"]).cpu / smallest(found["by hand"]).cpu
    print(f"  CPU: fft to the same by hand {ratio:.2f}  {at_most(ratio, DEMO_BAR)}")


def _ratio(title: str, ours: list[dict[str, float]], theirs: list[dict[str, float]], bar: float) -> None:
    for word, key in (("wall", "wall"), ("JVM CPU", "cpu")):
        ratio = _least(ours, key) / _least(theirs, key)
        print(f"  {word}: {title} {ratio:.2f}  {at_most(ratio, bar)}")


def _least(costs: list[dict[str, float]], key: str) -> float:
    return min(cost[key] for cost in costs)


def _median(costs: list[dict[str, Any]], key: str) -> float:
    return statistics.median(cost[key] for cost in costs)
