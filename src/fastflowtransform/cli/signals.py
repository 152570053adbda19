"""Ctrl-C, SIGTERM and a terminal that closes, heard while a warehouse's own code runs."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import sys
import threading
from collections.abc import Callable, Iterator

from fastflowtransform.streams import drop

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def interruptible(cancel: Callable[[], None]) -> Iterator[None]:
    """Call `cancel` in a thread of its own as soon as a signal to end arrives.

    Python runs its handlers between two of its own instructions only, so a query that takes an hour would take the
    signal when it is done. The handlers still run, after `cancel` has made the query return.
    """
    heard, told = os.pipe()
    os.set_blocking(told, False)
    listener = threading.Thread(target=_listen, args=(heard, cancel), daemon=True)
    before = signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    listener.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(told)
        listener.join()
        os.close(heard)


def _listen(heard: int, cancel: Callable[[], None]) -> None:
    while number := os.read(heard, 1):
        if number[0] in _ENDING:
            cancel()


class Ends:
    """What Ctrl-C, SIGTERM and SIGHUP do to a command.

    The first asks it to stop. A second one does not disturb it in that, but tells it not to wait for anything. The
    third ends the process as it is, and what was not committed goes with it.
    """

    def __init__(self) -> None:
        self._asked = 0
        self._stop: Callable[[], None] | None = None

    def __call__(self, number: int, frame: object) -> None:
        if number == signal.SIGHUP:
            _leave_the_terminal()
        self._asked += 1
        if self._asked > 2:
            os._exit(130)
        if self._stop is not None:
            self._stop()
        elif self._asked == 1:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def telling(self, stop: Callable[[], None]) -> Iterator[None]:
        """Call `stop` while the block runs, and raise nothing there."""
        self._stop = stop
        try:
            yield
        finally:
            self._stop = None


def _leave_the_terminal() -> None:
    """Let what was for a terminal that has closed go nowhere; a file or a pipe still gets all."""
    for stream in (sys.stdout, sys.stderr):
        if stat.S_ISCHR(os.fstat(stream.fileno()).st_mode):
            drop(stream)


@contextlib.contextmanager
def heeded() -> Iterator[None]:
    """Let `Ends` decide while the block runs; a signal that the process was started to ignore stays ignored."""
    ends = Ends()
    before = {number: signal.getsignal(number) for number in _ENDING}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, ends)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def hearing(stop: Callable[[], None]) -> contextlib.AbstractContextManager[None]:
    """Call `stop`, while the block runs, each time that the user asks for the end."""
    ends = signal.getsignal(signal.SIGTERM)
    return ends.telling(stop) if isinstance(ends, Ends) else contextlib.nullcontext()
