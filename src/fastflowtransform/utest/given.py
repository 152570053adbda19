"""The rows of a case in the place of a model's inputs: each input becomes an ephemeral model of nothing but its rows.

So no table is made for an input, and no parent is built.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from fastflowtransform.engines.base import Engine
from fastflowtransform.errors import BadValue, FftError, Location, MissingColumn, UnknownInputColumn, hint_from, nearest
from fastflowtransform.model import Materialized, Model, PythonBody, SqlBody
from fastflowtransform.normalize import INLINE, Query, Tables
from fastflowtransform.project import Project
from fastflowtransform.relation import Relation
from fastflowtransform.rows import Named
from fastflowtransform.sql_model import quoted_in
from fastflowtransform.template import Template
from fastflowtransform.utest.case import Case, Row, Rows, Run
from fastflowtransform.utest.clock import Stopped
from fastflowtransform.utest.reads import ALL, columns_read, inputs
from fastflowtransform.utest.upstream import Known, Upstream
from fastflowtransform.utest.values import Misfit, dtype_of, is_nested, spelt, type_of, typed

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    from ibis.expr.schema import Schema

    Types = Mapping[str, dt.DataType | None]

_STAND_IN = "SELECT 1 AS one"


class Given:
    """Lets models read the rows of cases.

    Parameters
    ----------
    project
        The project as it is.
    engine
        Where the cases run.
    in_warehouse
        Returns the columns of a table in the warehouse, for inputs of which nothing in the project tells.
    """

    def __init__(
        self,
        project: Project,
        engine: Engine,
        in_warehouse: Callable[[Relation], Schema | None] = lambda relation: None,
    ) -> None:
        self.project = project
        self._engine = engine
        self._folding = engine.capabilities.folding
        self._read: dict[str, Mapping[str, set[str]]] = {}
        self._upstream = Upstream(project, engine, self._empty, in_warehouse)
        self._relations = {node: project.relation(node) for node in project.graph.nodes}
        self.untold: dict[str, str] = {}
        """What is given of an input, by the name of a column of NULLs whose type nothing told; of the last query."""
        self.guessed: dict[str, tuple[str, ...]] = {}
        """The columns of an input that nothing told of but the model's text, by the input; of the last query."""

    def query(self, case: Case, run: Run, database: str) -> Query:
        """Return what a case's model asks over the rows of one of its runs, where its own table stands in `database`.

        Raises
        ------
        BadValue
            A value is not of its column's type, or a column's type cannot be told.
        """
        self.untold, self.guessed = {}, {}
        project = self._project(case, run, database)
        return Query(project.models[case.model], Stopped(project, self._engine, run.now, self._relations))

    def _project(self, case: Case, run: Run, database: str) -> Project:
        """Return a project in which the inputs of a model are ephemeral models of nothing but rows."""
        model = self.project.models[case.model]
        scope = replace(self.project.scope, vars=MappingProxyType({**self.project.scope.vars, **run.variables}))
        if model.materialized is Materialized.EPHEMERAL:
            model = replace(model, materialized=Materialized.VIEW)
        models = {**self.project.models, model.name: model}
        stand_ins = {node: self._ephemeral(node, _STAND_IN, rows.at) for node, rows in run.given.items()}
        changed = replace(self.project, database=database, scope=scope, models={**models, **stand_ins})
        is_known = all(self._upstream.columns(node).is_complete for node in run.given)
        read = {} if is_known else self._columns_read(model, changed, run)
        rows_of = {
            node: self._ephemeral(node, self._select_given(node, rows, read, case), rows.at)
            for node, rows in run.given.items()
        }
        return replace(changed, models=MappingProxyType({**models, **rows_of}))

    def select(self, rows: Rows, types: Types, title: str) -> str:
        """Return the SELECT that gives rows.

        Parameters
        ----------
        rows
            The rows.
        types
            The type of each column, in the order of the table; None for a column of NULLs without a type.
        title
            What the rows are, for an error.
        """
        if rows.sql is not None:
            return self._own(rows)
        if not types:
            return f"{_STAND_IN} WHERE 1 = 0"
        rows = rows.spelt_as(types, self._folding)
        known = {name: dtype for name, dtype in types.items() if dtype is not None}
        columns = [f"{self._cast(name, types[name])} AS {self._name(name)}" for name in types]
        if not rows.rows or not known:
            one = f"SELECT {', '.join(f'NULL AS {self._name(name)}' for name in types)}"
            values = " UNION ALL ".join([one] * len(rows.rows)) or f"{one} WHERE 1 = 0"
            return f"SELECT {', '.join(columns)} FROM ({values}) AS rows"
        lines = [
            ", ".join(spelt(_value(row, name, dtype, title), dtype, self._engine) for name, dtype in known.items())
            for row in rows.rows
        ]
        names = ", ".join(map(self._name, known))
        return f"SELECT {', '.join(columns)} FROM (VALUES ({'), ('.join(lines)})) AS rows({names})"

    def types(
        self, tables: Sequence[Rows], declared: Mapping[str, str], title: str, known: Types = MappingProxyType({})
    ) -> dict[str, dt.DataType | None]:
        """Return the type of each column that tables name or somebody declares.

        It is as it is declared, or as it is `known` where the values are of that type; else as the values are.
        """
        found: dict[str, dt.DataType | None] = {}
        folding, names = self._folding, dict[str, str]()
        for name in (*(name for rows in tables for name in rows.columns), *declared):
            names.setdefault(folding.fold(name), name)
        tables = [rows.spelt_as(names.values(), folding) for rows in tables]
        for name in names.values():
            try:
                said = declared.get(folding.spelling(name, declared) or name)
                found[name] = _type_in(tables, name, said, known.get(folding.spelling(name, known) or name))
            except Misfit as misfit:
                raise BadValue(
                    f'the column "{name}" of {title} holds {misfit}, whose type is not said',
                    at=next(row.at for rows in tables for row in rows.rows),
                    hint=f"add columns: {{{name}: TYPE}}",
                ) from None
        return found

    def _select_given(self, node: str, rows: Rows, read: Mapping[str, set[str]], case: Case) -> str:
        if rows.sql is not None:
            return self._own(rows)
        title, known = _title(node), self._upstream.columns(node)
        # All runs together, so that a column has one type in them all.
        tables = [run.given[node].spelt_as(known.types, self._folding) for run in case.runs if node in run.given]
        rows = rows.spelt_as(known.types, self._folding)
        wanted = read.get(node, set())
        given = {self._fold(name) for table in tables for name in table.columns}
        missing = sorted(name for name in wanted - {ALL} if self._fold(name) not in given)
        for row in rows.rows:
            if known.is_complete:
                _require_known(row, known, title)
            _require_read(row, {*wanted, *read.get("", ()), *known.types}, [*missing, *known.types], title)
        types = self.types(tables, self._declared(node), title, known.types)
        told = {self._fold(name) for name in (*known.types, *types)}
        if guessed := [name for name in missing if self._fold(name) not in told]:
            self.guessed[title] = tuple(guessed)
        names = [*known.types, *(name for name in (*guessed, *types) if name not in known.types)]
        columns = {
            name: types.get(name) or known.types.get(name) or _type_of_target(case, name)
            for name in dict.fromkeys(names)
        }
        self.untold |= {name: title for name, dtype in columns.items() if dtype is None}
        return self.select(rows, columns, title)

    def _fold(self, name: str) -> str:
        return self._folding.fold(name)

    def _empty(self, types: Types) -> Named:
        """Return a table without rows."""
        return self._engine.asked(self.select(Rows((), Location(self.project.folder)), types, "a table without rows"))

    def _declared(self, node: str) -> Mapping[str, str]:
        """Return the types that are declared: of a seed, of a source and the seed that fills it, or by a contract."""
        project = self.project
        if (source := project.sources.get(node)) is not None:
            seeds = [self._declared(found) for found in project.graph.upstream[node] if found in project.seeds]
            return {**source.columns, **(seeds[0] if seeds else {})}
        if (seed := project.seeds.get(node)) is not None:
            return seed.types
        contract = project.models[node].contract
        return {} if contract is None else {column.name: column.types[0] for column in contract.columns if column.types}

    def _columns_read(self, model: Model, project: Project, run: Run) -> Mapping[str, set[str]]:
        """Return the columns that the SQL of a model reads of each input; of a Python model, it may be any."""
        # All that it reads is an ephemeral model here.
        below = (project.models[node] for node in inputs(model, project).values())
        body = model.body
        if not isinstance(body, SqlBody) or any(isinstance(inner.body, PythonBody) for inner in below):
            return {node: {ALL} for node in run.given}
        templates = [(body.template, False), *([(body.template, True)] if body.own_delta else [])]
        if model.incremental is not None and model.incremental.delta is not None:
            templates.append((model.incremental.delta.template, True))
        tables = Tables(project, self._engine, relations=self._relations)
        texts = [
            text
            for template, increment in templates
            for text in tables.as_written(model, template, is_incremental=increment)
        ]
        found: dict[str, set[str]] = {}
        for text, dialect in texts:
            if text not in self._read:
                names = [INLINE + node for node in run.given]
                self._read[text] = columns_read(text, dialect, names)
            for name, columns in self._read[text].items():
                found.setdefault(name.removeprefix(INLINE), set()).update(columns)
        return found

    def _ephemeral(self, node: str, sql: str, at: Location) -> Model:
        # A template without code is not rendered: what looks like Jinja in the data is data.
        body = SqlBody(Template(sql, at, parts=(sql,)), self._engine.dialect)
        return Model(node, body, at, Materialized.EPHEMERAL)

    def _name(self, column: str) -> str:
        return quoted_in((column,), self._engine.dialect)

    def _cast(self, name: str, dtype: dt.DataType | None) -> str:
        if dtype is None:
            return "NULL"
        if is_nested(dtype):
            return self._name(name)
        return f"CAST({self._name(name)} AS {self._engine.connection.compiler.type_mapper.to_string(dtype)})"

    def _own(self, rows: Rows) -> str:
        """Return the SQL of `sql`, which is one SELECT in the project's dialect."""
        assert rows.sql is not None
        sql, dialect = rows.sql, self.project.dialect
        try:
            if dialect is not None and dialect != self._engine.dialect:
                sql = Tables(self.project, self._engine).translated(sql, dialect, rows.at)
            self._engine.sql(sql)
        except FftError as error:
            error.at = error.at or rows.at
            raise
        return sql


