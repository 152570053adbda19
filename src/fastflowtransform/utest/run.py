"""Runs unit tests: the models' own materializations, on an engine that holds nothing but a case's rows."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fastflowtransform import materializations
from fastflowtransform.engines.base import Engine
from fastflowtransform.engines.quoting import quoted
from fastflowtransform.errors import FftError, Location, MissingColumn, UnitTestFailed, counted, hint_from
from fastflowtransform.materializations import incremental
from fastflowtransform.model import Materialized, Model, SqlBody
from fastflowtransform.normalize import Query
from fastflowtransform.plan import Step, step_of
from fastflowtransform.project import Project
from fastflowtransform.report import Report
from fastflowtransform.results import CheckResult, Status
from fastflowtransform.utest.case import Case, Expectation, Rows, Run
from fastflowtransform.utest.clock import Stopped
from fastflowtransform.utest.compare import ROW, Difference, Manner, differences
from fastflowtransform.utest.given import Given

if TYPE_CHECKING:
    from ibis.expr.schema import Schema

KIND = "unit"

_Values = list[dict[str, object]]


@dataclass(frozen=True, slots=True)
class _Failure:
    """What is not as it should be, in words and cell by cell."""

    what: str
    cells: tuple[Difference, ...]
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class _Content:
    """What a table holds."""

    schema: Schema
    rows: _Values


def run_cases(
    cases: Iterable[Case], project: Project, engine: Engine, database: str, report: Report
) -> tuple[CheckResult, ...]:
    """Run unit tests, each by itself.

    Parameters
    ----------
    cases
        What to run.
    project
        Where their models are.
    engine
        Where they run; nothing in it is read.
    database
        A schema that is theirs: what stands in it is dropped before and after each case.
    report
        Is told of each beginning and end.

    Returns
    -------
    tuple of CheckResult
        One a case, in their order. `sample` holds what differs: key, column, expected, actual.
    """
    given = Given(project, engine, database)
    results = []
    for case in cases:
        report.started(case.title, KIND)
        result = _result(case, project.models[case.model], given, engine, database)
        report.finished(result)
        results.append(result)
    return tuple(results)


def content(
    case: Case, model: Model, project: Project, engine: Engine, database: str
) -> tuple[Sequence[str], list[dict[str, object]]]:
    """Return the columns and rows that a model has after a case's only run; nothing is compared."""
    engine.discard(database)
    changed = Given(project, engine, database).project(model, case.runs[0])
    model = changed.models[model.name]
    target = Step(model, changed.relation(model.name), _NO_ACTION, None)
    step = step_of(model, target.relation, None, engine.capabilities, full_refresh=False)
    materializations.find(model.materialized).apply(engine, step, Query(model, Stopped(changed, engine, None)))
    table = engine.table(target.relation)
    return table.columns, engine.rows(table)


def _result(case: Case, model: Model, given: Given, engine: Engine, database: str) -> CheckResult:
    began = time.perf_counter()
    error: FftError | None = None
    failure: _Failure | None = None
    engine.discard(database)
    try:
        failure = _Trial(case, model, given, engine).failure()
    except FftError as raised:
        error = raised
        error.at = error.at or case.at
    if failure is not None:
        error = UnitTestFailed(f'"{case.title}" {failure.what}', at=case.at, hint=failure.hint)
    cells = () if failure is None else failure.cells
    sample: tuple[dict[str, object], ...] = tuple(
        {"key": cell.key, "column": cell.column, "expected": cell.expected, "actual": cell.actual} for cell in cells
    )
    status = Status.SUCCESS if error is None else Status.ERROR
    number = 0 if error is None else len(cells) or None
    seconds = time.perf_counter() - began
    return CheckResult(case.title, case.model, KIND, status, seconds, number, sample, error=error)


