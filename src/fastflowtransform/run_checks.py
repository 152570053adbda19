"""Runs checks: those of one model are counted in one query, and rows are fetched only where some fail."""

from __future__ import annotations

import functools
import hashlib
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fastflowtransform.attempts import attempted
from fastflowtransform.engines.base import Engine, kind_of
from fastflowtransform.errors import CheckFailed, FftError, counted
from fastflowtransform.failing import Failing
from fastflowtransform.model import ANY_ROW, Check, Severity
from fastflowtransform.project import Project
from fastflowtransform.relation import Relation
from fastflowtransform.report import Report
from fastflowtransform.results import CheckResult, Outcome, Status
from fastflowtransform.rows import Built, Rows
from fastflowtransform.schedule import Ready
from fastflowtransform.work import ALONE, Ending, Manner, out_of_time
from fastflowtransform.workers import perform

if TYPE_CHECKING:
    import ibis.expr.operations as ops
    import ibis.expr.types as ir

SAMPLE = 5
LONGEST_NAME = 63
"""How many bytes a table's name may have on Postgres, which cuts off the rest."""

_STATUS = {Severity.ERROR: Status.ERROR, Severity.WARN: Status.WARN, None: Status.SUCCESS}


@dataclass(frozen=True, slots=True)
class Asked:
    """A check's failing rows, their number once it is known, or what stood in the way."""

    check: Check
    seconds: float
    rows: Rows | None = None
    checked: Rows | None = None
    failures: int | None = None
    error: FftError | None = None


def run_checks(found: Iterable[Check], project: Project, engine: Engine, report: Report) -> tuple[CheckResult, ...]:
    """Run checks; only the tables of `store_failures` are written.

    Parameters
    ----------
    found
        What to check.
    project, engine
        Where the tables are.
    report
        Is told of each beginning and end.

    Returns
    -------
    tuple of CheckResult
        One a check, in the order of `found`; a table that is missing is one check's error, and the others run.
    """
    results, ending = check_all(found, project, engine, report)
    if ending is not Ending.OVER:
        raise KeyboardInterrupt
    return results


def check_all(
    found: Iterable[Check], project: Project, engine: Engine, report: Report, manner: Manner = ALONE
) -> tuple[tuple[CheckResult, ...], Ending]:
    """Run checks as `run_checks` does, those of several nodes at once where `manner` says so."""
    found = tuple(found)
    work = _Checking(found, project, report, manner)
    ending = perform(Ready([*work.groups]), work, engine, report, manner)
    return tuple(work.results.get(check.name) or _skipped(check) for check in found), ending


class _Checking:
    """The checks of a command; those of one node are asked together, and none waits for another one."""

    def __init__(self, found: Iterable[Check], project: Project, report: Report, manner: Manner) -> None:
        self.groups: dict[str, list[Check]] = {}
        for check in found:
            self.groups.setdefault(check.node, []).append(check)
        self.results: dict[str, CheckResult] = {}
        self._project = project
        self._report = report
        self._manner = manner

    def barred(self, node: str) -> tuple[CheckResult, ...] | None:
        return None

    def limit(self, node: str) -> float | None:
        return self._manner.timeout

    def at(
        self, engine: Engine, report: Report, is_stopped: Callable[[], bool]
    ) -> Callable[[str], tuple[CheckResult, ...]]:
        failing = Failing(self._project, engine)

        def asked(node: str) -> tuple[CheckResult, ...]:
            group, results = self.groups[node], []
            for check in group:
                report.started(check.name, check.type)
            for asked in count_all([ask(check, failing, engine) for check in group], engine):
                results.append(judge(asked, self._project, engine, report))
                report.finished(results[-1])
            return tuple(results)

        return asked

    def cut(self, node: str, seconds: float, *, late: bool) -> tuple[CheckResult, ...]:
        status = Status.ERROR if late else Status.CANCELLED
        results = tuple(
            CheckResult(check.name, check.node, check.type, status, seconds, error=self._error(check) if late else None)
            for check in self.groups[node]
        )
        for result in results:
            self._report.finished(result)
        return results

    def ended(self, node: str, result: tuple[CheckResult, ...]) -> None:
        for each in result:
            self.results.setdefault(each.name, each)

    def _error(self, check: Check) -> FftError:
        return out_of_time(f'the checks of "{check.node}"', check.at, self._manner.timeout)


def _skipped(check: Check) -> CheckResult:
    return CheckResult(check.name, check.node, check.type, Status.SKIPPED)


def failures_of(database: str, check: Check, *, plain: bool = False) -> Relation:
    """Return the table that keeps a check's failing rows: its name, in a schema beside the project's `database`.

    A name that is longer than every engine keeps is cut, and ends in a part of its hash; so does one that is to be
    `plain`, of letters, digits and underscores, and is not.
    """
    return kept_as(database, check.name, plain=plain)


def kept_as(database: str, name: str, *, plain: bool = False) -> Relation:
    """Return the table that keeps rows under a name; the parameters are those of `failures_of`."""
    written = re.sub(r"\W", "_", name, flags=re.ASCII) if plain else name
    if len(written.encode()) > LONGEST_NAME or written != name:
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        written = f"{written.encode()[: LONGEST_NAME - 9].decode(errors='ignore')}_{digest}"
    return Relation(f"{database}_failures", written)


def ask(check: Check, failing: Failing, engine: Engine) -> Asked:
    """Return a check's failing rows, or what stands in the way of asking for them."""
    began = time.perf_counter()
    try:
        checked = None if check.own is not None and check.own.alone else failing.checked(check)
        rows = failing.rows(check)
        # Alone, so that one that cannot be built leaves the others their one query.
        engine.preparing.says(can_be_built, rows)
    except FftError as error:
        return Asked(check, time.perf_counter() - began, error=error)
    return Asked(check, time.perf_counter() - began, rows, checked)


