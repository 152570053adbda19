"""Executes a plan, node by node: parents first, and nothing below one that failed."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fastflowtransform import materializations
from fastflowtransform.alone import Sharing
from fastflowtransform.attempts import Attempted, attempted
from fastflowtransform.backfill import (
    Begun,
    Making,
    Piece,
    Taken,
    begun,
    pieces,
    published,
    seconds_of,
    taken,
    why_in_turn,
    within,
)
from fastflowtransform.committing import Shareable
from fastflowtransform.engines.base import Engine, Together
from fastflowtransform.errors import FftError, NotPublished, RelationMissing
from fastflowtransform.fingerprint import fingerprint_of
from fastflowtransform.frames import load_libraries
from fastflowtransform.gate import Audit, Gate
from fastflowtransform.ledger import Entry
from fastflowtransform.model import Materialized, Model
from fastflowtransform.normalize import Query, Tables
from fastflowtransform.past import NO_PAST, Past
from fastflowtransform.placing import waits
from fastflowtransform.plan import Plan, Step, step_of
from fastflowtransform.project import Project, how_to_have
from fastflowtransform.proof import STANDS, Judgement
from fastflowtransform.report import Report
from fastflowtransform.results import UNCHANGED, CheckResult, Outcome, Status, StepResult
from fastflowtransform.rows import Rows
from fastflowtransform.work import ALONE, Ending, Manner, cut_off
from fastflowtransform.workers import perform

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class How:
    """How a plan is executed.

    Parameters
    ----------
    audit
        What new rows have to pass before they are published.
    past
        What is noted of it, and what is made of what was noted before.
    manner
        How many nodes at once, and how long each; what comes of them does not depend on how many.
    """

    audit: Audit
    past: Past = NO_PAST
    manner: Manner = ALONE


@dataclass(frozen=True, slots=True)
class Made:
    """What came of a plan.

    Parameters
    ----------
    steps
        One a model or seed, in the plan's order. A failed step is an ERROR, with what went wrong; what it keeps from
        running is SKIPPED.
    checks
        What was asked before anything was published, in the same order.
    ending
        Whether all was seen to.
    """

    steps: tuple[StepResult, ...]
    checks: tuple[CheckResult, ...]
    ending: Ending = Ending.OVER


def run(plan: Plan, project: Project, engine: Engine, report: Report, how: How) -> Made:
    """Execute a plan.

    Parameters
    ----------
    plan
        What to do.
    project, engine
        With what, and where.
    report
        Is told of each step's beginning and end.
    how
        What rows have to pass, what is noted, and how many nodes at once.
    """
    if how.manner.jobs > 1:
        load_libraries(step.model for step in plan.steps)
    side_by_side = {
        step.model.name
        for step in (plan.steps if plan.windows else ())
        if why_in_turn(step, plan, engine.capabilities, is_open=not how.audit.checks.get(step.model.name)) is None
    }
    ready, windows = pieces(plan, waits(project, plan.order, how.audit.checks), side_by_side)
    running = _Running(plan, project, report, how, windows)
    sharing: Sharing[_Node] | None = None
    if isinstance(engine, Together) and how.manner.shared > 0:
        sharing = Sharing(
            engine,
            running.may_share,
            lambda node: node.failed,
            lambda node: node.step is None or not node.step.retries,
            how.manner.shared,
        )
    return running.made(perform(ready, running, engine, report, how.manner, sharing))


@dataclass(frozen=True, slots=True)
class _Node:
    """What came of a node: a step, or nothing where a source was looked at; its checks; and what is noted of it.

    Of a window of a model, there is only what was taken up.
    """

    step: StepResult | None
    checks: tuple[CheckResult, ...] = ()
    entry: Entry | None = None
    taken: Taken | None = None

    @property
    def failed(self) -> bool:
        """Whether what is below it must not run."""
        if self.step is not None:
            return self.step.status in (Status.ERROR, Status.CANCELLED)
        return any(check.status is Status.ERROR for check in self.checks)


class _Running:
    """Knows what came of each node, and so what may run.

    Parameters
    ----------
    plan, project, report, how
        As for `run`.
    pieces
        The windows of the plan's models, by the names that they have among its nodes.
    """

    def __init__(self, plan: Plan, project: Project, report: Report, how: How, pieces: Mapping[str, Piece]) -> None:
        self._pieces = pieces
        self._windows: dict[str, dict[int, Taken]] = {}
        """What came of the windows of each model, by their numbers; nothing of a model where not one was begun."""
        self._plan = plan
        self._project = project
        self._report = report
        self._how = how
        self._audit = how.audit
        self._manner = how.manner
        self._places = {node: place for place, node in enumerate(plan.order)}
        self._found: dict[str, _Node] = {}
        self._blocked: dict[str, str] = {}
        self._failed: str | None = None
        self._shareable = Shareable(project)

    def made(self, ending: Ending) -> Made:
        """Return what came of all nodes; those that were not started are skipped."""
        for node in self._plan.order:
            if node in self._found:
                continue
            if (windows := self._windows.get(node)) is not None:
                self.ended(node, self.cut(node, seconds_of([*windows.values()]), late=False))
            else:
                self._note(node, self._skipped(node, None))
        found = [self._found[node] for node in self._plan.order]
        steps = tuple(node.step for node in found if node.step is not None)
        return Made(steps, tuple(check for node in found for check in node.checks), ending)

    def barred(self, node: str) -> _Node | None:
        """Return a node as skipped, where one above it failed, or any and that is to end the run.

        A backfill that has begun is one thing that runs, and ends with the first window that fails.
        """
        piece = self._pieces.get(node)
        name = node if piece is None else piece.model
        if (windows := self._windows.get(name)) is not None:
            failed = any(found.result.error is not None for found in windows.values())
            return _Node(None) if piece is not None and failed else None
        blocker = self._blocker(name) or (self._failed if self._manner.fail_fast else None)
        if blocker is None:
            return None
        self._blocked[name] = blocker
        return _Node(None) if piece is not None else self._skipped(node, blocker)

    def may_share(self, node: str) -> bool:
        """Whether a model may share a transaction: one of which nothing is asked, while nothing has failed."""
        return not self._blocked and not self._audit.checks.get(node) and self._shareable(node)

    def limit(self, node: str) -> float | None:
        """Return the seconds that a model or seed may take, or one window of a model."""
        if node in self._project.sources:
            return None
        piece = self._pieces.get(node)
        model = self._project.models.get(node if piece is None else piece.model)
        return self._manner.timeout if model is None or model.timeout is None else model.timeout

    def at(self, engine: Engine, report: Report, is_stopped: Callable[[], bool]) -> Callable[[str], _Node]:
        """Return what makes a node at one connection."""
        making = _Making(self._plan, self._project, engine, report, self._how, is_stopped)
        return functools.partial(_made, making, self._pieces, self._windows)

    def cut(self, node: str, seconds: float, *, late: bool) -> _Node:
        """Return a node that was stopped."""
        if node in self._project.sources:
            return _Node(None, self._audit.unasked(node))
        if (piece := self._pieces.get(node)) is not None:
            model = self._project.models[piece.model]
            result = StepResult(piece.model, "model", Status.CANCELLED, seconds)
            result = cut_off(result, model.at, self.limit(node), late=late)
            if result.error is not None:
                result = replace(result, error=within(result.error, self._plan.windows[piece.number]))
            backfill = self._windows.get(piece.model, {}).get(0, Taken(result)).backfill
            return _Node(None, taken=Taken(result, self._audit.unasked(piece.model), backfill))
        item = self._project.models.get(node) or self._project.seeds[node]
        result = StepResult(node, self._kind(node), Status.CANCELLED, seconds)
        step = cut_off(result, item.at, self.limit(node), late=late)
        return _Node(step, self._audit.unasked(node), self._how.past.entry(node, self._project))

    def ended(self, node: str, result: _Node) -> None:
        """Note what came of a node and tell of it, once; what a source's checks found was told as they were asked."""
        if (piece := self._pieces.get(node)) is not None:
            if result.taken is not None:
                self._windows.setdefault(piece.model, {})[piece.number] = result.taken
            return
        if node in self._found:
            return
        self._note(node, result)
        for found in (result.step, *result.checks):
            if found is not None and result.step is not None:
                self._report.finished(found)

    def _note(self, node: str, result: _Node) -> None:
        self._found[node] = result
        if result.step is not None and result.entry is not None:
            self._how.past.noted(result.entry, result.step)
        if result.failed:
            self._failed = self._failed or node
            self._blocked[node] = node

    def _skipped(self, node: str, blocker: str | None) -> _Node:
        if node in self._project.sources:
            return _Node(None)
        step = StepResult(node, self._kind(node), Status.SKIPPED, blocked_by=blocker)
        return _Node(step, self._audit.unasked(node), self._how.past.entry(node, self._project))

    def _kind(self, node: str) -> str:
        return "model" if node in self._project.models else "seed"

    def _blocker(self, node: str) -> str | None:
        """Return the failed node that `node` is below, and of several the first of the plan."""
        found: set[str] = set()
        waiting = list(self._plan.upstream.get(node, ()))
        while waiting:
            above = waiting.pop()
            if above in self._blocked:
                found.add(self._blocked[above])
            elif _is_seen_through(above, self._project):
                waiting += self._plan.upstream.get(above, ())
        return min(found, key=self._places.__getitem__, default=None)