class _Trial:
    """One case, run on an empty schema.

    Parameters
    ----------
    case, model
        What is tried.
    given
        Puts rows in the place of inputs.
    engine
        Where it runs.
    """

    def __init__(self, case: Case, model: Model, given: Given, engine: Engine) -> None:
        self._case, self._model, self._given, self._engine = case, model, given, engine

    def failure(self) -> _Failure | None:
        """Do each run, and return the first thing that is not as expected."""
        for number, run in enumerate(self._case.runs, start=1):
            project = self._given.project(self._model, run)
            model = project.models[self._model.name]
            tables = Stopped(project, self._engine, run.now)
            step = Step(model, project.relation(model.name), _NO_ACTION, None)
            if number == 1 and self._case.this is not None:
                self._stand(self._case.this, step, Query(model, tables))
            failure = self._of_run(run, step, Query(model, tables))
            if failure is not None:
                several = f" in run {number}" if len(self._case.runs) > 1 else ""
                return replace(failure, what=f"{failure.what}{several}")
        return None

    def _stand(self, this: Rows, step: Step, query: Query) -> None:
        """Make the target as it was: with the types of the model's own columns, or with those that are written."""
        if this.sql is not None or this.types:
            types = {} if this.sql is not None else self._given.types(this, {}, '"this"')
        else:
            with query.table(is_incremental=False) as table:
                own = isinstance(step.model.body, SqlBody)
                schema = table.schema() if own else self._engine.schema(table)
            others = self._given.types(replace(this, rows=this.rows), {}, '"this"')
            types = {**schema, **{name: dtype for name, dtype in others.items() if name not in schema}}
        rows = self._engine.sql(self._given.select(this, types, '"this"'))
        self._engine.replace(step.relation, rows, over=None)

    def _of_run(self, run: Run, target: Step, query: Query) -> _Failure | None:
        expect = run.expect
        try:
            failure = self._of_delta(expect, target, query)
            self._apply(target, query)
        except FftError as error:
            if expect.error is None:
                raise
            if error.code != expect.error:
                error.hint = f'the case expects the error "{expect.error}"'
                raise
            return self._of_rows(expect, target) if self._stands(target) else None
        if expect.error is not None:
            return _Failure(f'expects the error "{expect.error}", and the model runs', ())
        failure = failure or self._of_rows(expect, target)
        return failure or self._of_repetition(target, query)

    def _apply(self, target: Step, query: Query) -> None:
        """Do what a run does about the model."""
        step = self._step(target)
        materializations.find(step.model.materialized).apply(self._engine, step, query)

    def _step(self, target: Step) -> Step:
        over = self._engine.existing([target.relation]).get(target.relation)
        return step_of(target.model, target.relation, over, self._engine.capabilities, full_refresh=False)

    def _stands(self, target: Step) -> bool:
        return target.relation in self._engine.existing([target.relation])

    def _of_delta(self, expect: Expectation, target: Step, query: Query) -> _Failure | None:
        if expect.delta is None:
            return None
        with incremental.delta(self._engine, self._step(target), query) as table:
            content = _Content(table.schema(), self._engine.rows(table))
        return self._compared(expect.delta, content, expect, "takes up another delta than it expects")

    def _of_rows(self, expect: Expectation, target: Step) -> _Failure | None:
        if expect.rows is None:
            return None
        content = self._standing(target, expect)
        return self._compared(expect.rows, content, expect, "gives other rows than it expects")

    def _of_repetition(self, target: Step, query: Query) -> _Failure | None:
        """Run again with nothing new: the target has to stay as it is."""
        if not _is_repeated(self._case, target.model):
            return None
        before = self._standing(target)
        self._apply(target, query)
        after = self._standing(target)
        cells = differences(before.rows, after.rows, Manner(after.schema, self._key()))
        if not cells:
            return None
        return _Failure(
            f"is not idempotent: a second run over the same rows changes the target, {_counts(cells)}",
            cells,
            hint="fix the clock with now, where the model reads it; or set idempotent: false",
        )

    def _standing(self, target: Step, expect: Expectation | None = None) -> _Content:
        """Return what the target holds."""
        # As a text, and not as an expression: it need not be compiled.
        name = ".".join(map(quoted, self._engine.name_of(target.relation)))
        table = self._engine.sql(f"SELECT * FROM {name}")
        if expect is not None and expect.order_by:
            for column in expect.order_by:
                _require(column, table.columns, expect.at)
            table = self._engine.sql(f"SELECT * FROM {name} ORDER BY {', '.join(map(quoted, expect.order_by))}")
        return _Content(table.schema(), self._engine.rows(table))

    def _compared(self, wanted: Rows, content: _Content, expect: Expectation, what: str) -> _Failure | None:
        rows: Sequence[Mapping[str, Any]] = [row.values for row in wanted.rows]
        columns: Sequence[str] = wanted.columns
        if wanted.sql is not None:
            found = self._engine.sql(self._given.select(wanted, {}, '"expect"'))
            rows, columns = self._engine.rows(found), found.columns
        for row in wanted.rows:
            for name in row.values:
                _require(name, content.schema.names, row.at)
        for name in (*columns, *self._case.key, *self._case.tolerance.columns):
            _require(name, content.schema.names, wanted.at)
        import ibis

        compared = ibis.schema({name: content.schema[name] for name in columns or content.schema.names})
        manner = Manner(compared, self._key(), self._case.tolerance, ordered=bool(expect.order_by))
        cells = differences(rows, content.rows, manner)
        return _Failure(f"{what}: {_counts(cells)}", cells) if cells else None

    def _key(self) -> tuple[str, ...]:
        if self._case.key or self._model.incremental is None:
            return self._case.key
        return self._model.incremental.unique_key


_NO_ACTION: Any = None


def _is_repeated(case: Case, model: Model) -> bool:
    """Whether a second run has to change nothing: not for a view, and not for rows that nothing recognises again."""
    if model.materialized is Materialized.VIEW:
        return False
    if case.idempotent is not None:
        return case.idempotent
    settings = model.incremental
    return settings is None or bool(settings.unique_key or settings.updated_at)


def _require(name: str, columns: Sequence[str], at: Location) -> None:
    if name not in columns:
        raise MissingColumn(
            f'the case names a column "{name}", which the model does not have',
            at=at,
            hint=hint_from(name, columns, "columns"),
        )


def _counts(cells: Sequence[Difference]) -> str:
    rows = sum(cell.column == ROW for cell in cells)
    words = [counted(len(cells) - rows, "cell")] if len(cells) > rows else []
    return " and ".join([*words, *([counted(rows, "row")] if rows else [])]) + (
        " differs" if len(cells) == 1 else " differ"
    )
