"""A model and its inputs, as one Ibis table: SQL through the connection, Python by calling it."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Collection, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from fastflowtransform import translating
from fastflowtransform.bound_columns import INLINE as INLINE
from fastflowtransform.bound_columns import BoundColumns, Known, Written
from fastflowtransform.column_types import with_types
from fastflowtransform.contract import parsed
from fastflowtransform.engines.base import Engine, LazyFrames, Select
from fastflowtransform.engines.compiling import for_dialect
from fastflowtransform.errors import (
    BadSql,
    ColumnsUnknown,
    EngineError,
    Location,
    MissingColumn,
    RelationMissing,
    WrongResult,
    hint_from,
)
from fastflowtransform.frames import KnownTypes, called, framed, require_libraries, rows_of
from fastflowtransform.graph import order
from fastflowtransform.model import ContractColumn, Frame, Materialized, Model, PythonBody, SqlBody
from fastflowtransform.own_names import StandIn, with_own_names
from fastflowtransform.project import Project
from fastflowtransform.relation import Relation
from fastflowtransform.rows import Built, Rows
from fastflowtransform.sql_model import Name, quoted_in, render, without_semicolon
from fastflowtransform.template import Template

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa
    from ibis.expr.schema import Schema


class Tables:
    """The project's nodes as Ibis tables, on one engine.

    An ephemeral model is its own expression, built where it is needed; anything else is what stands in the
    warehouse under its name.

    Parameters
    ----------
    project
        Where the models come from.
    engine
        Where they run.
    dialect
        What SQL is written in, where that is not the engine's own.
    instead
        Tables that stand for nodes, whatever is in the warehouse under their names.
    offline
        Whether a source that is not in the warehouse is taken to have the columns that `sources.yml` declares.
    relations
        What nodes are in a run, where the project has them in another place.
    """

    def __init__(
        self,
        project: Project,
        engine: Engine,
        dialect: str | None = None,
        instead: Mapping[str, Rows] = MappingProxyType({}),
        *,
        offline: bool = False,
        relations: Mapping[str, Relation] = MappingProxyType({}),
    ) -> None:
        self._project = project
        self._engine = engine
        self._dialect = dialect or engine.dialect
        self._instead = instead
        self._offline = offline
        self._relations = relations
        self._inline: dict[str, Rows] = dict(instead)
        self._known = Known(self.rows, self._standing, self._written)
        self._bound = BoundColumns(project, engine, self._known)
        self._warnings: list[str] = []

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what has been told of translations so far."""
        return tuple(self._warnings)

    def _warn(self, warning: str) -> None:
        self._warnings.append(warning)

    def give(self, name: str, rows: Rows) -> None:
        """Let a name in a text mean rows that stand in front of it as a common table expression."""
        self._bound.give(name, rows)

    def foresee(self, names: Collection[str]) -> None:
        """Take models to have the columns that their texts give: they are built before others read them."""
        self._bound = BoundColumns(self._project, self._engine, self._known, names)

    def table(self, node: str) -> ir.Table:
        """Return a model, seed or source as others read it, as an expression."""
        return self.rows(node).table()

    def rows(self, node: str) -> Rows:
        """Return a model, seed or source as others read it."""
        if node not in self._inline:
            if not self._is_inline(node):
                return self._standing(node)
            self._inline[node] = self._inlined(self._project.models[node])
        return self._inline[node]

    def _standing(self, node: str) -> Rows:
        """Return a table or view of the warehouse."""
        source = self._project.sources.get(node)
        try:
            return self._engine.found(self._project.read_from(node))
        except RelationMissing:
            if not self._offline or source is None or not source.columns:
                raise
        import ibis
        import ibis.expr.operations as ops

        *catalog, database, name = self._engine.name_of(source.relation)
        types = {
            column: parsed(text, ContractColumn(column, (text,), source.at)) for column, text in source.columns.items()
        }
        namespace = ops.Namespace(catalog=catalog[0] if catalog else None, database=database)
        connection = self._engine.connection
        table = ops.DatabaseTable(name, schema=ibis.schema(types), source=connection, namespace=namespace)
        return Built(table.to_expr())

    def require_columns(self, model: Model) -> None:
        """Raise `MissingColumn` where an input lacks a column that a model requires of it."""
        for found in model.reads:
            needed = model.requires.get(found.name, ())
            columns = self.rows(found.node).columns if needed else ()
            for column in needed:
                if self._engine.capabilities.folding.spelling(column, columns) is None:
                    raise MissingColumn(
                        f'"{model.name}" requires the column "{column}" of "{found.name}", which does not have it',
                        at=model.at,
                        hint=hint_from(column, columns, "columns"),
                    )

    def frame(self, node: str, frame: Frame, model: Model) -> Any:
        """Return a node in the kind of table that a model's function takes."""
        table = self.table(node)
        if frame is Frame.IBIS:
            return table
        if frame is Frame.SPARK:
            return self._lazy().frame(table)
        with self._engine.batches(table) as batches:
            return framed(batches, frame, model, node)

    def framed(self, frame: Any) -> ir.Table:
        """Return the engine's own lazy table as an expression."""
        return self._lazy().framed(frame)

    def _lazy(self) -> LazyFrames:
        assert isinstance(self._engine, LazyFrames), "the plan refuses it"
        return self._engine

    def sql(self, model: Model, template: Template, *, is_incremental: bool) -> str:
        """Return a template of `model` in the engine's dialect, with the ephemeral models that it reads in front."""
        text = self._text(model, template, is_incremental=is_incremental)
        inlined = self._inlined_below(model)
        if not inlined:
            return text
        names = {node: quoted_in((INLINE + node,), self._dialect) for node in inlined}
        models = [f"{name} AS (\n{self._inline_text(node)}\n)" for node, name in names.items()]
        return f"WITH {', '.join(models)} SELECT * FROM (\n{text}\n) AS model"

    def _text(self, model: Model, template: Template, *, is_incremental: bool) -> str:
        """Return a template of `model` in the engine's dialect; an ephemeral model is a name in it."""
        text, dialect = self._source_text(model, template, is_incremental=is_incremental), self._dialect_of(model)
        if dialect == self._dialect:
            return text
        self._bound.forget(Relation(self._project.database, model.name))
        return self.translated(text, dialect, template)

    def _dialect_of(self, model: Model) -> str:
        body = model.body
        return (body.dialect if isinstance(body, SqlBody) else None) or self._project.dialect or self._dialect

    def _source_text(self, model: Model, template: Template, *, is_incremental: bool) -> str:
        """Return a template of `model` in its own dialect."""
        dialect = self._dialect_of(model)
        names = {found.node: self._name(found.node, dialect) for found in model.reads}
        this = self._printed(Relation(self._project.database, model.name), dialect)
        text = render(template, self._project.scope, names, this, is_incremental=is_incremental)
        text = without_semicolon(text, dialect)
        text = with_own_names(text, self._stand_ins(model), dialect)
        if not text.strip():
            raise BadSql(f'the SQL of "{model.name}" is empty', at=template.at)
        return text

    def as_written(self, model: Model, template: Template, *, is_incremental: bool) -> list[tuple[str, str]]:
        """Return a template of `model`, and the ephemeral models that it reads, each with the dialect of its text.

        What the rules would translate stays as the user wrote it; else it is one text in the engine's dialect.
        """
        dialect = self._dialect_of(model)
        if not translating.has_rules(dialect, self._dialect):
            return [(self.sql(model, template, is_incremental=is_incremental), self._dialect)]
        texts = [(self._source_text(model, template, is_incremental=is_incremental), dialect)]
        for node in self._inlined_below(model):
            inner = self._rendered(node)
            if inner is not None and isinstance(inner.body, SqlBody):
                text = self._source_text(inner, inner.body.template, is_incremental=False)
                texts.append((text, self._dialect_of(inner)))
        return texts

    def _stand_ins(self, model: Model) -> list[StandIn]:
        """Return what a model reads under another name than its relation's."""
        found = []
        for node in (read.node for read in model.reads):
            if self._is_inline(node):
                found.append(StandIn((INLINE + node,), self._own(node)))
            elif node in self._project.deferred:
                found.append(StandIn(self._engine.name_of(self._project.read_from(node)), self._own(node)))
        if model.name in self._relations:
            this = self._engine.name_of(Relation(self._project.database, model.name))
            found.append(StandIn(this, self._relations[model.name]))
        return found

    def _own(self, node: str) -> Relation:
        """Return the relation that a node is in a run."""
        return self._relations.get(node) or self._project.relation(node)

    def _inlined_below(self, model: Model) -> list[str]:
        """Return what a SQL text needs in front of it, each once and after those that it reads."""
        found: set[str] = set()
        waiting = [read.node for read in model.reads]
        while waiting:
            node = waiting.pop()
            if node in found or not self._is_inline(node):
                continue
            found.add(node)
            if (rendered := self._rendered(node)) is not None:
                waiting += [read.node for read in rendered.reads]
        return [node for node in order(self._project.graph) if node in found] if found else []

    def _inline_text(self, node: str) -> str:
        """Return what stands in front of a text as SQL; an ephemeral SQL model's needs no connection."""
        model = self._rendered(node)
        if model is not None and isinstance(model.body, SqlBody):
            return self._text(model, model.body.template, is_incremental=False)
        return self.expression(self.table(node))

    def _rendered(self, node: str) -> Model | None:
        """Return the model whose text is put in place of a node's name; None where an expression is."""
        model = self._project.models.get(node)
        is_text = model is not None and isinstance(model.body, SqlBody)
        return model if is_text and self._is_ephemeral(node) and node not in self._instead else None

    def expression(self, table: ir.Table, *, pretty: bool = False) -> str:
        """Return the SQL of a table expression, in the dialect that is wanted."""
        if self._dialect == self._engine.dialect:
            return self._engine.compiled(table, pretty=pretty)
        return for_dialect(table, self._dialect)

    def require_translation(self, model: Model) -> None:
        """Raise `BadSql` where a model is written in another dialect, and has something that the engine does not.

        Raises
        ------
        BadSql
            It names the construct, and the line where it can be found.
        """
        body = model.body
        if not isinstance(body, SqlBody) or self._dialect != self._engine.dialect:
            return
        dialect = self._dialect_of(model)
        if dialect == self._dialect:
            return
        checked = [(body.template, False)] + ([(body.template, True)] if body.own_delta else [])
        if model.incremental is not None and model.incremental.delta is not None:
            checked.append((model.incremental.delta.template, True))
        for template, is_incremental in checked:
            try:
                sql = self.sql(model, template, is_incremental=is_incremental)
                self._engine.check(sql)
            except (RelationMissing, ColumnsUnknown):
                # What stands in the text reads a table that is not there before the run.
                continue
            except EngineError as error:
                raise BadSql(
                    f'the SQL of "{model.name}" has no translation from "{dialect}" into "{self._dialect}": '
                    f"{error.message}",
                    at=_pointed_at(template, error.near),
                    hint=f'write it in another form, or name the dialect "{self._dialect}" and write it in that',
                ) from error

    def read(self, sql: str, template: Template) -> Rows:
        """Return what a SQL text gives."""
        with located(template):
            return self._engine.asked(sql)

    def selected(self, sql: str) -> Select:
        """Return a SQL text to make a table or view of."""
        return self._engine.select(sql)

    def rows_of(self, model: Model, body: PythonBody, result: Any) -> ir.Table | pa.RecordBatchReader:
        """Return what a function gave as an expression, or as Arrow rows; its table and its inputs tell open types."""
        relation = Relation(self._project.database, model.name)

        def written() -> Schema | None:
            return self._engine.found(relation).schema() if self._engine.existing([relation]) else None

        inputs = [functools.partial(lambda node: self.rows(node).schema(), found.node) for found in model.inputs]
        can = self._engine.capabilities
        known = KnownTypes(model.contract, [written, *inputs], can.folding)
        return rows_of(model, body, result, known, nanoseconds=can.nanoseconds, nul=can.nul)

    def own(self, rows: ir.Table | pa.RecordBatchReader, model: Model) -> Rows | pa.RecordBatchReader:
        """Return what a function gave; an expression over another connection is none that this engine can run."""
        import ibis.expr.operations as ops
        import ibis.expr.types as ir

        if not isinstance(rows, ir.Table):
            return rows
        for table in rows.op().find(ops.DatabaseTable):
            if table.source is not self._engine.connection:
                raise WrongResult(
                    f'"{model.name}" returned a table of another connection, "{table.name}"',
                    at=model.at,
                    hint="build the table from the function's arguments, or ask for a DataFrame and return one",
                )
        return Built(with_types(rows))

    def stage(self, rows: Any) -> contextlib.AbstractContextManager[Rows]:
        """Keep rows aside, as `Engine.stage` does."""
        return self._engine.stage(rows)

    def _inlined(self, model: Model) -> Rows:
        rows = Query(model, self).result(is_incremental=False)
        if not isinstance(rows, Rows):
            raise WrongResult(
                f'"{model.name}" is ephemeral, and its function gives rows from outside of the warehouse',
                at=model.at,
                hint="set materialized='table', or return an Ibis table",
            )
        return rows

    def _is_inline(self, node: str) -> bool:
        """Whether a node stands as an expression, and not under a name in the warehouse."""
        return node in self._instead or self._is_ephemeral(node)

    def _is_ephemeral(self, node: str) -> bool:
        model = self._project.models.get(node)
        return model is not None and model.materialized is Materialized.EPHEMERAL

    def _name(self, node: str, dialect: str) -> Name:
        if self._is_inline(node):
            own = self._own(node)
            return Name(quoted_in((INLINE + node,), dialect), own.database, own.name)
        return self._printed(self._project.read_from(node), dialect)

    def _printed(self, relation: Relation, dialect: str) -> Name:
        """Return a relation's name; what only the engine at hand needs in it is left out for another one."""
        elsewhere = self._dialect != self._engine.dialect
        parts = (relation.database, relation.name) if elsewhere else self._engine.name_of(relation)
        return Name(quoted_in(parts, dialect), relation.database, relation.name)

    def translated(self, text: str, dialect: str, source: Template | Location) -> str:
        """Return a SELECT that is written in `dialect` in the dialect that is wanted."""
        return translating.translated(text, (dialect, self._dialect), source, self._bound.of, self._warn)

    def _written(self, node: str) -> Written | None:
        """Return a model's text, where its own dialect tells what columns it gives."""
        model = self._project.models.get(node)
        if model is None or not isinstance(model.body, SqlBody) or node in self._instead:
            return None
        dialect = self._dialect_of(model)
        if not translating.has_rules(dialect, self._dialect):
            return None
        return Written(self._source_text(model, model.body.template, is_incremental=False), dialect, model.at)


