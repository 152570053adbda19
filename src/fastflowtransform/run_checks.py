"""Runs checks: each is a query for the rows that break a claim."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from fastflowtransform import checks
from fastflowtransform.engines.base import Engine
from fastflowtransform.errors import CheckFailed, FftError, counted
from fastflowtransform.model import Check, Severity
from fastflowtransform.normalize import Tables
from fastflowtransform.project import Project
from fastflowtransform.report import Report
from fastflowtransform.results import CheckResult, Status

if TYPE_CHECKING:
    import ibis.expr.types as ir

SAMPLE = 5


def run_checks(found: Iterable[Check], project: Project, engine: Engine, report: Report) -> tuple[CheckResult, ...]:
    """Run checks, and change nothing.

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
        One a check; a table that is missing is one check's error, and the others run.
    """
    tables = Tables(project, engine)
    results = []
    for check in found:
        report.started(check.name, check.type)
        result = _checked(check, tables, engine)
        report.finished(result)
        results.append(result)
    return tuple(results)


def _checked(check: Check, tables: Tables, engine: Engine) -> CheckResult:
    began = time.perf_counter()
    error: FftError | None = None
    failures: int | None = None
    sample: tuple[dict[str, object], ...] = ()
    sql: str | None = None
    try:
        rows = failing_rows(check, tables, engine)
        failures = _count(engine, rows)
        if failures:
            sql = engine.compiled(rows)
            sample = tuple(engine.rows(rows.limit(SAMPLE)))
            if check.severity is Severity.ERROR:
                error = CheckFailed(
                    f'"{check.name}" fails on {counted(failures, "row")} of "{check.node}"', at=check.at
                )
    except FftError as raised:
        error = raised
        error.at = error.at or check.at
    failed = Status.ERROR if check.severity is Severity.ERROR else Status.WARN
    status = failed if error is not None or failures else Status.SUCCESS
    seconds = time.perf_counter() - began
    return CheckResult(check.name, check.node, check.type, status, seconds, failures, sample, sql, error)


def failing_rows(check: Check, tables: Tables, engine: Engine) -> ir.Table:
    """Return the rows that break a check's claim, as an expression."""
    kind = checks.check(check.type)
    table = tables.table(check.node)
    if check.where is not None:
        table = _where(table, check.where, engine)
    arguments: dict[str, Any] = dict(check.arguments)
    if kind.OTHER is not None:
        return kind.failing_rows(table, tables.table(arguments.pop(kind.OTHER)), **arguments)
    return kind.failing_rows(table, **arguments)


def _where(table: ir.Table, condition: str, engine: Engine) -> ir.Table:
    """Keep the rows for which the engine's SQL `condition` is true."""
    sql = f"SELECT * FROM (\n{engine.compiled(table)}\n) AS checked WHERE (\n{condition}\n)"
    return engine.sql(sql)


def _count(engine: Engine, rows: ir.Table) -> int:
    ((number,),) = (row.values() for row in engine.rows(rows.agg(failures=rows.count())))
    return int(str(number))
