"""A place in a file, as errors show it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a file of the user's project; `line` counts from 1."""

    path: Path
    line: int | None = None

    def __str__(self) -> str:
        """Return the place as it is seen from the working folder."""
        shown = self.path
        if shown.is_absolute() and shown.is_relative_to(Path.cwd()):
            shown = shown.relative_to(Path.cwd())
        return str(shown) if self.line is None else f"{shown}:{self.line}"
