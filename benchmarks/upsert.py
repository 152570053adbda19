"""What an increment costs: changed rows merged into a large table, against the same merge by hand and by Ibis."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from measure import HERE, Cost, child, fft, in_turns, median, python, smallest
from printing import at_least, at_most, heading, table
from sizes import Sizes

RAW_BAR, IBIS_BAR = 1.3, 4
BY_FFT = "fft, incremental model"
STAGED, DIRECT = "raw: stage, delete using, insert", "raw: delete using, insert"
IBIS = "Ibis' own upsert"


@dataclass(frozen=True, slots=True)
class _Merge:
    """One merge: what it took alone, and the process that did it."""

    alone: Cost
    process: Cost


def measure(folder: Path, sizes: Sizes) -> None:
    """Measure and print."""
    heading("upsert", f"{sizes.changed:,} changed rows of 8 columns into {sizes.rows:,}; a new copy of the file each time")
    made, copy, project = folder / "upsert.duckdb", folder / "copy.duckdb", folder / "increment"
    child(python("child_events.py", made, sizes.rows, sizes.changed, sizes.rows, "wide"))
    shutil.copytree(HERE / "projects" / "increment", project)

    def fresh(work: Callable[[], _Merge]) -> Callable[[], _Merge]:
        def on_a_copy() -> _Merge:
            copied(made, copy)
            return work()

        return on_a_copy

    works = {
        BY_FFT: fresh(lambda: _by_fft(project, copy)),
        STAGED: fresh(lambda: _by_hand("staged", copy)),
        DIRECT: fresh(lambda: _by_hand("direct", copy)),
        IBIS: fresh(lambda: _by_hand("ibis", copy)),
    }
    in_turns({"warm": works[BY_FFT]}, 1)
    merges = in_turns(works, sizes.rounds)
    _print_alone({name: [merge.alone for merge in found] for name, found in merges.items()})
    _print_processes({name: [merge.process for merge in found] for name, found in merges.items()})
    made.unlink()


def copied(made: Path, copy: Path) -> None:
    """Put a fresh copy of a database where the last one was, and wait until the disk has it."""
    copy.with_name(copy.name + ".wal").unlink(missing_ok=True)
    shutil.copyfile(made, copy)
    with copy.open("rb") as file:
        os.fsync(file.fileno())


def _by_fft(project: Path, database: Path) -> _Merge:
    """Merge by the step of `fft run`, after a small one for what Ibis loads at its first table; then by the command."""
    variables = {"FF_DUCKDB_PATH": str(database)}
    made = database.with_name("upsert.duckdb")
    process, _ = child(fft("run", str(project), "--select", "facts"), variables=variables)
    copied(made, database)
    _, said = child(python("child_steps.py", project, "small", "facts"), variables=variables)
    return _Merge(Cost(**json.loads(said)[-1]), process)


def _by_hand(how: str, database: Path) -> _Merge:
    process, said = child(python("child_merge.py", how, database))
    return _Merge(Cost(**json.loads(said)), process)


def _print_alone(costs: dict[str, list[Cost]]) -> None:
    raw, ours = smallest(costs[STAGED]), smallest(costs[BY_FFT])
    print("The step alone, in a process that has done a small one before:")
    rows = []
    for name, found in costs.items():
        least, middle = smallest(found), median(found)
        seconds = (least.wall, middle.wall, least.cpu, middle.cpu)
        rows.append((name, *(f"{value:.2f}" for value in seconds), *_ratios(least, raw)))
    table(("", "wall min", "wall median", "CPU min", "CPU median", "wall to raw", "CPU to raw"), rows)
    theirs = smallest(costs[IBIS])
    print(f"  fft to raw, wall  {ours.wall / raw.wall:.2f}  {at_most(ours.wall / raw.wall, RAW_BAR)}")
    print(f"  fft to raw, CPU   {ours.cpu / raw.cpu:.2f}  {at_most(ours.cpu / raw.cpu, RAW_BAR)}")
    print(f"  Ibis to fft, wall {theirs.wall / ours.wall:.2f}  {at_least(theirs.wall / ours.wall, IBIS_BAR)}")
    print(f"  Ibis to fft, CPU  {theirs.cpu / ours.cpu:.2f}  {at_least(theirs.cpu / ours.cpu, IBIS_BAR)}")


def _print_processes(costs: dict[str, list[Cost]]) -> None:
    raw = smallest(costs[STAGED])
    print("The whole process, with its imports and the closing of the file (fft: `fft run`):")
    rows = []
    for name, found in costs.items():
        least, middle = smallest(found), median(found)
        figures = (f"{least.wall:.2f}", f"{middle.wall:.2f}", f"{least.cpu:.2f}", f"{middle.cpu:.2f}")
        rows.append((name, *figures, *_ratios(least, raw), f"{middle.peak:.0f}"))
    table(("", "wall min", "wall median", "CPU min", "CPU median", "wall to raw", "CPU to raw", "peak MB"), rows)


def _ratios(cost: Cost, raw: Cost) -> tuple[str, str]:
    return f"{cost.wall / raw.wall:.2f}", f"{cost.cpu / raw.cpu:.2f}"
