"""Runs unit tests: the models' own materializations, on an engine that holds nothing but a case's rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fastflowtransform import materializations
from fastflowtransform.engines.base import Engine
from fastflowtransform.errors import EngineError, FftError, Location, MissingColumn, UnitTestFailed, counted, hint_from
from fastflowtransform.materializations import incremental
from fastflowtransform.materializations.spelling import spelt_as
from fastflowtransform.model import Materialized, Model, SqlBody
from fastflowtransform.normalize import Query
from fastflowtransform.plan import Step, step_of
from fastflowtransform.project import Project
from fastflowtransform.relation import Relation
from fastflowtransform.report import Report
from fastflowtransform.results import CheckResult, Status
from fastflowtransform.rows import Built
from fastflowtransform.sql_model import quoted_in
from fastflowtransform.utest.case import Case, Expectation, Rows, Run, Tolerance
from fastflowtransform.utest.compare import ROW, Difference, Manner, differences
from fastflowtransform.utest.given import Given

if TYPE_CHECKING:
    from ibis.expr.schema import Schema

KIND = "unit"


@dataclass(frozen=True, slots=True)
class _Failure:
    """What is not as it should be, in words and cell by cell."""

    what: str
    cells: tuple[Difference, ...] = ()
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """What a table holds."""

    schema: Schema
    rows: Sequence[Mapping[str, object]]


def run_cases(
    cases: Iterable[Case],
    project: Project,
    engine: Engine,
    report: Report,
    in_warehouse: Callable[[Relation], Schema | None] = lambda relation: None,
) -> tuple[CheckResult, ...]:
    """Run unit tests, each by itself, in the engine's scratch schema.

    Parameters
    ----------
    cases
        What to run.
    project
        Where their models are.
    engine
        Where they run; none of the project's tables is read.
    report
        Is told of each beginning and end.
    in_warehouse
        Returns the columns of a table in the warehouse; asked for inputs of which nothing in the project tells.

    Returns
    -------
    tuple of CheckResult
        One a case, in their order. `sample` holds what differs: key, column, expected, actual.
    """
    given = Given(project, engine, in_warehouse)
    results = []
    for case in cases:
        report.started(case.title, KIND)
        result = _result(case, given, engine)
        report.finished(result)
        results.append(result)
    return tuple(results)


def content(case: Case, project: Project, engine: Engine) -> Content:
    """Return what a model's table holds after a case's first run; nothing is compared."""
    trial = _Trial(case, Given(project, engine), engine)
    trial.apply(trial.query(case.runs[0]))
    return trial.standing()


def _result(case: Case, given: Given, engine: Engine) -> CheckResult:
    began = time.perf_counter()
    error: FftError | None = None
    failure: _Failure | None = None
    try:
        failure = _Trial(case, given, engine).failure()
    except FftError as raised:
        error = raised
        error.at = error.at or case.at
        if isinstance(error, EngineError) and given.untold:
            name, title = next(iter(given.untold.items()))
            error.hint = error.hint or f'say the type of "{name}" of {title}, as in columns: {{{name}: timestamp}}'
    if failure is not None:
        error = UnitTestFailed(f'"{case.title}" {failure.what}', at=case.at, hint=failure.hint)
    cells = () if failure is None else failure.cells
    sample: tuple[dict[str, object], ...] = tuple(
        {"key": cell.key, "column": cell.column, "expected": cell.expected, "actual": cell.actual} for cell in cells
    )
    status = Status.SUCCESS if error is None else Status.ERROR
    number = 0 if error is None else len(cells) or None
    seconds = time.perf_counter() - began
    return CheckResult(
        case.title, case.model, KIND, status, seconds, number, sample, error=error, notes=_notes(given.guessed)
    )


def _notes(guessed: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Say which columns of inputs were guessed."""
    return tuple(
        f"""the columns of {title} are not known: {", ".join(f'"{name}"' for name in names)} """
        f"""{"is" if len(names) == 1 else "are"} taken from the model's text"""
        for title, names in guessed.items()
    )


