"""What an increment of one partition costs as a Delta table has more of them, and what one of all partitions does."""

from __future__ import annotations

import json
from pathlib import Path

from measure import HERE, child, python
from printing import heading, markdown, table, write_between
from scaling import exponent
from sizes import Sizes

COLUMNS = ("partitions", "changed rows in", "JVM CPU", "wall")


def measure(folder: Path, sizes: Sizes) -> None:
    """Measure and print; the same number of rows changes in each."""
    *_, most = sizes.partitions
    changed = sizes.server_rows // most
    heading("partitions", f"{changed:,} changed rows into {sizes.server_rows:,} on Delta; CPU is Java's")
    command = python("child_partitions.py", folder / "partitions", sizes.server_rows, changed, sizes.compared)
    _, said = child((*command, *map(str, sizes.partitions)))
    found: dict[str, list[dict[str, float]]] = json.loads(said.splitlines()[-1])
    least = {name: {key: min(cost[key] for cost in costs) for key in ("cpu", "wall")} for name, costs in found.items()}
    rows = [
        (f"{most if name == 'all' else int(name):,}", "all of them" if name == "all" else "one", *_figures(costs))
        for name, costs in least.items()
    ]
    fits = {key: {number: least[str(number)][key] for number in sizes.partitions} for key in ("cpu", "wall")}
    rows.append(("exponent", "one", *(f"{exponent(costs):.2f}" for costs in fits.values())))
    table(COLUMNS, rows)
    if sizes.is_full:
        write_between(HERE.parent / "docs" / "scaling.md", "partitions", markdown(COLUMNS, rows))


def _figures(costs: dict[str, float]) -> tuple[str, str]:
    return f"{costs['cpu']:.2f}", f"{costs['wall']:.2f}"
