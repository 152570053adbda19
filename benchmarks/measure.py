"""What a piece of work costs, and how costs are compared: repetitions taken in turns, smallest and median side by side.

Nothing here imports more than the standard library. Linux counts the memory of the process that starts a child to the
child's peak, so whoever calls `child` must stay small, and data is made in children too.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

HERE = Path(__file__).parent
NO_FOLDER = "/dev/null/none"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one piece of work took.

    Parameters
    ----------
    cpu
        Seconds of all its threads, user and system.
    wall
        Seconds on the clock.
    peak
        MB that were resident at most; 0 where only a part of a process was measured.
    """

    cpu: float
    wall: float
    peak: float = 0.0


class ChildFailed(Exception):
    """A child left with another exit code than 0."""


def fft(*arguments: str) -> tuple[str, ...]:
    """Return the command line of the `fft` that is installed beside this Python."""
    script = Path(sys.executable).with_name("fft")
    program = (str(script),) if script.exists() else (sys.executable, "-m", "fastflowtransform")
    return (*program, *arguments)


def python(script: str, *arguments: object) -> tuple[str, ...]:
    """Return the command line of one of our own children, such as `child_bare_loop.py`."""
    return (sys.executable, str(HERE / script), *map(str, arguments))


def child(
    command: Sequence[str], *, variables: Mapping[str, str] | None = None, folder: Path | None = None
) -> tuple[Cost, str]:
    """Run a command to its end.

    Parameters
    ----------
    command
        Program and arguments.
    variables
        Laid over the environment.
    folder
        Where it runs; by default where this process does.

    Returns
    -------
    tuple of Cost and str
        What the process and those it waited for took, and what it wrote to its standard output.

    Raises
    ------
    ChildFailed
        It left with another exit code than 0; the message holds what it wrote.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in _UNWANTED}
    environment = {**inherited, **(variables or {})}
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=errors, env=environment, cwd=folder)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if process.returncode != 0:
            raise ChildFailed(f"{' '.join(command)}: exit code {process.returncode}\n{output.read()}{errors.read()}")
        return Cost(used.ru_utime + used.ru_stime, wall, used.ru_maxrss * _RSS_UNIT / 1e6), output.read()


# With PYTHONDONTWRITEBYTECODE each child would compile every module anew; an active environment of the caller's
# would choose a profile.
_UNWANTED = {"PYTHONDONTWRITEBYTECODE", "FFT_ACTIVE_ENV", "FF_DUCKDB_PATH", "FF_DUCKDB_SCHEMA"}
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(slots=True)
class Clock:
    """Is set when the block of `measured` ends."""

    cost: Cost = field(default_factory=lambda: Cost(0.0, 0.0))


@contextmanager
def measured() -> Iterator[Clock]:
    """Measure a part of this process; its CPU is also that of the server whose first process BENCH_SERVER names."""
    clock = Clock()
    before, began = _cpu(), time.perf_counter()
    yield clock
    wall, after = time.perf_counter() - began, _cpu()
    clock.cost = Cost(after - before, wall)


def _cpu() -> float:
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime + server_cpu()


def server_cpu() -> float:
    """Return the CPU seconds that the server's processes took so far, those that ended too; 0 where there is none."""
    first = os.environ.get("BENCH_SERVER")
    if first is None or not sys.platform.startswith("linux"):
        return 0.0
    living = Path(f"/proc/{first}/task/{first}/children").read_text().split()
    ended = sum(map(int, _stat(first)[15:17]))
    return sum(sum(map(int, _stat(process)[13:15])) for process in (first, *living)) / _TICKS + ended / _TICKS


def _stat(process: str) -> list[str]:
    """Return the fields of a process, as `man proc_pid_stat` counts them less one; zeros for one that has ended."""
    try:
        text = Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return ["0"] * 52
    # The name stands in brackets, and may hold spaces.
    return [process, "name", *text.rpartition(")")[2].split()]


_TICKS = os.sysconf("SC_CLK_TCK")


class Silent:
    """Hears of each step, and says nothing."""

    def started(self, name: str, what: str) -> None:
        """Say nothing."""

    def waiting(self, name: str, why: str) -> None:
        """Say nothing."""

    def finished(self, result: object) -> None:
        """Say nothing."""


def in_turns(works: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Do each work `rounds` times, one after another within a round, and start each round with another one."""
    results: dict[str, list[T]] = {name: [] for name in works}
    names = list(works)
    for number in range(rounds):
        first = number % len(names)
        for name in (*names[first:], *names[:first]):
            results[name].append(works[name]())
    return results


def smallest(costs: Iterable[Cost]) -> Cost:
    """Return the smallest of each figure."""
    kept = list(costs)
    return Cost(min(c.cpu for c in kept), min(c.wall for c in kept), min(c.peak for c in kept))


def median(costs: Iterable[Cost]) -> Cost:
    """Return the median of each figure."""
    kept = list(costs)
    return Cost(*(statistics.median(values) for values in zip(*((c.cpu, c.wall, c.peak) for c in kept), strict=True)))
