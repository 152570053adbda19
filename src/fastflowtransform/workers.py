"""Does work node by node: alone in this thread, or in several threads with a connection each.

Whatever a worker has to say, it hands over as a call that the main thread makes. So only the main thread decides what
starts, keeps the results, and talks to the terminal.
"""

from __future__ import annotations

import contextlib
import functools
import queue
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Generic

from fastflowtransform.alone import Alone, Sharing
from fastflowtransform.engines.base import Engine
from fastflowtransform.errors import EngineError
from fastflowtransform.report import Report
from fastflowtransform.results import CheckResult, SourceResult, StepResult
from fastflowtransform.schedule import Ready
from fastflowtransform.work import Call, Ending, Manner, Result, Work

_AGAIN = 0.05
"""Seconds after which a connection is asked once more to stop: a statement may have begun just after the last time."""
_GRACE = 10.0
"""Seconds that a stopped run waits for what it has asked to stop, such as a function of a Python model."""


def perform(
    ready: Ready,
    work: Work[Result],
    engine: Engine,
    report: Report,
    manner: Manner,
    sharing: Sharing[Result] | None = None,
) -> Ending:
    """Do all work that can be done.

    Parameters
    ----------
    ready
        The nodes in their order.
    work
        What is to be done about each.
    engine
        A connection; for several nodes at once, the one that workers have theirs from.
    report
        Is told of each beginning and end, by this thread.
    manner
        How many at once, and how long.
    sharing
        What may share a transaction, where this thread does all; None where each node has its own.
    """
    jobs = min(manner.jobs, len(ready.order))
    # Somebody has to look at the clock while a statement runs.
    if jobs > 1 or any(work.limit(node) is not None for node in ready.order):
        return _Crew(ready, work, engine, report, jobs).perform(manner.hearing)
    return Alone(ready, work, engine, report, sharing).perform()


class _Handing:
    """A report that hands over what is said to it."""

    def __init__(self, report: Report, calls: queue.SimpleQueue[Call]) -> None:
        self._report = report
        self._calls = calls
        self.tells_statements = report.tells_statements
        self.node: str | None = None

    def statement(self, sql: str, name: str | None = None) -> None:
        self._calls.put(functools.partial(self._report.statement, sql, name or self.node))

    def started(self, name: str, what: str) -> None:
        self._calls.put(functools.partial(self._report.started, name, what))

    def waiting(self, name: str, why: str) -> None:
        self._calls.put(functools.partial(self._report.waiting, name, why))

    def finished(self, result: StepResult | CheckResult | SourceResult) -> None:
        self._calls.put(functools.partial(self._report.finished, result))


class _Caught(AbstractContextManager["_Caught"]):
    """Keeps whatever a block of a worker raises, for the main thread to raise it there."""

    def __init__(self) -> None:
        self.error: BaseException | None = None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        self.error = error
        return True


class _Worker(Generic[Result]):
    """A thread, and a connection that it opens and closes itself.

    Parameters
    ----------
    crew
        Whose calls it hands over.
    number
        Its place among them, for whoever looks at the process.
    """

    def __init__(self, crew: _Crew[Result], number: int) -> None:
        self._crew = crew
        self._nodes: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._engine: Engine | None = None
        self._stopped = threading.Event()
        # Where a function of the user's never returns, the process ends without it.
        self.thread = threading.Thread(target=self._run, name=f"fft-{number}", daemon=True)
        self.thread.start()

    def give(self, node: str | None) -> None:
        """Let it work on a node; None lets it go."""
        self._nodes.put(node)

    def stop(self) -> None:
        """Make it end what it does; may be called again."""
        self._stopped.set()
        if (engine := self._engine) is not None:
            engine.interrupt()

    def _run(self) -> None:
        crew = self._crew
        report = _Handing(crew.report, crew.calls)
        with _Caught() as opening:
            self._engine = engine = crew.engine.worker(report.statement if report.tells_statements else None)
            do = crew.work.at(engine, report, self._stopped.is_set)
        if opening.error is not None:
            node = self._nodes.get()
            if node is not None:
                crew.calls.put(functools.partial(crew.unopened, self, node, opening.error))
        else:
            self._work(do, report)
        if self._engine is not None:
            # What was not committed is rolled back with the connection, and nothing can be done about one that is gone.
            with contextlib.suppress(EngineError):
                self._engine.close()

    def _work(self, do: Callable[[str], Result], report: _Handing) -> None:
        while (node := self._nodes.get()) is not None:
            report.node = node
            self._crew.calls.put(functools.partial(self._crew.began, node))
            result = None
            with _Caught() as caught:
                result = do(node)
            self._crew.calls.put(functools.partial(self._crew.finished, self, node, result, caught.error))
            if caught.error is not None:
                return


