"""Executes a plan, step by step: parents first, and nothing below a step that failed."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

from fastflowtransform import materializations
from fastflowtransform.attempts import attempted
from fastflowtransform.engines.base import Engine
from fastflowtransform.model import Materialized
from fastflowtransform.normalize import Query, Tables
from fastflowtransform.plan import Plan, Step, step_of
from fastflowtransform.project import Project
from fastflowtransform.report import Report
from fastflowtransform.results import Outcome, Status, StepResult


def run(
    plan: Plan, project: Project, engine: Engine, report: Report, *, fail_fast: bool = False
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
    fail_fast
        Whether the first failure skips all that follows, and not only what is below it.

    Returns
    -------
    tuple of StepResult
        One a step, in the plan's order. A failed step is an ERROR, with what went wrong; what it keeps from running
        is SKIPPED.
    """
    tables = Tables(project, engine)
    results: list[StepResult] = []
    blocked: dict[str, str] = {}
    failed: str | None = None
    for step in plan.steps:
        name = step.model.name
        blocker = _blocker(step, plan, project, blocked) or (failed if fail_fast else None)
        if blocker is not None:
            blocked[name] = blocker
            result = StepResult(name, "model", Status.SKIPPED, blocked_by=blocker)
        else:
            report.started(name, str(step.action))
            result = _executed(step, plan, engine, tables, functools.partial(report.waiting, name))
            if result.status is Status.ERROR:
                failed = failed or name
                blocked[name] = name
        report.finished(result)
        results.append(result)
    return tuple(results)


def _executed(step: Step, plan: Plan, engine: Engine, tables: Tables, on_wait: Callable[[str], None]) -> StepResult:
    began = time.perf_counter()

    def write(again: bool) -> Outcome:
        now = _decided_anew(step, plan, engine) if again else step
        return materializations.find(step.model.materialized).apply(engine, now, Query(step.model, tables))

    done = attempted(engine, step.relation, write, on_wait)
    if done.error is not None:
        done.error.at = done.error.at or step.model.at
    seconds = time.perf_counter() - began
    status = Status.SUCCESS if done.error is None else Status.ERROR
    return StepResult(step.model.name, "model", status, seconds, done.outcome, done.error, retries=done.retries)


def _decided_anew(step: Step, plan: Plan, engine: Engine) -> Step:
    """Decide about a model again: what stands under its name may have changed since the plan."""
    over = engine.existing([step.relation]).get(step.relation)
    return step_of(step.model, step.relation, over, engine.capabilities, full_refresh=plan.full_refresh)


def _is_seen_through(node: str, project: Project) -> bool:
    """Whether a node holds no rows of its own, so that its reader reads what is above it."""
    model = project.models.get(node)
    return node in project.sources or (model is not None and model.materialized is Materialized.EPHEMERAL)


def _blocker(step: Step, plan: Plan, project: Project, blocked: dict[str, str]) -> str | None:
    """Return the failed model that `step` is below."""
    waiting = list(plan.upstream.get(step.model.name, ()))
    while waiting:
        node = waiting.pop()
        if node in blocked:
            return blocked[node]
        if _is_seen_through(node, project):
            waiting += plan.upstream.get(node, ())
    return None
