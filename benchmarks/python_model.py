"""What a model costs that is written in Python instead of SQL: the same table, by the same step."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from measure import HERE, Cost, child, median, python, smallest
from printing import at_most, heading, table
from sizes import Sizes

BAR = 1.1
NAMES = ("by_sql", "by_python")


def measure(folder: Path, sizes: Sizes) -> None:
    """Measure and print."""
    heading(
        "python_model", f"{sizes.rows:,} rows filtered and computed into a table; both models in one process, in turns"
    )
    database, project = folder / "python_model.duckdb", folder / "python_model"
    child(python("child_events.py", database, sizes.rows, sizes.changed, sizes.rows, "wide"))
    shutil.copytree(HERE / "projects" / "python_model", project)
    turns = [*NAMES, *(name for number in range(sizes.rounds) for name in (NAMES if number % 2 else NAMES[::-1]))]
    _, said = child(python("child_steps.py", project, *turns), variables={"FF_DUCKDB_PATH": str(database)})
    costs: dict[str, list[Cost]] = {name: [] for name in NAMES}
    # The first of each pays for what Ibis loads, and creates the table that the others replace.
    for name, cost in list(zip(turns, json.loads(said), strict=True))[len(NAMES) :]:
        costs[name].append(Cost(**cost))
    rows = []
    for name, found in costs.items():
        least, middle = smallest(found), median(found)
        rows.append((name, f"{least.wall:.2f}", f"{middle.wall:.2f}", f"{least.cpu:.2f}", f"{middle.cpu:.2f}"))
    table(("", "wall min", "wall median", "CPU min", "CPU median"), rows)
    sql, ours = (smallest(costs[name]) for name in NAMES)
    print(f"  Python to SQL, wall {ours.wall / sql.wall:.2f}  {at_most(ours.wall / sql.wall, BAR)}")
    print(f"  Python to SQL, CPU  {ours.cpu / sql.cpu:.2f}  {at_most(ours.cpu / sql.cpu, BAR)}")
    database.unlink()
