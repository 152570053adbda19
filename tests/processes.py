"""Processes that tests start, and send signals to."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ASKING_TO_END = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def process(command: Sequence[str | Path], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Start a process as a shell's foreground does, and kill it if it still runs when the block ends.

    Under `nohup`, or in the background of a script, this process was told to ignore signals, and what it starts would
    ignore them too. `options` are those of `Popen`; without any, both outputs are pipes of text.
    """
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with no_signal_ignored():
        started = subprocess.Popen(command, **(options or pipes))
    with started:
        try:
            yield started
        finally:
            started.kill()


@contextlib.contextmanager
def no_signal_ignored() -> Iterator[None]:
    """Let processes that the block starts have the default handlers; the handlers of this process stay."""
    # A handler of Python's own is reset when another program is executed; only "ignore" is handed on.
    before = {number: signal.getsignal(number) for number in ASKING_TO_END}
    ignored = [number for number, handler in before.items() if handler is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, lambda number, frame: None)
    try:
        yield
    finally:
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)
