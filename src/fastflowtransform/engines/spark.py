"""Spark: a session here, on a cluster or on Databricks; Delta tables, and others by rewriting them."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, ClassVar

from fastflowtransform import incremental as rule
from fastflowtransform.column_types import converted
from fastflowtransform.engines import spark_catalog as catalog
from fastflowtransform.engines import spark_delta as delta
from fastflowtransform.engines import spark_notes as noting
from fastflowtransform.engines import spark_swap as swap
from fastflowtransform.engines.base import (
    UNCHANGED,
    UNGUARDED,
    Capabilities,
    ColumnChanges,
    Guard,
    Kind,
    Noted,
    Select,
    Standing,
)
from fastflowtransform.engines.compiling import Texts
from fastflowtransform.engines.notes import Notes, Value
from fastflowtransform.engines.preparing import Preparing
from fastflowtransform.engines.scratch import Scratch
from fastflowtransform.engines.spark_another import another
from fastflowtransform.engines.spark_catalog import printed, provider_of, ticked
from fastflowtransform.engines.spark_errors import Unsupported
from fastflowtransform.engines.spark_evidence import SparkEvidence
from fastflowtransform.engines.spark_filled import filled
from fastflowtransform.engines.spark_profile import database_of, read
from fastflowtransform.engines.spark_rows import batches, frame_of, kept, let_go
from fastflowtransform.engines.spark_session import Session, opened
from fastflowtransform.engines.spark_untyped import typed
from fastflowtransform.errors import BadSql, EngineError, FilledColumns, RelationMissing
from fastflowtransform.incremental import Comparing
from fastflowtransform.model import PLAIN, Frame, Layout
from fastflowtransform.names import Folding
from fastflowtransform.relation import Relation
from fastflowtransform.results import WriteCounts
from fastflowtransform.row_values import python_rows
from fastflowtransform.rows import Named, Rows
from fastflowtransform.settings import Profile

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    import ibis.expr.types as ir
    import pyarrow as pa
    from ibis.backends.pyspark import Backend
    from ibis.expr.schema import Schema
    from pyspark.sql import DataFrame

    from fastflowtransform.engines.base import Readable
    from fastflowtransform.engines.spark_types import Columns


class SparkEngine:
    """A Spark session, and one of its databases.

    Parameters
    ----------
    session
        The session.
    database
        The database that unqualified names mean.
    table_format
        What new tables are made of: `delta` or `parquet`.
    """

    name: ClassVar[str] = "databricks_spark"
    dialect: ClassVar[str] = "spark"
    capabilities: ClassVar[Capabilities] = Capabilities(
        comparing=Comparing(text_bytes="encode", encoding="UTF-8"),
        frames=frozenset(Frame),
        layouts=frozenset({"partition_by", "cluster_by", "table_properties"}),
        folding=Folding.UNICODE,
        plain_names=True,
        versions=True,
        many_writers=False,
        at_once=4,
    )

    def __init__(self, session: Session, database: str = "default", table_format: str = "delta") -> None:
        self._session = session
        self._database = database
        self._format = table_format
        self._numbers = itertools.count(1)
        self._texts = Texts(ticked)
        self.evidence = SparkEvidence(session)
        self.preparing = Preparing("spark", self.compiled, catalog.literal)
        self._frames: list[str] = []
        self._scratch = Scratch(session.rows)
        self._run_id = uuid.uuid4().hex
        self._writes: dict[Relation, int] = {}
        self._known = catalog.databases(session)
        if database.casefold() in self._known:
            session.rows(f"USE {ticked(database)}")

    @functools.cached_property
    def connection(self) -> Backend:
        """Ibis' backend, made when an expression needs it."""
        from fastflowtransform.engines.spark_compiler import Compiling

        return Compiling(self._session)

    @classmethod
    def database(cls, profile: Profile) -> str:
        """Return the database that the profile names, or `default`."""
        return database_of(profile)

    @classmethod
    def connect(
        cls, profile: Profile, *, read_only: bool = False, on_statement: Callable[[str], None] | None = None
    ) -> SparkEngine:
        """Use the session that is there, or open the profile's; without `read_only`, its database is made.

        Raises
        ------
        ConnectionFailed, DatabaseLocked
            There is no session to be had.
        """
        wanted = read(profile)
        session = opened(wanted.session, on_statement)
        try:
            if wanted.catalog is not None:
                session.rows(f"USE CATALOG {ticked(wanted.catalog)}")
            engine = cls(session, wanted.database, wanted.table_format)
            if not read_only:
                if engine._create_database(wanted.database):
                    session.rows(f"USE {ticked(wanted.database)}")
                swap.recovered(session, wanted.database)
        except EngineError:
            session.close()
            raise
        return engine

    def name_of(self, relation: Relation) -> tuple[str, ...]:
        """Return database and name."""
        return (relation.database, relation.name)

    def table(self, relation: Relation) -> ir.Table:
        """Return a table or view that exists, as an expression."""
        return self.found(relation).table()

    def found(self, relation: Relation) -> Named:
        """Return a table or view that exists."""
        try:
            return self._named(relation.name, relation.database)
        except RelationMissing as error:
            if not error.names(relation.name):
                raise  # The view is there, and what it reads is not.
            raise RelationMissing(f'there is no table or view "{relation}"', hint=RelationMissing.usual) from error

    def sql(self, text: str) -> ir.Table:
        """Return what a SELECT gives as an expression; it is sent as it is."""
        return self.asked(text).table()

    def asked(self, text: str) -> Named:
        """Return what a SELECT gives, without running it."""
        text, columns = typed(text, self._described)
        return self._texts.named(text, columns.spelt, columns.schema)

    def select(self, text: str) -> Select:
        """Return a SELECT, which Spark has analyzed and not run."""
        return Select(typed(text, self._described)[0])

    def check(self, text: str) -> None:
        """Raise for a SELECT with a fault in its syntax, or with a function that the session does not have."""
        # Spark looks for functions before it looks for tables.
        with contextlib.suppress(RelationMissing):
            self._described(text)

    def compiled(self, table: ir.Table | Rows, *, pretty: bool = False) -> str:
        """Return the SQL of an expression, with each text given to `sql` in front of it."""
        if isinstance(table, Rows):
            return self.preparing.select(table)
        # Rows that Python holds, and its functions, are shown to Spark under their names.
        self.connection._run_pre_execute_hooks(table)
        return self._texts.compiled(self.connection, table, pretty=pretty)

    def schema(self, table: ir.Table | Rows) -> Schema:
        """Return the columns and types that Spark gives an expression, without running it."""
        return self._session.schema(self.compiled(table))

    def rows(self, table: ir.Table | Rows) -> list[dict[str, object]]:
        """Run an expression whose result is small, and return its rows."""
        select = self.compiled(table)
        with batches(self._session, select) as found:
            return python_rows(found)

    @contextlib.contextmanager
    def batches(self, table: ir.Table) -> Iterator[pa.RecordBatchReader]:
        """Run an expression, and give its rows while the block runs."""
        select = self.compiled(table)
        with batches(self._session, select) as found:
            yield found

    def frame(self, table: ir.Table) -> DataFrame:
        """Return an expression as a Spark DataFrame; it is not run."""
        return self._session.frame(self.compiled(table))

    def framed(self, frame: DataFrame) -> ir.Table:
        """Return a Spark DataFrame as an expression; it is not run."""
        name = f"__fft_frame_{next(self._numbers)}"
        with self._session.translated(None):
            frame.createOrReplaceTempView(name)
        self._frames.append(name)
        return self._named(name).table()

    def existing(self, relations: Iterable[Relation]) -> Mapping[Relation, Standing]:
        """Return what stands under the relations' names, without regard to upper and lower case."""
        return catalog.existing(self._session, relations, self._known)

    def scratch(self) -> str:
        """Empty a database of this session's own, and begin the names of texts and stages anew."""
        self._texts.restart()
        self._numbers = itertools.count(1)
        self._scratch.empty()
        self._known.add(self._scratch.name)
        return self._scratch.name

    @contextlib.contextmanager
    def writing(self, relation: Relation, on_wait: Callable[[str], None], *, shared: bool = False) -> Iterator[None]:
        """Mark what is committed to a relation with this run; Delta itself refuses one of two writers."""
        number = self._writes.get(relation, 1)
        mark = {delta.WRITE: {"run": self._run_id, "relation": str(relation), "write": number}}
        with self._session.marked(f"fft {self._run_id} {relation}", number, mark):
            yield
        # Only now: an attempt that is repeated is to be known as the same one.
        self._writes[relation] = number + 1

    @contextlib.contextmanager
    def stage(self, rows: Readable) -> Iterator[Named]:
        """Keep rows where Spark computes, under a name that only this session sees, and that no crash leaves behind."""
        name = f"__fft_stage_{next(self._numbers)}"
        with self._selected(rows) as select:
            frame = kept(self._session, self._session.frame(select))
        frame.createOrReplaceTempView(name)
        ended = False
        try:
            yield self._named(name)
            ended = True
        finally:
            # After an error the session may be beyond use; the first error is the one to tell.
            with contextlib.nullcontext() if ended else contextlib.suppress(EngineError):
                self._session.forget(name)
                let_go(frame)

    def replace(
        self,
        relation: Relation,
        rows: Readable,
        *,
        over: Kind | None,
        layout: Layout = PLAIN,
        mark: str | None = None,
    ) -> WriteCounts:
        """Replace a table: by a new version of it where both are Delta, else by another one that takes its name."""
        self._create_database(relation.database)
        with self._session.noted(delta.MARKED, mark), self._selected(rows) as select:
            columns = self._session.schema(select)
            stands = provider_of(self._session, relation) if over is Kind.TABLE else None
            if stands == self._format == "delta":
                return delta.replaced(self._session, relation, select, columns, layout)
            comment = None
            if mark is not None and self._format != "delta":
                layout = dataclasses.replace(layout, table_properties={**layout.table_properties, delta.MARKED: mark})
            if stands is not None:
                now = catalog.detail(self._session, relation)
                layout, comment = catalog.laid_out(layout, now, columns), now.comment
            make = functools.partial(self._make, select=select, columns=columns, layout=layout, comment=comment)
            if over is None:
                make(printed(relation))
            else:
                swap.swapped(self._session, relation, over, make)
            count = delta.rows_written(self._session, relation) if self._format == "delta" else self._count(relation)
            return WriteCounts(count, 0, "create table as select" if over is None else "create and swap")

    def drop(self, relation: Relation) -> None:
        """Drop a table, if it is there."""
        self._session.run(f"DROP TABLE IF EXISTS {printed(relation)}")

    def is_marked(self, relation: Relation, mark: str | None) -> bool:
        """Whether a Delta table's newest version was written with the mark; other formats do not say who wrote them.

        Without a mark: whether any commit of it is ours, or a table of another format has the property of a seed.
        """
        if provider_of(self._session, relation) != "delta":
            return mark is None and delta.MARKED in catalog.detail(self._session, relation).properties
        if mark is None:
            return delta.is_ours(self._session, relation)
        newest = next(delta.commits(self._session, relation))
        return bool(delta.note_of(newest["userMetadata"], delta.MARKED) == mark)

    def state(self, relation: Relation, kind: Kind, *, written: bool = False) -> str | None:
        """Return a Delta table's newest commit, or a view's text; other formats do not say who wrote them."""
        return delta.state(self._session, relation, self.existing([relation]).get(relation), written=written)

    def prepare(self, *notes: Notes) -> bool:
        """Make tables for notes, or give them the columns that they do not have yet."""
        stands = self.existing([found.relation for found in notes])
        for found in notes:
            noting.prepare(self._session, found, self._format, stands=found.relation in stands)
        return True

    def note(self, notes: Notes, rows: Sequence[Mapping[str, Value]]) -> None:
        """Add rows to a table for notes."""
        self._session.run(noting.WORDS.insertion(printed(notes.relation), notes, rows))

    def noting(self, column: str, dtype: dt.DataType, newest: str, over: int | None) -> AbstractContextManager[None]:
        """Let the commits of the block say the largest value of a column."""
        return self._session.noted(delta.NEWEST, [column, str(dtype(nullable=True)), newest, over])

    def newest_noted(self, relation: Relation, column: str, dtype: dt.DataType) -> Noted:
        """Return the largest value of a column, as the newest commit says it that says one."""
        if provider_of(self._session, relation) != "delta":
            return Noted()
        return delta.newest_noted(self._session, relation, column, str(dtype(nullable=True)))

    def filled(self, relation: Relation) -> Set[str]:
        """Return the columns of a Delta table with a default, an identity or an expression."""
        return filled(self._session, relation) if provider_of(self._session, relation) == "delta" else frozenset()

    def arrange(self, relation: Relation, layout: Layout) -> None:
        """Give a Delta table that stands the properties and the clustering of `layout`."""
        if provider_of(self._session, relation) == "delta":
            delta.arrange(self._session, relation, layout, catalog.detail(self._session, relation))

    def create_view(self, relation: Relation, table: ir.Table | Rows | Select, *, over: Kind | None) -> None:
        """Make a view; a table of its name goes when the view stands."""
        self._create_database(relation.database)
        make = f"VIEW {printed(relation)} AS {table.text if isinstance(table, Select) else self.compiled(table)}"
        if over is Kind.TABLE:
            swap.view_over_table(self._session, relation, f"CREATE {make}")
        else:
            self._session.run(f"CREATE OR REPLACE {make}")

    def append(self, relation: Relation, fresh: ir.Table | Rows, changes: ColumnChanges = UNCHANGED) -> WriteCounts:
        """Add rows by column name, with new columns in the same commit."""
        if (why := self._why_rewritten(relation, changes)) is not None:
            return self._rewritten(relation, fresh, (), changes, why)
        delta.admit(self._session, relation, changes.added.values())
        select = self.compiled(fresh)
        return delta.appended(self._session, relation, select, fresh.columns, evolve=bool(changes.added))

    def merge(
        self,
        relation: Relation,
        fresh: ir.Table | Rows,
        key: tuple[str, ...],
        *,
        null_safe: bool,
        changes: ColumnChanges = UNCHANGED,
        guard: Guard = UNGUARDED,
    ) -> WriteCounts:
        """Put `fresh` in place of the rows of its keys: by one MERGE on Delta, else by writing the table anew."""
        if (why := self._why_rewritten(relation, changes)) is not None:
            return self._rewritten(relation, fresh, key, changes, why)
        delta.admit(self._session, relation, changes.added.values())
        select, columns = self.compiled(fresh), fresh.schema()
        ends = guard.ends or self.rows(rule.key_range(_expression(fresh), key))[0]
        within = delta.bounds(columns, key, ends)
        way = delta.Merge(key, null_safe, within, guard.cursor, evolve=bool(changes.added))
        statement = delta.merge_statement(relation, select, columns, way)
        try:
            with self._session.configured(delta.STAGED):
                inserted, updated = delta.merged(self._session, relation, statement)
        except Unsupported as error:
            done = self._rewritten(relation, fresh, key, changes, "the MERGE was refused")
            return WriteCounts(
                done.inserted, done.updated, done.strategy, warning=f"Spark refused the MERGE: {error.message}"
            )
        if inserted + updated > int(str(ends["rows"])):
            # Something else had put a key into the table twice, and a MERGE cannot make one row of two.
            if changes.filled:
                return WriteCounts(inserted, updated, catalog.MERGE, warning="the table has a key more than once")
            return self._rewritten(relation, fresh, key, UNCHANGED, "the table had a key twice")
        return WriteCounts(inserted, updated, catalog.MERGE)

    def worker(self, on_statement: Callable[[str], None] | None = None) -> SparkEngine:
        """Return another session of the same Spark, with the settings of this one."""
        found = SparkEngine(another(self._session, on_statement), self._database, self._format)
        found.preparing.statements = self.preparing.statements
        return found

    def interrupt(self) -> None:
        """Make what runs now end with `KeyboardInterrupt`."""
        self._session.interrupt()

    def close(self) -> None:
        """End a session that was started here; one that was there before stays as it was found."""
        try:
            for name in self._frames:
                self._session.forget(name)
            self._scratch.drop()
        finally:
            self._session.close()

    def _why_rewritten(self, relation: Relation, changes: ColumnChanges) -> str | None:
        """Return why rows cannot be written into a table as it stands; None where they can."""
        provider = provider_of(self._session, relation)
        if provider != "delta":
            return f"{provider} cannot MERGE"
        return "columns change" if changes.dropped or changes.retyped else None

    def _rewritten(
        self, relation: Relation, fresh: ir.Table | Rows, key: tuple[str, ...], changes: ColumnChanges, why: str
    ) -> WriteCounts:
        """Write the whole table as the rule says that it is to be, with changed columns."""
        import ibis

        if changes.filled:
            raise FilledColumns(
                f'"{relation}" fills "{", ".join(changes.filled)}" itself, and would have to be written anew: {why}',
                hint="change its columns with ALTER TABLE, or run it once with --full-refresh",
            )
        old = self.table(relation)
        before = self._count(relation)
        new = {name: ibis.null(dtype) for name, dtype in changes.added.items()}
        new |= {name: converted(old[name], dtype, Folding.UNICODE) for name, dtype in changes.retyped.items()}
        target = old.drop(*changes.dropped).mutate(**new)
        rows = _expression(fresh).select(*target.columns)
        after = rule.merged(target, rows, key) if key else target.union(rows, distinct=False)
        written = self.replace(relation, after, over=Kind.TABLE).inserted
        count = self._count(fresh)
        inserted = max(written - before, 0) if key else count
        return WriteCounts(inserted, count - inserted, f"rewrite ({why})")

    def _make(self, name: str, select: str, columns: Schema, layout: Layout, comment: str | None) -> None:
        if self._format == "delta":
            delta.made(self._session, name, select, columns, layout, comment)
        else:
            self._session.run(f"CREATE TABLE {name} {catalog.clauses(self._format, layout, comment)} AS {select}")

    def _named(self, name: str, database: str | None = None) -> Named:
        printed = ".".join(ticked(part) for part in (database, name) if part is not None)
        columns = self._session.columns(f"SELECT * FROM {printed}")

        def build() -> ir.Table:
            import ibis.expr.operations as ops

            namespace = ops.Namespace(catalog=None, database=database)
            return ops.DatabaseTable(name, columns.schema(), self.connection, namespace).to_expr()

        return Named(printed, columns.spelt, build)

    def _described(self, text: str) -> Columns:
        """Return the columns of a SELECT; nothing that changes anything can stand in a FROM."""
        try:
            return self._session.columns(f"SELECT * FROM (\n{text}\n) AS model")
        except EngineError as error:
            first = text.strip().partition(" ")[0]
            if first.upper() not in ("SELECT", "WITH", "FROM", "VALUES", "TABLE", "(") and first.isalpha():
                raise BadSql("a model's SQL is one SELECT", hint="take other statements away") from error
            raise

    def _create_database(self, database: str) -> bool:
        """Make a database, if there is none; whether there was none."""
        if database.casefold() in self._known:
            return False
        self._session.run(f"CREATE DATABASE IF NOT EXISTS {ticked(database)}")
        self._known.add(database.casefold())
        return True

    def _count(self, of: Relation | ir.Table | Rows) -> int:
        return catalog.count(self._session, printed(of) if isinstance(of, Relation) else f"({self.compiled(of)})")

    @contextlib.contextmanager
    def _selected(self, rows: Readable) -> Iterator[str]:
        """Give the SELECT that reads `rows`; Arrow rows stand behind a name while the block runs."""
        import ibis.expr.types as ir

        if isinstance(rows, Select):
            yield rows.text
            return
        if isinstance(rows, ir.Table | Rows):
            yield self.compiled(rows)
            return
        name = f"__fft_rows_{next(self._numbers)}"
        frame_of(self._session, rows).createOrReplaceTempView(name)
        try:
            yield f"SELECT * FROM {ticked(name)}"
        finally:
            self._session.forget(name)


def _expression(rows: ir.Table | Rows) -> ir.Table:
    return rows.table() if isinstance(rows, Rows) else rows
