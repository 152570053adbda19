"""Writes a file as a whole: a reader sees the old content or the new one, whoever else writes at the same time."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, content: bytes, mode: int | None = None) -> None:
    """Write to a file of a random name beside `path`, and move it there.

    Parameters
    ----------
    path
        The file; its folder exists.
    content
        All of its bytes.
    mode
        Its permissions, such as `0o600`; None for those that the user's umask gives a new file.

    Raises
    ------
    OSError
        It cannot be written; then it is as it was.
    """
    # Of one random length: `path` may have as long a name as the system takes.
    beside = path.with_name(f".{os.urandom(8).hex()}.new")
    try:
        created = 0o666 if mode is None else mode & 0o700
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, created), "wb") as file:
            file.write(content)
        if mode is not None:
            beside.chmod(mode)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