class _Crew(Generic[Result]):
    """Workers, and what the main thread knows of them.

    Parameters
    ----------
    ready, work, engine, report
        As for `perform`.
    jobs
        How many at once.
    """

    def __init__(self, ready: Ready, work: Work[Result], engine: Engine, report: Report, jobs: int) -> None:
        self.work = work
        self.engine = engine
        self.report = report
        self.calls: queue.SimpleQueue[Call] = queue.SimpleQueue()
        self._ready = ready
        self._jobs = jobs
        self._hired = 0
        self._idle: list[_Worker[Result]] = []
        self._busy: dict[str, _Worker[Result]] = {}
        self._began: dict[str, float] = {}
        self._late: set[str] = set()
        self._left: list[_Worker[Result]] = []
        self._until: float | None = None
        """When waiting ends for what was asked to stop; None while the work goes on."""

    def perform(self, hearing: Callable[[Call], AbstractContextManager[None]]) -> Ending:
        """Do the work; this thread hears of everything, and does none itself."""
        with hearing(functools.partial(self.calls.put, self.stopped)):
            try:
                while self._busy or (self._until is None and not self._ready.is_over):
                    self._start()
                    if self._busy and not self._hear():
                        return self._abandon()
            finally:
                self._dismiss()
        return Ending.OVER if self._until is None else Ending.INTERRUPTED

    def stopped(self) -> None:
        """Stop what runs, and start nothing more; the second time, wait for nothing."""
        self._until = time.perf_counter() + (_GRACE if self._until is None else 0)

    def began(self, node: str) -> None:
        """Note that a worker has begun with a node."""
        self._began[node] = time.perf_counter()

    def finished(self, worker: _Worker[Result], node: str, result: Result | None, error: BaseException | None) -> None:
        """Note what a worker has made of a node."""
        del self._busy[node]
        seconds = self._seconds(node)
        if error is None:
            self._idle.append(worker)
            assert result is not None
            self._end(node, result)
            return
        self._left.append(worker)
        if not isinstance(error, KeyboardInterrupt):
            raise error
        late = node in self._late
        if not late and self._until is None:
            # Somebody else has cancelled it, at the server.
            self.stopped()
        self._end(node, self.work.cut(node, seconds, late=late))

    def unopened(self, worker: _Worker[Result], node: str, error: BaseException) -> None:
        """Give a node back that found no connection; fewer at once will have to do, where there are any."""
        del self._busy[node]
        self._left.append(worker)
        self._ready.returned(node)
        if self._until is not None and isinstance(error, KeyboardInterrupt):
            return
        self._jobs = len(self._busy) + len(self._idle)
        if not self._jobs or not isinstance(error, EngineError):
            raise error
        self.report.waiting(node, f"no more than {self._jobs} at once: {error.code} {error.message}")

    def _start(self) -> None:
        """Let as much begin as may."""
        while self._until is None and len(self._busy) < self._jobs and (node := self._ready.next()) is not None:
            if (barred := self.work.barred(node)) is not None:
                self._end(node, barred)
                continue
            if self._idle:
                worker = self._idle.pop()
            else:
                self._hired += 1
                worker = _Worker(self, self._hired)
            self._busy[node] = worker
            worker.give(node)

    def _end(self, node: str, result: Result) -> None:
        self.work.ended(node, result)
        self._ready.ended(node)

    def _hear(self) -> bool:
        """Make one call, or look at the clock; False where what was asked to stop does not."""
        with contextlib.suppress(queue.Empty):
            self.calls.get(timeout=self._patience())()
        now = time.perf_counter()
        for node, began in self._began.items():
            limit = self.work.limit(node)
            if self._until is None and limit is not None and now - began >= limit:
                self._late.add(node)
        for node, worker in self._busy.items():
            if self._until is not None or node in self._late:
                worker.stop()
        return self._until is None or now < self._until

    def _patience(self) -> float | None:
        """Return how long to wait for the next call."""
        if self._until is not None or self._late & self._busy.keys():
            return _AGAIN
        ends = [began + limit for node, began in self._began.items() if (limit := self.work.limit(node)) is not None]
        return max(min(ends) - time.perf_counter(), 0.001) if ends else None

    def _seconds(self, node: str) -> float:
        """Return how long a node took, and forget when it began."""
        now = time.perf_counter()
        return now - self._began.pop(node, now)

    def _abandon(self) -> Ending:
        """Leave alone what does not stop."""
        for node in list(self._busy):
            del self._busy[node]
            self._end(node, self.work.cut(node, self._seconds(node), late=node in self._late))
        return Ending.ABANDONED

    def _dismiss(self) -> None:
        """Let all workers go, and wait until they have closed their connections."""
        for worker in (*self._idle, *self._busy.values()):
            worker.give(None)
        until = time.perf_counter() + _GRACE
        # Something runs only where this thread fails itself; then nobody asks for its result any more.
        while any(worker.thread.is_alive() for worker in self._busy.values()) and time.perf_counter() < until:
            for worker in self._busy.values():
                worker.stop()
                worker.thread.join(_AGAIN)
        for worker in (*self._left, *self._idle):
            worker.thread.join(max(until - time.perf_counter(), 0))
