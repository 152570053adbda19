"""The folder that relative paths count from: a project's own while a command runs, wherever the shell is.

The SQL and the Python of a project open files by relative paths (`read_csv('data/a.csv')`, `COPY … TO`, `ATTACH`), and
so do drivers and DuckDB itself. They all ask the process for its working folder, so that is what changes.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

_shells: list[Path] = []


def shell_folder() -> Path:
    """Return the folder that the command was started in, from which places are shown; `.` where it was removed."""
    return _shells[0] if _shells else _here()


def _here() -> Path:
    try:
        return Path.cwd()
    except OSError:
        return Path()


@contextlib.contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Make a folder the working folder while the block runs; the import path does not follow it.

    Parameters
    ----------
    folder
        An absolute path.
    """
    before = _here()
    # An empty entry means the working folder, whose modules would win over Python's own.
    sys.path[:] = [place or str(before) for place in sys.path if place or before.is_absolute()]
    _shells.append(before)
    os.chdir(folder)
    try:
        yield
    finally:
        _shells.pop()
        if before.is_absolute():
            with contextlib.suppress(OSError):
                os.chdir(before)
