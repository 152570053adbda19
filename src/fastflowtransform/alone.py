"""Does work in this thread, one node after the other; quick ones share a transaction, where an engine lets them.

What an engine does at the end of a transaction takes longer than a small table does, and so does a row of the ledger by
itself. No node begins in a transaction that is older than it may be, so what waits for its commit took little time, and
so does what is done again where the last one fails or is stopped.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic

from fastflowtransform.engines.base import Engine, Together
from fastflowtransform.errors import EngineError
from fastflowtransform.report import Report
from fastflowtransform.schedule import Ready
from fastflowtransform.work import Ending, Result, Work


@dataclass(frozen=True, slots=True)
class Sharing(Generic[Result]):
    """What may be done in one transaction, where nodes are done one by one.

    Parameters
    ----------
    engine
        Whose transaction it is.
    may_share
        Whether a node gives the same in a transaction with others, and may be done again where that is rolled back.
    has_failed
        Whether a result is that of a node which wrote nothing.
    is_final
        Whether a node that failed would fail in a transaction of its own as well.
    seconds
        As `Manner.shared`.
    """

    engine: Together
    may_share: Callable[[str], bool]
    has_failed: Callable[[Result], bool]
    is_final: Callable[[Result], bool]
    seconds: float


class _Undone(Exception):
    """What was done in a transaction is rolled back: a node has failed."""


class Alone(Generic[Result]):
    """Does the work in this thread; it is stopped by a `KeyboardInterrupt`, wherever that meets it.

    Parameters
    ----------
    ready, work, engine, report, sharing
        As for `perform`.
    """

    def __init__(
        self, ready: Ready, work: Work[Result], engine: Engine, report: Report, sharing: Sharing[Result] | None
    ) -> None:
        self._order = ready.order
        self._work = work
        self._report = report
        self._engine = engine
        self._sharing = sharing
        self._began: dict[str, float] = {}
        """The nodes that were begun and have not ended, and when."""
        self._done: dict[str, Result] = {}
        """What came of them; no node is here whose rows may still be rolled back."""
        self._singly: dict[str, Result | None] = {}
        """Nodes that a transaction was rolled back for; a result where one of them need not be done again."""

    def perform(self) -> Ending:
        """Do the work, in the order of the nodes."""
        try:
            do, place = self._doing(), 0
            while place < len(self._order):
                do = self._take(place, do)
                place += len(self._done)
                self._end()
        except KeyboardInterrupt:
            now = time.perf_counter()
            begun = {**dict.fromkeys(self._singly, now), **self._began}
            self._done |= {
                node: self._work.cut(node, now - began, late=False)
                for node, began in begun.items()
                if node not in self._done
            }
            self._end()
            return Ending.INTERRUPTED
        return Ending.OVER

    def _doing(self) -> Callable[[str], Result]:
        """Return what does a node, and has learnt nothing yet of what the warehouse holds."""
        return self._work.at(self._engine, self._report, lambda: False)

    def _take(self, place: int, do: Callable[[str], Result]) -> Callable[[str], Result]:
        """Do the node at a place, and those after it that share its transaction; return what does the next one."""
        node, sharing = self._order[place], self._sharing
        self._began[node] = time.perf_counter()
        may_share = sharing is not None and node not in self._singly and sharing.may_share(node)
        known = self._singly.pop(node, None)
        if (barred := self._work.barred(node)) is not None:
            self._done[node] = barred
            return do
        if sharing is not None and may_share:
            self._done = self._shared(place, do, sharing)
            if not self._done:
                do, known = self._doing(), self._singly.pop(node, None)
        if not self._done:
            self._done[node] = do(node) if known is None else known
        return do

    def _shared(self, place: int, do: Callable[[str], Result], sharing: Sharing[Result]) -> dict[str, Result]:
        """Return what came of nodes in one transaction; nothing where it was rolled back, and each is to be by itself.

        The one that failed is not done again where it was alone in it, or has taken long.
        """
        done: dict[str, Result] = {}
        failed: dict[str, Result | None] = {}
        is_over = False
        until = time.perf_counter() + sharing.seconds
        try:
            with sharing.engine.together():
                for node in itertools.islice(self._order, place, None):
                    now = time.perf_counter()
                    if done and (now >= until or not sharing.may_share(node)):
                        break
                    self._began[node] = now
                    result = do(node)
                    if sharing.has_failed(result):
                        is_slow = time.perf_counter() - now >= sharing.seconds
                        failed[node] = result if sharing.is_final(result) and (is_slow or not done) else None
                        raise _Undone(f'"{node}" failed')
                    done[node] = result
                is_over = True
        except (_Undone, EngineError) as error:
            self._began = {self._order[place]: time.perf_counter()}
            self._singly = {**dict.fromkeys(done), **failed}
            why = f"{error.code} {error.message}" if isinstance(error, EngineError) else str(error)
            if done:
                after = len(done) - 1
                more = f", like the {after} after it," if after > 1 else ", like the one after it," if after else ""
                self._report.waiting(self._order[place], f"to be made again{more} by itself: {why}")
            return {}
        except KeyboardInterrupt:
            # The last one has been stopped. What was done before it was quick, and stays done, as it would by itself.
            # At the end nobody knows whether it was committed.
            do = self._doing()
            for node in () if is_over else done:
                try:
                    result = do(node)
                except KeyboardInterrupt:
                    # The warehouse has heard of the same one only now: it ends one statement, and then no more.
                    result = do(node)
                self._done[node] = result
                if sharing.has_failed(result):
                    break
            raise
        return done

    def _end(self) -> None:
        for node, result in self._done.items():
            self._work.ended(node, result)
        self._began, self._done = {}, {}
