"""Whether a table that is larger than the memory can be built and kept: a first build, an increment, and a refresh.

DuckDB gets a `memory_limit`, and a folder for what that does not hold.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from measure import HERE, Cost, child, fft, python
from printing import at_most, heading, markdown, table, write_between
from sizes import Sizes

LIMIT = "1GB"
COLUMNS = ("", "CPU", "wall", "peak MB", "spilled MB", "bar (peak)")
PEAK_BAR = 1500
"""MB: the limit, our libraries, and what DuckDB does not count."""


@dataclass(frozen=True, slots=True)
class _Large:
    """What a command took, and the largest size of the folder that it spilled to, in MB."""

    cost: Cost
    spilled: float


class WrongRows(Exception):
    """The table does not hold what it should."""


def measure(folder: Path, sizes: Sizes) -> None:
    """Measure and print."""
    project = shutil.copytree(HERE / "projects" / "increment", folder / "large_project")
    made, spill = folder / "large.duckdb", folder / "spill"
    heading("large", f"{sizes.large:,} rows of 3 columns, then {sizes.late:,} more, with memory_limit {LIMIT}")
    spill.mkdir()
    child(python("child_large.py", made, "begin", sizes.large, sizes.late))
    variables = {"FF_DUCKDB_PATH": str(made), "BENCH_MEMORY_LIMIT": LIMIT, "BENCH_TEMP_DIRECTORY": str(spill)}

    def run(*more: str) -> _Large:
        command = fft("run", str(project), "--env", "limited", "--select", "facts", *more)
        return _spilling(lambda: child(command, variables=variables)[0], spill)

    new = sizes.late - sizes.late * 4 // 5
    found = {"first build": run()}
    _require(made, sizes.large)
    child(python("child_large.py", made, "arrive"))
    found["increment"] = run()
    _require(made, sizes.large + new)
    found["--full-refresh, with twins"] = run("--full-refresh")
    _require(made, sizes.large + new)
    made.unlink()
    rows = [
        (
            name,
            *(f"{value:.1f}" for value in (one.cost.cpu, one.cost.wall)),
            *(f"{value:.0f}" for value in (one.cost.peak, one.spilled)),
            at_most(one.cost.peak, PEAK_BAR, " MB"),
        )
        for name, one in found.items()
    ]
    table(COLUMNS, rows)
    if sizes.is_full:
        write_between(HERE.parent / "docs" / "scaling.md", "large", markdown(COLUMNS[:-1], (row[:-1] for row in rows)))


def _require(made: Path, expected: int) -> None:
    _, said = child(python("child_large.py", made, "count"))
    # Before the number there may be DuckDB's progress bar.
    found = int(said.split()[-1])
    if found != expected:
        raise WrongRows(f"facts holds {found} rows, and not {expected}")


def _spilling(work: Callable[[], Cost], spill: Path) -> _Large:
    """Do a work, and look at the size of a folder meanwhile."""
    ended, most = threading.Event(), [0]

    def look() -> None:
        while not ended.wait(0.2):
            most.append(sum(size_of(path) for path in spill.glob("*")))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        cost = work()
    finally:
        ended.set()
        looking.join()
    return _Large(cost, max(most) / 1e6)


def size_of(path: Path) -> int:
    """Return the size of a file that may be gone by now."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
