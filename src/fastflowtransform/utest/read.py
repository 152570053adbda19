"""Unit tests out of files: `tests/unit/**/*.yml`, and the functions marked with `unit_test` of `tests/unit/**/*.ff.py`.

Everything that can be known to be wrong without running a model is found here.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fastflowtransform.document import Section, read_document
from fastflowtransform.errors import (
    BadPythonModel,
    BadValue,
    DuplicateName,
    Location,
    MissingKey,
    UnknownRef,
    hint_from,
    nearest,
)
from fastflowtransform.files import files_in, has_file, inside, project_of, read_text
from fastflowtransform.model import Materialized, Model
from fastflowtransform.own_checks import UNIT_TESTS
from fastflowtransform.project import Project
from fastflowtransform.py_model import UserCode, load_module
from fastflowtransform.sql_model import model_name
from fastflowtransform.utest.case import Case, Expectation, Row, Rows, Run, Tolerance
from fastflowtransform.utest.mark import marked
from fastflowtransform.utest.reads import inputs
from fastflowtransform.utest.values import Misfit, dtype_of, narrowest, typed


@dataclass(frozen=True, slots=True)
class _Shared:
    """What a file says for all of its cases, or a case for all of its runs."""

    given: Mapping[str, Rows] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict)
    now: datetime | None = None
    tolerance: Tolerance = Tolerance()
    key: tuple[str, ...] = ()
    idempotent: bool | None = None


def read_cases(project: Project) -> tuple[Case, ...]:
    """Read all unit tests of a project, in the order of the files; those of models for other engines are left aside.

    Raises
    ------
    UnknownKey, MissingKey, BadValue
        A file says what nothing reads, or does not say what is needed.
    UnknownRef
        It names a model that is not in the project, or an input that the model does not read.
    DuplicateName
        Two cases of a model have one name.
    BadPythonModel
        A Python file cannot be loaded, or holds no unit test.
    """
    cases: dict[tuple[str, str], Case] = {}
    folder = project.folder / UNIT_TESTS
    for path in files_in(folder, ".yml", ".yaml", ".ff.py"):
        found = _of_python if path.name.endswith(".ff.py") else _of_yaml
        for case in found(path, project):
            first = cases.setdefault((case.model, case.name), case)
            if first is not case:
                raise DuplicateName(
                    f'two cases of "{case.model}" are called "{case.name}": here and at {first.at}',
                    at=case.at,
                    hint="rename one of them",
                )
    return tuple(cases.values())


def _of_yaml(path: Path, project: Project) -> Iterator[Case]:
    document = read_document(path, path.name)
    model = _model(document.required_text("model"), document.at("model"), project)
    if model is None:
        return
    shared = _shared(document, model, project, _Shared())
    if not document.has("cases"):
        near = nearest("cases", set(document.values) - {"cases"})
        raise MissingKey(f'{document.title} has no "cases"', at=document.at(), hint=near or 'add the key "cases"')
    for section in document.sections("cases", f'case of "{model.name}"'):
        yield _case(section, section.required_text("name"), model, project, shared)
    document.close()


def _of_python(path: Path, project: Project) -> Iterator[Case]:
    found = list(marked(load_module(path, project.folder), path))
    if not found:
        raise BadPythonModel(
            "no function in this file is a unit test", at=Location(path), hint='decorate one with @unit_test("model")'
        )
    for name, function, at in found:
        model = _model(name, at, project)
        if model is None:
            continue
        with UserCode(BadPythonModel, f'"{function.__name__}"', path):
            values = function()
        if not isinstance(values, Mapping):
            raise BadValue(
                f'"{function.__name__}" returned "{type(values).__name__}", which is not a case',
                at=at,
                hint='return a dict, such as {"given": …, "expect": …}',
            )
        section = Section(values, at, f'"{function.__name__}"')
        yield _case(section, section.text("name") or function.__name__, model, project, _Shared())


def _model(name: str, at: Location, project: Project) -> Model | None:
    model = project.models.get(model_name(name))
    if model is None and model_name(name) not in project.elsewhere:
        raise UnknownRef(
            f'"{name}" is not a model of this project', at=at, hint=hint_from(name, project.models, "models")
        )
    return model


def _case(section: Section, name: str, model: Model, project: Project, above: _Shared) -> Case:
    section.title = f'case "{name}"'
    shared = _shared(section, model, project, above)
    this = _rows(section, "this", f'"this" of "{name}"')
    if this is not None and model.materialized in (Materialized.VIEW, Materialized.EPHEMERAL):
        raise BadValue(
            f'case "{name}" has "this", and "{model.name}" is materialized as "{model.materialized}", without rows',
            at=section.at("this"),
            hint="take it away",
        )
    runs = tuple(_runs(section, name, model, project, shared))
    section.close()
    return Case(name, model.name, section.at(), runs, this, shared.key, shared.tolerance, shared.idempotent)


def _runs(section: Section, name: str, model: Model, project: Project, shared: _Shared) -> Iterator[Run]:
    if not section.has("runs"):
        yield _run(section, name, model, project, shared)
        return
    if section.has("expect"):
        raise BadValue(
            f'case "{name}" has "runs" and "expect"', at=section.at("expect"), hint="let each run have its own expect"
        )
    for number, inner in enumerate(section.sections("runs", f'run of "{name}"'), start=1):
        for key in ("tolerance", "key", "idempotent"):
            if inner.has(key):
                raise BadValue(
                    f'"{key}" of {inner.title} is not about one run', at=inner.at(key), hint="move it to the case"
                )
        shared = _shared(inner, model, project, shared)
        yield _run(inner, f"{name}, run {number}", model, project, shared)
        inner.close()


def _run(section: Section, name: str, model: Model, project: Project, shared: _Shared) -> Run:
    for found, node in inputs(model, project, but=shared.given).items():
        inner = project.models.get(node)
        if node not in shared.given and (inner is None or inner.materialized is not Materialized.EPHEMERAL):
            raise MissingKey(
                f'case "{name}" gives no rows of "{found}", which "{model.name}" reads',
                at=section.at(),
                hint=nearest("given", set(section.values) - {"given"}) or f"add {found}: {{rows: []}} to its given",
            )
    return Run(shared.given, _expectation(section, name, model), shared.variables, shared.now)


def _shared(section: Section, model: Model, project: Project, above: _Shared) -> _Shared:
    """Read what can stand in a file, a case and a run; the inner one wins."""
    given = dict(above.given)
    for key in ("given", "inputs"):
        inner = section.section(key) or Section({}, section.at(), key)
        for name in inner.values:
            node = _node(name, model, project, inner.at(name))
            rows = _rows(inner, name, f'"{name}"')
            if rows is not None:
                given[node] = rows
    variables = section.section("vars")
    return _Shared(
        given=MappingProxyType(given),
        variables={**above.variables, **({} if variables is None else variables.values)},
        now=_instant(section) or above.now,
        tolerance=_tolerance(section) or above.tolerance,
        key=section.texts("key") or above.key,
        idempotent=section.flag("idempotent") if section.has("idempotent") else above.idempotent,
    )


def _node(name: str, model: Model, project: Project, at: Location) -> str:
    known = inputs(model, project)
    wanted = name.removeprefix("source:")
    node = known.get(wanted) or known.get(model_name(wanted))
    if node is None:
        raise UnknownRef(f'"{name}" is not an input of "{model.name}"', at=at, hint=hint_from(name, known, "inputs"))
    return node


def _instant(section: Section) -> datetime | None:
    value = section.raw("now")
    try:
        instant: datetime | None = typed(value, dtype_of("timestamp('UTC')")) if section.has("now") else None
    except Misfit:
        raise section.bad("now", "a timestamp") from None
    return instant


def _tolerance(section: Section) -> Tolerance | None:
    value = section.raw("tolerance")
    if value is None:
        return None
    if not isinstance(value, Mapping):
        return Tolerance(_number(value, section, "tolerance"))
    columns = section.section("tolerance")
    assert columns is not None
    return Tolerance(columns={name: _number(columns.raw(name), columns, name) for name in columns.values})


def _number(value: Any, section: Section, key: str) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise section.bad(key, "a number") from None
    if isinstance(value, bool) or not number.is_finite() or number < 0:
        raise section.bad(key, "a number of zero or more")
    return number


def _expectation(section: Section, name: str, model: Model) -> Expectation:
    title = f'"expect" of "{name}"'
    if not section.has("expect"):
        near = nearest("expect", set(section.values) - {"expect"})
        raise MissingKey(f'case "{name}" has no "expect"', at=section.at(), hint=near or 'add the key "expect"')
    if isinstance(section.raw("expect"), list):
        return Expectation(section.at("expect"), _rows(section, "expect", title))
    inner = section.section("expect", title)
    assert inner is not None
    delta = _rows(inner, "delta", f'"delta" of {title}')
    if delta is not None and model.incremental is None:
        raise BadValue(
            f'case "{name}" expects a delta, and "{model.name}" is not incremental',
            at=inner.at("delta"),
            hint="expect rows",
        )
    order_by, error = inner.texts("order_by"), inner.text("error")
    rows = _table(inner, title) if {"rows", "csv", "sql"} & set(inner.values) else None
    inner.close()
    if rows is None and delta is None and error is None:
        raise MissingKey(f"{title} says nothing", at=section.at("expect"), hint="add rows, delta or error")
    return Expectation(section.at("expect"), rows, delta, order_by, error)


def _rows(section: Section, key: str, title: str) -> Rows | None:
    """Read the rows under a key: a list of them, or a mapping with `rows`, `csv` or `sql`."""
    if not section.has(key):
        return None
    if isinstance(section.raw(key), list):
        return _table(Section({"rows": section.raw(key)}, section.at(key), title), title)
    inner = section.section(key, title)
    assert inner is not None
    rows = _table(inner, title)
    inner.close()
    if not inner.values:
        raise MissingKey(f"{title} has no rows", at=section.at(key), hint="add rows, csv or sql")
    return rows


def _table(section: Section, title: str) -> Rows:
    ways = [key for key in ("rows", "csv", "sql") if section.has(key)]
    types = _types(section)
    if len(ways) > 1:
        raise BadValue(f'{title} has "{ways[0]}" and "{ways[1]}"', at=section.at(ways[1]), hint="keep one of the two")
    if "sql" in ways and types:
        raise BadValue(f'{title} has "sql" and "columns"', at=section.at("columns"), hint="cast the columns in the SQL")
    if "sql" in ways:
        return Rows((), section.at("sql"), sql=section.required_text("sql"))
    if "csv" in ways:
        return _of_csv(section, types)
    rows = tuple(Row(dict(row.values), row.at()) for row in section.sections("rows", f"row of {title}"))
    return Rows(rows, section.at(), types)


def _types(section: Section) -> dict[str, str]:
    """Read `columns`: the Ibis type of each column by its name."""
    columns = section.section("columns")
    types = {} if columns is None else {name: columns.required_text(name) for name in columns.values}
    for name, text in types.items():
        assert columns is not None
        try:
            dtype_of(text)
        except Misfit:
            known = ("boolean", "date", "decimal(18, 2)", "float64", "int32", "int64", "string", "timestamp")
            raise BadValue(
                f'the type of the column "{name}" is "{text}"',
                at=columns.at(name),
                hint=nearest(text, known) or f"use one of: {', '.join(known)}",
            ) from None
    return types


def _of_csv(section: Section, types: dict[str, str]) -> Rows:
    """Read `csv`: the text itself, or the name of a file beside the YAML's. An empty field is NULL."""
    text, at = section.required_text("csv"), section.at("csv")
    if "\n" not in text.strip():
        path = inside(project_of(at.path), at.path.parent, text.strip(), at)
        if not has_file(path):
            raise BadValue(
                f'csv names "{text}", which is not a file', at=at, hint="write a path from this file's folder"
            )
        text, at = read_text(path), Location(path, 0)
    reader = csv.DictReader(io.StringIO(text, newline=""))
    names = reader.fieldnames or ()
    for name in names:
        if names.count(name) > 1:
            raise BadValue(f'the CSV has two columns "{name}"', at=at, hint="rename one of them")
    rows = []
    for record in reader:
        line = Location(at.path, (at.line or 0) + reader.line_num)
        if None in record or None in record.values():
            raise BadValue(
                "this line has another number of values than the header", at=line, hint="end it as the header"
            )
        rows.append(Row({name: value or None for name, value in record.items()}, line))
    for name in names:
        values = [row.values[name] for row in rows if row.values[name] is not None]
        types.setdefault(name, narrowest(values))
    return Rows(tuple(rows), section.at("csv"), types)
