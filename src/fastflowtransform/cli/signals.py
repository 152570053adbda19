"""Ctrl-C and SIGTERM, heard while a warehouse's own code runs."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator

_ENDING = (signal.SIGINT, signal.SIGTERM)


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
