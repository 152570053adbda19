"""Executes a plan, node by node: parents first, and nothing below one that failed."""

from __future__ import annotations

import functools
import time
from dataclasses import replace

from fastflowtransform import materializations, seed
from fastflowtransform.attempts import attempted
from fastflowtransform.engines.base import Engine
from fastflowtransform.errors import NotPublished
from fastflowtransform.gate import Audit, Gate
from fastflowtransform.ledger import Entry
from fastflowtransform.model import Materialized
from fastflowtransform.normalize import Query, Tables
from fastflowtransform.past import Past
from fastflowtransform.plan import Plan, Step, step_of
from fastflowtransform.project import Project
from fastflowtransform.proof import ALONE, Judgement
from fastflowtransform.report import Report
from fastflowtransform.results import Outcome, Status, StepResult


def run(
    plan: Plan, project: Project, engine: Engine, report: Report, audit: Audit, past: Past, *, fail_fast: bool = False
) -> tuple[StepResult, ...]:
    """Execute a plan.

    Parameters
    ----------
    plan
        What to do.
    project, engine
        With what, and where.
    report
        Is told of each step's beginning and end.
    audit
        What new rows have to pass before they are published; it keeps what came of its checks.
    fail_fast
        Whether the first failure skips all that follows, and not only what is below it.

    Returns
    -------
    tuple of StepResult
        One a model or seed, in the plan's order. A failed step is an ERROR, with what went wrong; what it keeps from
        running is SKIPPED.
    """
    making = _Making(plan, project, engine, report, past)
    results: list[StepResult] = []
    blocked: dict[str, str] = {}
    failed: str | None = None
    for node in plan.order:
        blocker = _blocker(node, plan, project, blocked) or (failed if fail_fast else None)
        if node in project.sources:
            if blocker is None and not audit.passes(node):
                failed = failed or node
                blocked[node] = node
            continue
        gate = audit.gate(node)
        entry = past.entry(node, project)
        if blocker is not None:
            blocked[node] = blocker
            kind = "model" if node in project.models else "seed"
            result = StepResult(node, kind, Status.SKIPPED, blocked_by=blocker)
            report.finished(result)
        else:
            result = making.made(node, gate, entry)
            if result.status is Status.ERROR:
                failed = failed or node
                blocked[node] = node
        audit.noted(gate)
        past.noted(entry, result)
        results.append(result)
    return tuple(results)


class _Making:
    """Makes the nodes of a plan, one by one."""

    def __init__(self, plan: Plan, project: Project, engine: Engine, report: Report, past: Past) -> None:
        self._plan = plan
        self._project = project
        self._engine = engine
        self._report = report
        self._tables = Tables(project, engine)
        self._past = past
        self._prover = past.prover(project, engine, self._tables)
        self._steps = {step.model.name: step for step in plan.steps}

    def made(self, node: str, gate: Gate, entry: Entry) -> StepResult:
        """Make a model or a seed."""
        if (step := self._steps.get(node)) is not None:
            self._report.started(node, str(step.action))
            result = self._model(step, gate, entry)
            self._report.finished(result)
            return result
        seeds = [self._project.seeds[node]]
        plan = self._plan
        (result,) = seed.load(
            seeds, plan.existing, self._engine, self._report, full_refresh=plan.full_refresh, gate=gate
        )
        return _settled(result, gate)

    def _model(self, step: Step, gate: Gate, entry: Entry) -> StepResult:
        began = time.perf_counter()
        engine, model = self._engine, step.model

        def write(again: bool) -> Outcome:
            now = _decided_anew(step, self._plan, engine) if again else step
            judgement = None if self._prover is None else self._prover.judged(now)
            if judgement is not None:
                if judgement.why is None and self._past.cache.reads and not self._plan.full_refresh:
                    return self._unchanged(now, gate, entry, judgement)
                entry.proof = judgement.proof if self._past.cache.writes else None
            self._tables.require_columns(model)
            query = Query(model, self._tables, gate.columns)
            outcome = materializations.find(model.materialized).apply(engine, now, query, gate, entry)
            entry.stays(judgement and judgement.state)
            return replace(outcome, contract=gate.contract_words)

        done = attempted(engine, step.relation, write, functools.partial(self._report.waiting, model.name))
        status = Status.SUCCESS
        if done.error is not None:
            done.error.at = done.error.at or model.at
            status = Status.ERROR
        elif gate.contract_words:
            status = Status.WARN
        seconds = time.perf_counter() - began
        result = StepResult(model.name, "model", status, seconds, done.outcome, done.error, retries=done.retries)
        return _settled(result, gate)

    def _unchanged(self, step: Step, gate: Gate, entry: Entry, judgement: Judgement) -> Outcome:
        """Leave a model alone, and let the gate look at the rows that stand."""
        if not gate.is_open:
            gate.judge(self._engine.table(step.relation), staged=False)
        entry.proof = judgement.proof
        entry.stays(judgement.state)
        return Outcome(strategy=seed.UNCHANGED, why=ALONE)


def _settled(result: StepResult, gate: Gate) -> StepResult:
    """Let the checks show the rows where they are now: published, kept, or gone."""
    if result.error is None:
        gate.published()
    elif not isinstance(result.error, NotPublished):
        gate.abandoned()
    return replace(result, kept=gate.kept)


def _decided_anew(step: Step, plan: Plan, engine: Engine) -> Step:
    """Decide about a model again: what stands under its name may have changed since the plan."""
    over = engine.existing([step.relation]).get(step.relation)
    return step_of(step.model, step.relation, over, engine.capabilities, full_refresh=plan.full_refresh)


def _is_seen_through(node: str, project: Project) -> bool:
    """Whether a node holds no rows of its own, so that its reader reads what is above it."""
    model = project.models.get(node)
    return node in project.sources or (model is not None and model.materialized is Materialized.EPHEMERAL)


def _blocker(node: str, plan: Plan, project: Project, blocked: dict[str, str]) -> str | None:
    """Return the failed node that `node` is below."""
    waiting = list(plan.upstream.get(node, ()))
    while waiting:
        above = waiting.pop()
        if above in blocked:
            return blocked[above]
        if _is_seen_through(above, project):
            waiting += plan.upstream.get(above, ())
    return None