class Query:
    """What a model asks, ready to be asked: in full, or as the user's own delta.

    Parameters
    ----------
    model
        The model.
    tables
        Its inputs.
    on_rows
        Is shown each result before anything is made of it, and may refuse it.
    """

    def __init__(
        self, model: Model, tables: Tables, on_rows: Callable[[Rows | pa.RecordBatchReader], None] | None = None
    ) -> None:
        self.model = model
        self._tables = tables
        self._on_rows = on_rows

    def select(self) -> Select | None:
        """Return the text of a SQL model without a contract; what it gives is for the warehouse alone to know."""
        body = self.model.body
        if isinstance(body, PythonBody) or self.model.contract is not None:
            return None
        with self.located():
            return self._tables.selected(self._tables.sql(self.model, body.template, is_incremental=False))

    def located(self) -> contextlib.AbstractContextManager[None]:
        """Let an error of the warehouse in the block say where in the model's text it is."""
        body = self.model.body
        return located(body.template) if isinstance(body, SqlBody) else contextlib.nullcontext()

    def rows(self, *, is_incremental: bool) -> ir.Table | pa.RecordBatchReader:
        """Return the model's result, as an expression where it is one."""
        rows = self.result(is_incremental=is_incremental)
        return rows.table() if isinstance(rows, Rows) else rows

    def result(self, *, is_incremental: bool) -> Rows | pa.RecordBatchReader:
        """Return the model's result: rows of the warehouse, or Arrow rows where the function gives a DataFrame."""
        rows = self._result(is_incremental=is_incremental)
        if self._on_rows is not None:
            self._on_rows(rows)
        return rows

    def _result(self, *, is_incremental: bool) -> Rows | pa.RecordBatchReader:
        body = self.model.body
        if isinstance(body, PythonBody):
            require_libraries(self.model, body.frame)
            tables = [self._tables.frame(found.node, body.frame, self.model) for found in self.model.inputs]
            result = called(self.model, body, tables)
            if body.frame is Frame.SPARK:
                return Built(with_types(self._tables.framed(result)))
            rows = self._tables.rows_of(self.model, body, result)
            return self._tables.own(rows, self.model)
        sql = self._tables.sql(self.model, body.template, is_incremental=is_incremental)
        return self._tables.read(sql, body.template)

    def delta(self) -> Rows | None:
        """Return the user's own delta SQL; None where there is none."""
        incremental = self.model.incremental
        if incremental is None or incremental.delta is None:
            return None
        template = incremental.delta.template
        return self._tables.read(self._tables.sql(self.model, template, is_incremental=True), template)

    @contextlib.contextmanager
    def given(self, *, is_incremental: bool) -> Iterator[Rows]:
        """Give the result as rows of the warehouse; those of a DataFrame are staged while the block runs."""
        rows = self.result(is_incremental=is_incremental)
        with contextlib.nullcontext(rows) if isinstance(rows, Rows) else self._tables.stage(rows) as found:
            yield found


@contextlib.contextmanager
def located(template: Template) -> Iterator[None]:
    """Add to an error of the warehouse the line of the template that it points at, where the line can be found."""
    try:
        yield
    except EngineError as error:
        error.at = error.at or _pointed_at(template, error.near)
        raise


def _pointed_at(template: Template, near: str | None) -> Location:
    if near:
        wanted = near.strip(". ").casefold()
        found = [n for n, line in enumerate(template.text.splitlines(), start=1) if wanted in line.casefold()]
        if wanted and len(found) == 1:
            return template.line(found[0])
    return Location(template.at.path) if near is None else template.at
