"""A way to stop what a connection does, from another thread."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Interrupt:
    """Ends one statement of a connection, and none that tidies up after it.

    Whoever asks cannot know whether a statement runs just now, is about to, or has ended. So it may ask again and
    again, and nothing happens any more once a statement has ended for it.

    Parameters
    ----------
    cancel
        Makes the driver end what it does; where that is nothing, nothing happens.
    """

    def __init__(self, cancel: Callable[[], object]) -> None:
        self._cancel = cancel
        # Held while the driver is told, so that it is not told of a connection that is just being closed.
        self._lock = threading.Lock()
        self.is_asked = False
        self._is_heard = False

    def ask(self) -> None:
        """Make the statement that runs now end; called from another thread."""
        with self._lock:
            self.is_asked = True
            if not self._is_heard:
                self._cancel()

    def __enter__(self) -> None:
        """Keep whoever asks waiting, while the driver gets another statement or lets go of one."""
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def heard(self) -> None:
        """Note that a statement has ended for it, or that there will be none."""
        with self._lock:
            self._is_heard = True
