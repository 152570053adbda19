"""Writes lines to standard output and error, whoever reads them and in whatever encoding."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable, Iterator
from typing import TextIO

from fastflowtransform.errors import UnwritableFolder

_GONE = (errno.EPIPE, errno.EIO)
"""What a pipe says whose reader has gone, and a terminal that was closed."""


_events: TextIO | None = None


@contextlib.contextmanager
def events_apart() -> Iterator[None]:
    """Keep standard output for events while the block runs; what Python models print goes to standard error."""
    global _events
    before = sys.stdout
    _events, sys.stdout = before, sys.stderr
    try:
        yield
    finally:
        _events, sys.stdout = None, before


def event_stream() -> TextIO:
    """Return where events are written."""
    return _events or sys.stdout


def drop(stream: TextIO) -> None:
    """Let all that is written to a stream from now on go nowhere."""
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def put(text: str, stream: TextIO, spelt: Callable[[str], str] | None = None) -> None:
    """Write a line. What nobody can read any more, as after `fft run | head`, is dropped, and the work goes on.

    Parameters
    ----------
    text
        The line, or several.
    stream
        Where to.
    spelt
        Spells the text for a stream that takes nothing but ASCII; else what it cannot take is written as an escape.

    Raises
    ------
    UnwritableFolder
        There is a reader, but no room, as on a full disk; from then on all is said on the error stream.
    """
    global _events
    if stream.closed:
        return
    try:
        print(_encodable(text, stream, spelt), file=stream, flush=True)
    except OSError as error:
        drop(stream)
        if stream is sys.stderr or error.errno in _GONE:
            return
        _events, sys.stdout = None, sys.stderr
        hint = "what was done is in fft history; write to another place"
        raise UnwritableFolder(f'what there is to say cannot be written: "{error.strerror}"', hint=hint) from error


def _encodable(text: str, stream: TextIO, spelt: Callable[[str], str] | None) -> str:
    """Return the text in characters that the stream can take."""
    if text.isascii():
        return text
    encoding = stream.encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.encode(encoding, "backslashreplace").decode(encoding) if spelt is None else spelt(text)
    return text
