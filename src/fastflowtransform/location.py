"""A place in a file, as errors show it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from fastflowtransform.working_folder import shell_folder


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a file of the user's project; `line` counts from 1."""

    path: Path
    line: int | None = None

    def __str__(self) -> str:
        """Return the place as it is seen from the shell's folder."""
        shown = self.path
        if shown.is_absolute() and shown.is_relative_to(seen_from := shell_folder()):
            shown = shown.relative_to(seen_from)
        return str(shown) if self.line is None else f"{shown}:{self.line}"

    def on_a_line(self) -> Location:
        """Return the place with a line, which is the first one of a text that is meant as a whole."""
        if self.line is None and self.path.suffix in _TEXTS and os.path.isfile(self.path):
            return Location(self.path, 1)
        return self


_TEXTS = {".jinja", ".py", ".sql", ".yaml", ".yml"}
