"""What an increment costs: changed rows merged into a large table, against the same merge by hand and by Ibis."""

from __future__ import annotations

import functools
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from measure import HERE, Cost, child, fft, in_turns, median, python, smallest
from printing import at_least, at_most, heading, table
from sizes import Sizes

RAW_BAR, IBIS_BAR = 1.2, 4
BY_FFT = "fft, incremental model"
RAW = {
    "raw: stage, delete using, insert": "staged",
    "raw: look for twins and NULL, delete using, insert": "checked",
    "raw: delete using, insert": "direct",
}
STAGED, *_ = RAW
IBIS = "Ibis' own upsert"


@dataclass(frozen=True, slots=True)
class _Merge:
    """What one merge took alone, and with the process around it."""

    alone: Cost
    process: Cost


def measure(folder: Path, sizes: Sizes) -> None:
    """Measure and print."""
    heading(
        "upsert", f"{sizes.changed:,} changed rows of 8 columns into {sizes.rows:,}; a new copy of the file each time"
    )
    merges = _merges(folder, sizes, sizes.rounds, (BY_FFT, *RAW, IBIS))
    _print_alone({name: [merge.alone for merge in found] for name, found in merges.items()})
    _print_processes({name: [merge.process for merge in found] for name, found in merges.items()})


def _merges(folder: Path, sizes: Sizes, rounds: int, names: tuple[str, ...]) -> dict[str, list[_Merge]]:
    made, copy = folder / "upsert.duckdb", folder / "upsert_copy.duckdb"
    child(python("child_events.py", made, sizes.rows, sizes.changed, sizes.rows, "wide"))
    project = shutil.copytree(HERE / "projects" / "increment", folder / "upsert_project")
    works = {BY_FFT: functools.partial(_by_fft, project, made, copy)}
    for name, how in (*RAW.items(), (IBIS, "ibis")):
        works[name] = functools.partial(_by_hand, how, made, copy)
    works[BY_FFT]()
    merges = in_turns({name: works[name] for name in names}, rounds)
    made.unlink()
    return merges


def merges_alone(folder: Path, sizes: Sizes, rounds: int) -> dict[str, list[Cost]]:
    """Return what the merge takes without the process around it."""
    merges = _merges(folder, sizes, rounds, (BY_FFT, *RAW))
    return {name: [merge.alone for merge in found] for name, found in merges.items()}


def copied(made: Path, copy: Path) -> None:
    """Put a fresh copy of a database where the last one was, and wait until the disk has it."""
    copy.with_name(copy.name + ".wal").unlink(missing_ok=True)
    shutil.copyfile(made, copy)
    with copy.open("rb") as file:
        os.fsync(file.fileno())


def _by_fft(project: Path, made: Path, copy: Path) -> _Merge:
    """Merge by `fft run`; and by its step, in a process that has merged a small table before."""
    variables = {"FF_DUCKDB_PATH": str(copy)}
    copied(made, copy)
    process, _ = child(fft("run", str(project), "--select", "facts"), variables=variables)
    copied(made, copy)
    _, said = child(python("child_steps.py", project, "small", "small", "facts"), variables=variables)
    return _Merge(Cost(**json.loads(said)[-1]), process)


def _by_hand(how: str, made: Path, copy: Path) -> _Merge:
    copied(made, copy)
    process, said = child(python("child_merge.py", how, copy))
    return _Merge(Cost(**json.loads(said)), process)


def _print_alone(costs: dict[str, list[Cost]]) -> None:
    print("The merge alone; for fft and Ibis in a process whose libraries are loaded:")
    _print_costs(costs)
    ours, theirs = smallest(costs[BY_FFT]), smallest(costs[IBIS])
    for name in RAW:
        raw = smallest(costs[name])
        for word, ratio in (("wall", ours.wall / raw.wall), ("CPU", ours.cpu / raw.cpu)):
            print(f"  {word}: fft to {name} {ratio:.2f}  {at_most(ratio, RAW_BAR)}")
    for word, ratio in (("wall", theirs.wall / ours.wall), ("CPU", theirs.cpu / ours.cpu)):
        print(f"  {word}: Ibis to fft {ratio:.2f}  {at_least(ratio, IBIS_BAR)}")


def _print_processes(costs: dict[str, list[Cost]]) -> None:
    print("The whole process, with its imports and the closing of the file; for fft that is `fft run`:")
    _print_costs(costs)


def _print_costs(costs: dict[str, list[Cost]]) -> None:
    raw = smallest(costs[STAGED])
    rows = []
    for name, found in costs.items():
        least, middle = smallest(found), median(found)
        seconds = (least.wall, middle.wall, least.cpu, middle.cpu, least.wall / raw.wall, least.cpu / raw.cpu)
        rows.append((name, *(f"{value:.2f}" for value in seconds), f"{middle.peak:.0f}" if middle.peak else ""))
    table(("", "wall min", "wall median", "CPU min", "CPU median", "wall to raw", "CPU to raw", "peak MB"), rows)