def can_be_built(_: ir.Table) -> bool:
    """Say yes; where a column is not there, or an argument does not fit, nobody comes here."""
    return True


def count_all(group: Sequence[Asked], engine: Engine) -> list[Asked]:
    """Count the failing rows of all checks of one node in one query; where it fails, each by itself."""
    began = time.perf_counter()
    runnable = [number for number, asked in enumerate(group) if asked.rows is not None]
    counted = list(group)
    if not runnable:
        return counted
    try:
        numbers = _numbers([group[number] for number in runnable], engine)
    except FftError as error:
        if len(runnable) == 1:
            counted[runnable[0]] = replace(group[runnable[0]], error=error)
            return counted
        for number in runnable:
            (counted[number],) = count_all([group[number]], engine)
        return counted
    share = (time.perf_counter() - began) / len(runnable)
    for number, failures in zip(runnable, numbers, strict=True):
        counted[number] = replace(group[number], failures=failures, seconds=group[number].seconds + share)
    return counted


def _numbers(group: Sequence[Asked], engine: Engine) -> list[int]:
    """Return how many rows fail each check, with one query."""
    first, *others = [rows for asked in group for rows in (asked.rows, asked.checked)]
    assert first is not None
    (row,) = engine.rows(first.into(totals, *others))
    # Spark counts by a sum, which is NULL over a table without rows.
    return [int(str(row[f"failures_{number}"] or 0)) for number in range(len(group))]


def totals(*given: ir.Table | None) -> ir.Table:
    """Count failing rows in one query, in which claims about single rows share one look at a table.

    Parameters
    ----------
    given
        Of each check, its failing rows and the table that it is about, if there is one.

    Returns
    -------
    ir.Table
        One row, with the number of the first check's failing rows as `failures_0`.
    """
    import ibis

    found: dict[ops.Relation, dict[str, ir.Scalar]] = {}
    for number, (rows, checked) in enumerate(zip(given[::2], given[1::2], strict=True)):
        assert rows is not None
        column = f"failures_{number}"
        predicates = _predicates(rows, checked)
        if predicates and checked is not None:
            found.setdefault(checked.op(), {})[column] = checked.count(where=ibis.and_(*predicates))
        else:
            found.setdefault(rows.op(), {})[column] = rows.count()
    parts = [table.to_expr().aggregate(**columns) for table, columns in found.items()]
    return functools.reduce(lambda left, right: left.cross_join(right), parts)


def _predicates(rows: ir.Table, checked: ir.Table | None) -> list[ir.BooleanValue]:
    """Return the conditions of rows that are some of `checked`, where each can be judged by itself; else none."""
    import ibis.expr.operations as ops

    filtered = rows.op()
    if checked is None or not isinstance(filtered, ops.Filter) or filtered.parent != checked.op():
        return []
    several = (ops.Analytic, ops.Reduction, ops.Subquery, ops.WindowFunction)
    if any(predicate.find(several) for predicate in filtered.predicates):
        return []
    return [predicate.to_expr() for predicate in filtered.predicates]


def judge(asked: Asked, project: Project, engine: Engine, report: Report) -> CheckResult:
    """Return what came of a check; where rows fail, look at some, and store them where that is wanted."""
    check, error, failures = asked.check, asked.error, asked.failures
    began = time.perf_counter()
    status = _STATUS[check.terms.severity]
    sample: tuple[dict[str, object], ...] = ()
    sql: str | None = None
    stored: str | None = None
    if error is None:
        assert asked.rows is not None and failures is not None
        status = _STATUS[check.terms.severity_of(failures)]
        try:
            if status is not Status.SUCCESS:
                sql = engine.compiled(asked.rows)
                sample = _sample(asked.rows, check, engine)
            place = failures_of(project.database, check, plain=engine.capabilities.plain_names)
            stored = _stored(asked, status, place, engine, report)
        except FftError as raised:
            error, status = raised, _STATUS[check.terms.severity]
    if error is None and status is Status.ERROR:
        error = _failed(check, failures or 0)
    if error is not None:
        error.at = error.at or check.at
    seconds = asked.seconds + time.perf_counter() - began
    return CheckResult(check.name, check.node, check.type, status, seconds, failures, sample, sql, error, stored=stored)


def _sample(rows: Rows, check: Check, engine: Engine) -> tuple[dict[str, object], ...]:
    """Return some failing rows, of any types."""
    shown = SAMPLE if check.terms.limit is None else min(SAMPLE, check.terms.limit)
    if not shown:
        return ()
    return tuple(engine.rows(rows.table().limit(shown)))


def _failed(check: Check, failures: int) -> CheckFailed:
    why = "" if check.terms.error_if == ANY_ROW else f", and error_if is {check.terms.error_if}"
    return CheckFailed(f'"{check.name}" fails on {counted(failures, "row")} of "{check.node}"{why}', at=check.at)


def _stored(asked: Asked, status: Status, relation: Relation, engine: Engine, report: Report) -> str | None:
    """Keep the failing rows where that is wanted; a table of an earlier run is emptied where the check passes."""
    terms = asked.check.terms
    if not terms.store_failures or asked.rows is None:
        return None
    rows = asked.rows if terms.limit is None else Built(asked.rows.table().limit(terms.limit))

    def write(_: bool) -> Outcome:
        over = kind_of(engine.existing([relation]).get(relation))
        if status is Status.SUCCESS and over is None:
            return Outcome("nothing to keep")
        return Outcome(engine.replace(relation, rows, over=over).strategy)

    done = attempted(engine, relation, write, functools.partial(report.waiting, asked.check.name))
    if done.error is not None:
        raise done.error
    return None if status is Status.SUCCESS else str(relation)