class _Trial:
    """One case, in a schema that is empty when it begins.

    Parameters
    ----------
    case
        What is tried.
    given
        Puts rows in the place of inputs.
    engine
        Where it runs.
    """

    def __init__(self, case: Case, given: Given, engine: Engine) -> None:
        self._case, self._given, self._engine = case, given, engine
        self._target = Relation(engine.scratch(), case.model)
        settings = given.project.models[case.model].incremental
        self._folding = engine.capabilities.folding
        self._key = case.key or (() if settings is None else settings.unique_key)

    def failure(self) -> _Failure | None:
        """Do each run, and return the first thing that is not as expected."""
        for number, run in enumerate(self._case.runs, start=1):
            query = self.query(run)
            if number == 1 and self._case.this is not None:
                self._stand(self._case.this, query)
            failure = self._of_run(run.expect, query)
            if failure is not None:
                several = f" in run {number}" if len(self._case.runs) > 1 else ""
                return replace(failure, what=f"{failure.what}{several}")
        return None

    def query(self, run: Run) -> Query:
        """Return what the model asks, over the rows of a run."""
        return self._given.query(self._case, run, self._target.database)

    def apply(self, query: Query) -> None:
        """Do what `fft run` does about the model."""
        step = self._step(query.model)
        materializations.find(query.model.materialized).apply(self._engine, step, query)

    def standing(self, order_by: Sequence[str] = ()) -> Content:
        """Return what the target holds."""
        # As a text, and not as an expression: it need not be compiled.
        name = quoted_in(self._engine.name_of(self._target), self._engine.dialect)
        columns = ", ".join(quoted_in((column,), self._engine.dialect) for column in order_by)
        table = self._engine.sql(f"SELECT * FROM {name}{f' ORDER BY {columns}' if columns else ''}")
        return Content(table.schema(), self._engine.rows(table))

    def _stand(self, this: Rows, query: Query) -> None:
        """Make the target as it was: with the types of the model's own columns, or with those that are written."""
        types = {} if this.sql is not None else self._given.types([this], {}, '"this"')
        if this.sql is None and not this.types:
            with query.given(is_incremental=False) as given:
                schema = given.schema() if isinstance(query.model.body, SqlBody) else self._engine.schema(given.table())
            this = this.spelt_as(schema.names, self._folding)
            types = self._given.types([this], {}, '"this"')
            types = {**schema, **{name: dtype for name, dtype in types.items() if name not in schema}}
        rows = self._engine.sql(self._given.select(this, types, '"this"'))
        self._engine.replace(self._target, rows, over=None)

    def _of_run(self, expect: Expectation, query: Query) -> _Failure | None:
        try:
            failure = self._of_delta(expect, query)
            self.apply(query)
        except FftError as error:
            if error.code == expect.error:
                return self._of_rows(expect, self._found(expect)) if self._engine.existing([self._target]) else None
            if expect.error is not None:
                error.hint = f'the case expects the error "{expect.error}"'
            raise
        if expect.error is not None:
            return _Failure(f'expects the error "{expect.error}", and the model runs')
        found = self._found(expect)
        return failure or self._of_rows(expect, found) or self._of_repetition(query, found)

    def _found(self, expect: Expectation) -> Content:
        """Return what the target holds, in the order that is expected."""
        if expect.order_by:
            columns = self.standing().schema.names
            for name in expect.order_by:
                _require(self._folding.spelling(name, columns) or name, columns, expect.at)
        return self.standing(expect.order_by)

    def _step(self, model: Model) -> Step:
        over = self._engine.existing([self._target]).get(self._target)
        return step_of(model, self._target, over, self._engine.capabilities, full_refresh=False)

    def _of_delta(self, expect: Expectation, query: Query) -> _Failure | None:
        if expect.delta is None:
            return None
        with incremental.delta(self._engine, self._step(query.model), query) as table:
            found = Content(table.schema(), self._engine.rows(table))
        return self._compared(expect.delta, found, "takes up another delta than it expects")

    def _of_rows(self, expect: Expectation, found: Content) -> _Failure | None:
        if expect.rows is None:
            return None
        return self._compared(expect.rows, found, "gives other rows than it expects", ordered=bool(expect.order_by))

    def _of_repetition(self, query: Query, before: Content) -> _Failure | None:
        """Run again with nothing new: the target has to stay as it is."""
        if not _is_repeated(self._case, query.model):
            return None
        self.apply(query)
        after = self.standing()
        cells = differences(before.rows, after.rows, replace(self._manner(after.schema), tolerance=Tolerance()))
        if not cells:
            return None
        return _Failure(
            f"is not idempotent: a second run over the same rows changes the target, {_counts(cells)}",
            cells,
            hint="fix the clock with now, where the model reads it; or set idempotent: false",
        )

    def _manner(self, schema: Schema, *, ordered: bool = False) -> Manner:
        """Return how rows of these columns are compared, with the key and the tolerances spelt as they are."""
        names, tolerance = schema.names, self._case.tolerance
        key = tuple(self._folding.spelling(name, names) or name for name in self._key)
        of_columns = {self._folding.spelling(name, names) or name: most for name, most in tolerance.columns.items()}
        return Manner(schema, key, replace(tolerance, columns=of_columns), ordered)

    def _compared(self, wanted: Rows, found: Content, what: str, *, ordered: bool = False) -> _Failure | None:
        wanted = wanted.spelt_as(found.schema.names, self._folding)
        rows: Sequence[Mapping[str, Any]] = [row.values for row in wanted.rows]
        columns: Sequence[str] = wanted.columns
        if wanted.sql is not None:
            table = self._engine.sql(self._given.select(wanted, {}, '"expect"'))
            table = spelt_as(Built(table), found.schema.names, self._folding).table()
            rows, columns = self._engine.rows(table), table.columns
        for row in wanted.rows:
            for name in row.values:
                _require(name, found.schema.names, row.at)
        for name in (*columns, *self._case.key, *self._case.tolerance.columns):
            _require(self._folding.spelling(name, found.schema.names) or name, found.schema.names, wanted.at)
        import ibis

        compared = ibis.schema({name: found.schema[name] for name in columns or found.schema.names})
        cells = differences(rows, found.rows, self._manner(compared, ordered=ordered))
        return _Failure(f"{what}: {_counts(cells)}", cells) if cells else None


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