class _Making:
    """Makes the nodes of a plan at one connection, one by one.

    Parameters
    ----------
    plan, project
        What to make.
    engine, report
        Where, and who is told.
    how
        What rows have to pass, and what is noted.
    is_stopped
        Whether to end as soon as may be; asked when a query's result is about to be used.
    """

    def __init__(
        self,
        plan: Plan,
        project: Project,
        engine: Engine,
        report: Report,
        how: How,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._plan = plan
        self._project = project
        self._engine = engine
        self._report = report
        self._audit = how.audit
        self._past = how.past
        self._is_stopped = is_stopped
        self._tables = Tables(project, engine)
        self._prover = how.past.prover(self._tables, engine, project, plan.order)
        self._steps = {step.model.name: step for step in plan.steps}

    def node(self, node: str) -> _Node:
        """Make a model or a seed, or look at a source."""
        if node in self._project.sources:
            return _Node(None, self._audit.of_source(node, self._engine, self._report))
        gate = self._audit.gate(node, self._engine, self._report)
        entry = self._past.entry(node, self._project)
        step = self.made(node, gate, entry)
        return _Node(step, gate.answers(), entry)

    def made(self, node: str, gate: Gate, entry: Entry) -> StepResult:
        """Make a model or a seed."""
        if (step := self._steps.get(node)) is not None:
            self._report.started(node, str(step.action))
            return self._model(step, gate, entry)
        from fastflowtransform import seed

        found, plan = self._project.seeds[node], self._plan
        result = seed.load(
            found, plan.existing, self._engine, self._report, seed.Conditions(plan.full_refresh, gate, entry)
        )
        return _settled(result, gate)

    def _model(self, step: Step, gate: Gate, entry: Entry) -> StepResult:
        began = time.perf_counter()
        return _settled(_result(step.model, self._written(step, gate, entry), time.perf_counter() - began), gate)

    def window(self, piece: Piece, backfill: Begun | None) -> Taken:
        """Take up one window of a model; the first one begins the backfill."""
        step, window = self._steps[piece.model], self._plan.windows[piece.number]
        if backfill is None:
            self._report.started(piece.model, str(step.action))
        gate = self._audit.gate(piece.model, self._engine, self._report)
        making, began = self._backfilling(step, gate, shared=piece.shared), time.perf_counter()
        try:
            if backfill is None:
                own, entry = fingerprint_of(step.model, self._project), self._past.entry(piece.model, self._project)
                backfill = begun(step, self._plan, str(own), entry, making)
            done = taken(backfill, piece.number, making)
        except FftError as error:
            done = Attempted(None, error)
        if done.error is not None:
            done = replace(done, error=within(done.error, window))
        if done.outcome is not None:
            done = replace(done, outcome=replace(done.outcome, contract=gate.contract_words))
        result = _settled(_result(step.model, done, time.perf_counter() - began), gate)
        return Taken(result, gate.answers(), backfill)

    def backfilled(self, name: str, windows: Sequence[Taken]) -> _Node:
        """End a backfill whose windows were seen to; its checks are of the last rows that anything was asked of."""
        step, backfill = self._steps[name], windows[0].backfill
        failed = [found for found in windows if found.result.error is not None]
        # The last of those that something was asked of; one that was taken up by an earlier command is asked nothing.
        asked = [found for found in windows if found.result.outcome is not None][-1:] or list(windows)
        last = (failed or asked)[0]
        gate, checks, kept = self._audit.gate(name, self._engine, self._report), last.checks, last.result.kept
        if backfill is None or failed:
            done = Attempted(None, last.result.error)
        else:
            assert len(windows) == len(self._plan.windows)
            outcomes = [found.result.outcome for found in windows if found.result.outcome is not None]
            done = published(backfill, outcomes, self._backfilling(step, gate))
        retries = tuple(words for found in windows for words in found.result.retries)
        result = _result(step.model, replace(done, retries=(*retries, *done.retries)), seconds_of(windows))
        if backfill is not None and backfill.is_anew and not failed:
            result = _settled(result, gate)
            checks, kept = gate.answers(), result.kept
        result = replace(result, kept=kept)
        entry = self._past.entry(name, self._project) if backfill is None else backfill.entry
        return _Node(result, checks, entry)

    def _backfilling(self, step: Step, gate: Gate, *, shared: bool = False) -> Making:
        """Return what windows of a model are taken up with."""
        looked_at = functools.partial(self._looked_at, gate)
        return Making(
            self._engine,
            lambda model: Query(model, self._tables, looked_at),
            gate,
            self._past,
            functools.partial(self._report.waiting, step.model.name),
            shared,
        )

    def _written(self, step: Step, gate: Gate, entry: Entry) -> Attempted:
        """Write what is to be written now, or leave the model alone."""
        engine, model = self._engine, step.model

        def write(again: bool) -> Outcome:
            now = _decided_anew(step, self._plan, engine) if again else step
            judgement = None if self._prover is None else self._prover.judged(now)
            if judgement is not None:
                if judgement.why is None and self._past.cache.reads and not self._plan.full_refresh:
                    return self._unchanged(now, gate, entry, judgement)
                entry.proof = judgement.proof if self._past.cache.writes else None
            self._tables.require_columns(model)
            query = Query(model, self._tables, functools.partial(self._looked_at, gate))
            outcome = materializations.find(model.materialized).apply(engine, now, query, gate, entry)
            entry.stays(None if judgement is None else judgement.state)
            if self._prover is not None:
                self._prover.wrote(now, entry.state)
            return replace(outcome, contract=gate.contract_words) if gate.contract_words else outcome

        done = attempted(engine, step.relation, write, functools.partial(self._report.waiting, model.name))
        if isinstance(done.error, RelationMissing):
            done.error.hint = how_to_have(done.error, model.name, self._project) or done.error.hint
        return done

    def _unchanged(self, step: Step, gate: Gate, entry: Entry, judgement: Judgement) -> Outcome:
        """Leave a model alone, and let the gate look at the rows that stand."""
        if not gate.is_open:
            gate.judge(self._engine.found(step.relation), staged=False)
        entry.proof = judgement.proof
        entry.stays(judgement.state)
        if self._prover is not None:
            self._prover.wrote(step, judgement.state)
        return Outcome(strategy=UNCHANGED, why=STANDS)

    def _looked_at(self, gate: Gate, rows: Rows | pa.RecordBatchReader) -> None:
        """Let the gate see a result; a function of the user's cannot be cancelled, so this comes after it."""
        if self._is_stopped():
            raise KeyboardInterrupt
        gate.columns(rows)


def _made(making: _Making, pieces: Mapping[str, Piece], windows: Mapping[str, Mapping[int, Taken]], node: str) -> _Node:
    """Make a node: a window, a model whose windows were seen to, or any other."""
    piece = pieces.get(node)
    found = windows.get(node if piece is None else piece.model, {})
    if piece is not None:
        return _Node(None, taken=making.window(piece, found[0].backfill if found else None))
    return making.backfilled(node, [found[number] for number in sorted(found)]) if found else making.node(node)


def _result(model: Model, done: Attempted, seconds: float) -> StepResult:
    """Return what came of a model's write."""
    status = Status.WARN if done.outcome is not None and done.outcome.contract else Status.SUCCESS
    if done.error is not None:
        done.error.at = done.error.at or model.at
        status = Status.ERROR
    return StepResult(model.name, "model", status, seconds, done.outcome, done.error, retries=done.retries)


def _settled(result: StepResult, gate: Gate) -> StepResult:
    """Let the checks show the rows where they are now: published, kept, or gone."""
    if result.error is None:
        gate.published()
    elif not isinstance(result.error, NotPublished):
        gate.abandoned()
    return result if gate.kept is None else replace(result, kept=gate.kept)


def _decided_anew(step: Step, plan: Plan, engine: Engine) -> Step:
    """Decide about a model again: what stands under its name may have changed since the plan."""
    over = engine.existing([step.relation]).get(step.relation)
    now = step_of(step.model, step.relation, over, engine.capabilities, full_refresh=plan.full_refresh)
    return now.adopting(step.action.adopts)


def _is_seen_through(node: str, project: Project) -> bool:
    """Whether a node holds no rows of its own, so that its reader reads what is above it."""
    model = project.models.get(node)
    return node in project.sources or (model is not None and model.materialized is Materialized.EPHEMERAL)