def _type_in(
    tables: Sequence[Rows], name: str, declared: str | None = None, known: dt.DataType | None = None
) -> dt.DataType | None:
    """Return the type of a column in tables that have it: as it is said or known, else as the values are."""
    said = next((rows.types[name] for rows in tables if name in rows.types), declared)
    if said is None and known is not None:
        # Of a seed, only the first rows were looked at.
        with contextlib.suppress(Misfit):
            for rows in tables:
                for row in rows.rows:
                    typed(row.values.get(name), known)
            return known
    text = said or type_of(row.values.get(name) for rows in tables for row in rows.rows)
    return None if text is None else dtype_of(text)


def _type_of_target(case: Case, name: str) -> dt.DataType | None:
    """Return what a case says of the type of the target's column: most models hand columns on under their names."""
    expected = [rows for run in case.runs for rows in (run.expect.rows, run.expect.delta)]
    with contextlib.suppress(Misfit):
        return _type_in([rows for rows in (case.this, *expected) if rows is not None], name)
    return None


def _require_read(row: Row, read: set[str], missing: Sequence[str], title: str) -> None:
    """Raise for a column that the model does not read, and that is spelt nearly as one that it does."""
    known = {name.casefold() for name in read}
    for name in row.values:
        if name.casefold() not in known and (hint := nearest(name, missing)) is not None:
            raise MissingColumn(
                f'the case gives "{name}" of {title}, which the model does not read', at=row.at, hint=hint
            )


def _require_known(row: Row, known: Known, title: str) -> None:
    """Raise `UnknownInputColumn` for a column that an input does not have, all of whose columns are known."""
    for name in row.values:
        if name not in known.types:
            raise UnknownInputColumn(
                f'the case gives "{name}" of {title}, which has no such column',
                at=row.at,
                hint=hint_from(name, known.types, "columns"),
            )


def _title(node: str) -> str:
    return f'"{node.removeprefix("source:")}"'


def _value(row: Row, name: str, dtype: dt.DataType, title: str) -> Any:
    try:
        return typed(row.values.get(name), dtype)
    except Misfit:
        raise unfit(row, name, dtype, title) from None


def unfit(row: Row, name: str, dtype: dt.DataType, title: str) -> FftError:
    """Return the error for a value that is not of its column's type."""
    value = row.values.get(name)
    hint = "put it into quotes" if dtype.is_string() else "correct the value, or say the column's type in columns"
    return BadValue(f'"{value}" in the column "{name}" of {title} is not of the type "{dtype}"', at=row.at, hint=hint)
