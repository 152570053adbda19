"""How results are printed: plain columns, and a bar beside what has one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence


def heading(text: str, note: str) -> None:
    """Print a title, what is measured under it, and how busy the machine is with other things."""
    title = f"{text} (load {os.getloadavg()[0]:.1f})"
    print(f"\n{title}\n{'-' * len(title)}\n{note}", flush=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under their columns; the first column is text, the others are set to the right."""
    lines = [tuple(columns), *map(tuple, rows)]
    widths = [max(len(line[number]) for line in lines) for number in range(len(columns))]
    for line in lines:
        cells = [
            line[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)),
        ]
        print("  " + "  ".join(cells).rstrip())


def at_most(value: float, bar: float, unit: str = "") -> str:
    """Say whether a figure keeps below its bar."""
    return f"<= {bar:g}{unit}  {'PASS' if value <= bar else 'over'}"


def at_least(value: float, bar: float, unit: str = "") -> str:
    """Say whether a figure reaches its bar."""
    return f">= {bar:g}{unit}  {'PASS' if value >= bar else 'under'}"
