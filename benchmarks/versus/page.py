"""What was measured, as tables and bars: for the terminal, and for docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from measure import Cost, median, smallest
from printing import heading, markdown, table
from sizes import Sizes

FIRST = "{:,} models, from nothing"
AGAIN = "{:,} models, nothing changed"
CHECKS = "{:,} checks"
SEED = "a CSV file of {:,} rows"
UPSERT = "changed rows into a table, whole command"
ALONE = "changed rows into a table, the merge alone"
COLUMNS = ("", "CPU min", "CPU median", "wall min", "wall median", "peak MB", "CPU to fft", "wall to fft")


@dataclass(frozen=True, slots=True)
class Bar:
    """A ratio or a figure that is to be reached."""

    words: str
    value: float
    most: float
    unit: str = ""

    @property
    def verdict(self) -> str:
        """Whether it is."""
        return "holds" if self.value <= self.most else "over"


@dataclass(slots=True)
class Measured:
    """Gathers the costs of one run.

    Parameters
    ----------
    sizes
        How large and how often.
    versions
        Of each tool's packages.
    """

    sizes: Sizes
    versions: Mapping[str, Mapping[str, str]]
    costs: dict[str, dict[str, list[Cost]]] = field(default_factory=dict)
    loads: dict[str, float] = field(default_factory=dict)

    def add(self, title: str, costs: dict[str, list[Cost]]) -> None:
        """Take up a table, and print it."""
        self.costs[title] = costs
        self.loads[title] = os.getloadavg()[0]
        heading(title, "")
        table(COLUMNS, _rows(costs))

    def bars(self) -> list[Bar]:
        """Return what is to be reached, for the sizes that there are."""
        most, checks = self.sizes.models[-1], self.sizes.checks
        first, again = self.costs[FIRST.format(most)], self.costs[AGAIN.format(most)]
        seeds = self.costs[SEED.format(self.sizes.seeded[0])]
        alone = self.costs[ALONE]
        ours = next(name for name in alone if name.startswith("fft"))
        raw = [name for name in alone if name != ours]
        return [
            Bar(f"{most} models from nothing: fft to dbt, CPU", _ratio(first, "fft", "dbt"), 1 / 6),
            Bar(f"{most} models from nothing: fft to SQLMesh, CPU", _ratio(first, "fft", "sqlmesh"), 1 / 15),
            Bar(f"{most} models, nothing changed: fft to dbt, CPU", _ratio(again, "fft", "dbt"), 1 / 4),
            Bar(
                "a model more, above the statement alone", self._overhead(FIRST, self.sizes.models[-2], most), 3, " ms"
            ),
            Bar("a check more, above the statement alone", self._overhead(CHECKS, 2, checks), 3, " ms"),
            Bar(f"{self.sizes.seeded[0]:,} rows from CSV: fft to dbt, CPU", _ratio(seeds, "fft", "dbt"), 1 / 8),
            *(Bar(f"the merge alone: fft to {name}, wall", _wall(alone, ours, name), 1.2) for name in raw),
        ]

    def _overhead(self, title: str, few: int, many: int) -> float:
        """Return the milliseconds of CPU that one more costs fft, less what its statement costs a script."""
        slopes = [
            (_cpu(self.costs[title.format(many)], tool) - _cpu(self.costs[title.format(few)], tool)) / (many - few)
            for tool in ("fft", "sql")
        ]
        return (slopes[0] - slopes[1]) * 1000

    def print_bars(self) -> None:
        """Print what is to be reached."""
        heading("bars", "of the smallest figures")
        table(("", "reached", "bar", ""), [_bar(bar) for bar in self.bars()])

    def page(self) -> str:
        """Return what the page shows of this run."""
        loads = self.loads.values()
        packages = "; ".join(
            f"{tool}: {', '.join(f'{name} {number}' for name, number in found.items())}"
            for tool, found in self.versions.items()
        )
        where = (
            f"{date.today():%Y-%m-%d}, {os.cpu_count()} cores of {_processor()}, {platform.system()}, "
            f"Python {platform.python_version()}. {packages}. The load was {min(loads):.1f} to {max(loads):.1f}; "
            f"{self.sizes.compared} rounds."
        )
        parts = [where, "## What is to be reached", markdown(("", "reached", "bar", ""), map(_bar, self.bars()))]
        for title, costs in self.costs.items():
            parts += [f"## {title[:1].upper()}{title[1:]}", markdown(COLUMNS, _rows(costs))]
        return "\n\n".join(parts)


def _rows(costs: Mapping[str, list[Cost]]) -> list[tuple[str, ...]]:
    ours = smallest(next(iter(costs.values())))
    rows = []
    for name, found in costs.items():
        least, middle = smallest(found), median(found)
        figures = (f"{value:.2f}" for value in (least.cpu, middle.cpu, least.wall, middle.wall))
        peak = f"{middle.peak:.0f}" if middle.peak else ""
        rows.append((name, *figures, peak, f"{least.cpu / ours.cpu:.2f}", f"{least.wall / ours.wall:.2f}"))
    return rows


def _bar(bar: Bar) -> tuple[str, ...]:
    ratio = not bar.unit
    reached = f"1/{1 / bar.value:.1f}" if ratio and bar.value < 0.7 else f"{bar.value:.2f}{bar.unit}"
    most = f"1/{1 / bar.most:.0f}" if ratio and bar.most < 0.7 else f"{bar.most:g}{bar.unit}"
    return (bar.words, reached, most, bar.verdict)


def _cpu(costs: Mapping[str, list[Cost]], tool: str) -> float:
    """Return the least CPU of a tool, whichever of its ways took it."""
    return min(smallest(found).cpu for name, found in costs.items() if name.startswith(tool))


def _ratio(costs: Mapping[str, list[Cost]], one: str, other: str) -> float:
    return _cpu(costs, one) / _cpu(costs, other)


def _wall(costs: Mapping[str, list[Cost]], one: str, other: str) -> float:
    return smallest(costs[one]).wall / smallest(costs[other]).wall


def _processor() -> str:
    """Return what Linux calls the processor."""
    if platform.system() != "Linux":
        return platform.machine()
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    return f"an {names[0]}" if names else platform.machine()
