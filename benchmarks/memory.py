"""Whether an increment's memory grows with the table that it goes into.

The peak of a process says it where the rows that change lie close together, as the newest ones do. Changes that are
spread over all keys grow with any tool: DuckDB notes 16 KB for each 2,048 rows of which a transaction deletes one, and
keeps what it reads. So both are shown beside the same merge by hand, and again with little memory and no disk to spill
to, which holds only what cannot be given back.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from measure import HERE, NO_FOLDER, ChildFailed, child, fft, python
from printing import at_most, heading, table
from sizes import Sizes
from upsert import copied

LIMIT = "64MB"
GROWTH_BAR = 1.1


def measure(folder: Path, sizes: Sizes) -> None:
    """Measure and print."""
    project = shutil.copytree(HERE / "projects" / "increment", folder / "memory_project")
    heading("memory", f"peak of the process that takes {sizes.changed:,} changed rows of 3 columns into a table, in MB")
    ends = (sizes.targets[0], sizes.targets[-1])
    works = [(rows, sizes.recent, f"the newest {sizes.recent:,}") for rows in sizes.targets]
    works += [(rows, rows, "all") for rows in ends]
    printed: list[tuple[str, ...]] = []
    recent_peaks: list[float] = []
    for rows, keys, words in works:
        made = folder / "memory.duckdb"
        child(python("child_events.py", made, rows, sizes.changed, keys, "narrow"))
        ours, theirs = (_peak(made, project, by) for by in ("fft", "raw"))
        fits = [_fits(made, project, by) for by in ("fft", "raw")]
        printed.append((f"{rows:,} rows", words, f"{ours:.0f}", f"{theirs:.0f}", f"{ours - theirs:.0f}", *fits))
        recent_peaks += [ours] if len(recent_peaks) < len(sizes.targets) else []
        made.unlink()
    table(("target", "keys", "fft", "raw", "fft - raw", f"fft in {LIMIT}", f"raw in {LIMIT}"), printed)
    growth = recent_peaks[-1] / recent_peaks[0]
    print(f"  fft, newest keys, largest to smallest target  {growth:.2f}  {at_most(growth, GROWTH_BAR)}")


def _peak(made: Path, project: Path, by: str, limit: str = "") -> float:
    copy = made.with_name("memory_copy.duckdb")
    copied(made, copy)
    if by == "raw":
        cost, _ = child(python("child_merge.py", "staged", copy, limit))
        return cost.peak
    variables = {"FF_DUCKDB_PATH": str(copy), "BENCH_MEMORY_LIMIT": limit, "BENCH_TEMP_DIRECTORY": NO_FOLDER}
    profile = "limited" if limit else "dev"
    cost, _ = child(fft("run", str(project), "--env", profile, "--select", "facts"), variables=variables)
    return cost.peak


def _fits(made: Path, project: Path, by: str) -> str:
    try:
        _peak(made, project, by, LIMIT)
    except ChildFailed as failed:
        if NO_FOLDER not in str(failed) and "Out of Memory" not in str(failed):
            raise
        return "no"
    return "yes"
