"""How results are printed: plain columns, and a bar beside what has one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path


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


def markdown(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table for a page; the first column is text, the others are set to the right."""
    lines = [tuple(columns)]
    lines.append(("---",) + ("---:",) * (len(lines[0]) - 1))
    lines += map(tuple, rows)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write_between(page: Path, name: str, text: str) -> None:
    """Put a text into a page, between `<!-- measured: NAME -->` and `<!-- end: NAME -->`.

    Raises
    ------
    ValueError
        The page has no such markers.
    """
    begin, end = f"<!-- measured: {name} -->\n", f"<!-- end: {name} -->"
    before = page.read_text(encoding="utf-8")
    after, found = re.subn(
        f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: f"{begin}\n{text}\n\n{end}", before, flags=re.DOTALL
    )
    if not found:
        raise ValueError(f"{page.name} has lost its markers: {name}")
    page.write_text(after, encoding="utf-8")
    print(f"written: {page.name}, {name}")
