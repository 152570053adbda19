"""What fft costs on Spark with Delta, above the statements that it sends: one session, everything warm, in turns."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from measure import child, python
from printing import at_most, heading, table
from sizes import Sizes

MERGE_BAR, ROWS_BAR, RECENT_BAR = 1.2, 1.3, 0.5


def measure(folder: Path, sizes: Sizes) -> None:
    """Measure and print; JVM CPU is that of Java's process, with its compiler and its garbage collector."""
    moved, rounds = sizes.server_rows, sizes.rounds // 2 + 1
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


def _ratio(title: str, ours: list[dict[str, float]], theirs: list[dict[str, float]], bar: float) -> None:
    for word, key in (("wall", "wall"), ("JVM CPU", "cpu")):
        ratio = _least(ours, key) / _least(theirs, key)
        print(f"  {word}: {title} {ratio:.2f}  {at_most(ratio, bar)}")


def _least(costs: list[dict[str, float]], key: str) -> float:
    return min(cost[key] for cost in costs)


def _median(costs: list[dict[str, Any]], key: str) -> float:
    return statistics.median(cost[key] for cost in costs)
