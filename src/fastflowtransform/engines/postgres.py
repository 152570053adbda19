"""PostgreSQL: any server from version 14 on, one connection, and each write in one transaction."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from fastflowtransform.engines import postgres_catalog as catalog
from fastflowtransform.engines import postgres_locks as locks
from fastflowtransform.engines import postgres_marks as marks
from fastflowtransform.engines import postgres_relations as relations
from fastflowtransform.engines import postgres_types as types
from fastflowtransform.engines.base import (
    UNCHANGED,
    UNGUARDED,
    Capabilities,
    ColumnChanges,
    Guard,
    Kind,
    Select,
    Standing,
)
from fastflowtransform.engines.compiling import Texts
from fastflowtransform.engines.notes import Alongside, Notes, Value, Words
from fastflowtransform.engines.postgres_catalog import belongings
from fastflowtransform.engines.postgres_evidence import PostgresEvidence
from fastflowtransform.engines.postgres_marks import Mark
from fastflowtransform.engines.postgres_merging import Delta, merged, way_of
from fastflowtransform.engines.postgres_rows import (
    Columns,
    alter,
    analyze,
    columns_of,
    ingest,
    insert,
    printed,
    require_short,
    sample,
)
from fastflowtransform.engines.postgres_session import Session, libpq
from fastflowtransform.engines.postgres_widths import outgrown
from fastflowtransform.engines.postgres_words import unknown
from fastflowtransform.engines.preparing import Preparing
from fastflowtransform.engines.quoting import literal, quoted
from fastflowtransform.engines.scratch import Scratch
from fastflowtransform.errors import (
    BadSql,
    ConnectionFailed,
    EngineError,
    RelationMissing,
)
from fastflowtransform.incremental import Comparing
from fastflowtransform.model import PLAIN, Layout
from fastflowtransform.names import Folding
from fastflowtransform.relation import Relation
from fastflowtransform.results import WriteCounts
from fastflowtransform.rows import Named, Rows
from fastflowtransform.settings import Profile

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa
    from ibis.backends.postgres import Backend
    from ibis.expr.schema import Schema

    from fastflowtransform.engines.base import Readable

_VARIABLES = {"FF_PG_DSN": "dsn", "FF_PG_SCHEMA": "schema"}
_LOCK_WAIT = 300
"""Seconds that a run waits for another one that writes to the same relation, where the profile does not say."""

_WORDS = Words({str: "text", int: "bigint", float: "double precision", datetime: "timestamp"})

# Whatever the server, the role or the dsn say: values are printed and read as Ibis and the rule expect.
_SETTINGS = """
SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; SET standard_conforming_strings = on;
SET quote_all_identifiers = off;
SET extra_float_digits = 1; SET client_min_messages = 'error';
SELECT set_config('application_name', 'fft', false) WHERE current_setting('application_name') = '';
SELECT set_config('search_path', E{schema} || ', ' || current_setting('search_path'), false)
"""


class PostgresEngine:
    """A PostgreSQL database.

    Parameters
    ----------
    dsn
        Where it is, as libpq takes it.
    database
        The schema that unqualified names mean.
    lock_wait
        Seconds that a run waits for another one.
    on_statement
        Is told each statement before it is sent.
    """

    name: ClassVar[str] = "postgres"
    dialect: ClassVar[str] = "postgres"
    capabilities: ClassVar[Capabilities] = Capabilities(
        comparing=Comparing(text_bytes="convert_to", encoding="UTF8", hashes_null_safe=False),
        layouts=frozenset({"indexes"}),
        folding=Folding.NONE,
        nul=False,
        decimal_digits=1_000,
        longest_name=63,
        at_once=4,
    )

    def __init__(
        self,
        dsn: str,
        database: str = "public",
        lock_wait: int = _LOCK_WAIT,
        on_statement: Callable[[str], None] | None = None,
    ) -> None:
        self._dsn, self._database = dsn, database
        # They are read as the server's own settings have it: only E says what a backslash is.
        schema = literal(quoted(database)).replace("\\", "\\\\")
        self._session = Session(dsn, _SETTINGS.format(schema=schema), on_statement)
        self._lock_wait = lock_wait
        self._numbers = itertools.count(1)
        self._texts = Texts()
        self.preparing = Preparing(self.name, self.compiled, literal)
        self.outgrown = functools.partial(outgrown, self._session, self.compiled)
        self.evidence = PostgresEvidence(self._session)
        self._scratch = Scratch(self._session.rows)
        self._alongside = Alongside()
        self._shown: set[str] = set()
        self._known: set[str] = set()

    @functools.cached_property
    def connection(self) -> Backend:
        """Ibis' backend, which compiles and is never connected."""
        from fastflowtransform.engines.postgres_compiler import Compiling

        return Compiling()

    @classmethod
    def database(cls, profile: Profile) -> str:
        """Return the schema that the profile names, or `public`."""
        return profile.with_variables(_VARIABLES).text("schema") or "public"

    @classmethod
    def connect(
        cls, profile: Profile, *, read_only: bool = False, on_statement: Callable[[str], None] | None = None
    ) -> PostgresEngine:
        """Connect to the server of the profile's `dsn`; without `read_only`, its schema is made where there is none.

        Raises
        ------
        ConnectionFailed
            The server cannot be reached, or refuses us.
        """
        options = profile.with_variables(_VARIABLES)
        dsn = libpq(options.required_text("dsn"), options.at("dsn"))
        schema = options.text("schema") or "public"
        lock_wait = options.integer("lock_wait")
        options.close()
        engine = cls(dsn, schema, _LOCK_WAIT if lock_wait is None else lock_wait, on_statement)
        if read_only:
            engine._session.rows("SELECT 1 AS one")
        else:
            engine._create_schema(schema)
        return engine

    def name_of(self, relation: Relation) -> tuple[str, ...]:
        """Return schema and name."""
        return (relation.database, relation.name)

    def table(self, relation: Relation) -> ir.Table:
        """Return a table or view that exists, as an expression."""
        return self.found(relation).table()

    def found(self, relation: Relation) -> Named:
        """Return a table or view that exists."""
        try:
            return self._named(relation.database, relation.name)
        except RelationMissing as error:
            raise RelationMissing(f'there is no table or view "{relation}"', hint=RelationMissing.usual) from error

    def sql(self, text: str) -> ir.Table:
        """Return what a SELECT gives as an expression; it is sent as it is."""
        return self.asked(text).table()

    def asked(self, text: str) -> Named:
        """Return what a SELECT gives, without running it."""
        text, columns = self._seen(text).told_apart(text)
        return self._texts.named(text, columns.spelt, columns.schema)

    def select(self, text: str) -> Select:
        """Return a SELECT, which the server has seen: only it can tell one from anything else."""
        self._seen(text)
        return Select(text)

    def check(self, text: str) -> None:
        """Raise for a SELECT with a fault in its syntax, or with a function or type that the server does not have."""
        try:
            self._described(f"SELECT * FROM (\n{text}\n) AS model")
        except RelationMissing:
            # What it reads may be made by the same run; only then do its words have to be looked up one by one.
            if words := unknown(text, self._session.rows):
                raise EngineError(f'there is no function or type "{words[0]}"', near=words[0]) from None
        except EngineError as error:
            raise self._why_not(text, error) from error

    def compiled(self, table: ir.Table | Rows, *, pretty: bool = False) -> str:
        """Return the SQL of an expression, with each text given to `sql` in front of it."""
        for name in table.columns:
            require_short(name)
        if isinstance(table, Rows):
            return self.preparing.select(table)
        self._show_rows_of_python(table)
        return self._texts.compiled(self.connection, table, pretty=pretty)

    def schema(self, table: ir.Table | Rows) -> Schema:
        """Return the columns and types that PostgreSQL gives an expression, without running it."""
        return self._described(self.compiled(table)).schema()

    def rows(self, table: ir.Table | Rows) -> list[dict[str, object]]:
        """Run an expression whose result is small, and return its rows."""
        select = self.compiled(table)
        if isinstance(table, Rows):
            answer: list[dict[str, object]] = self._session.table(select).to_pylist()
            return answer
        schema = self._described(select).schema()
        found = self._session.table(types.selected(select, schema, plain=False))
        columns = [types.values(column, dtype) for column, dtype in zip(found.columns, schema.types, strict=True)]
        return [dict(zip(schema.names, row, strict=True)) for row in zip(*columns, strict=True)]

    @contextlib.contextmanager
    def batches(self, table: ir.Table) -> Iterator[pa.RecordBatchReader]:
        """Run an expression, and stream its rows by COPY while the block runs."""
        import pyarrow as pa

        select = self.compiled(table)
        described = self._described(select).schema()
        try:
            with self._session.stream(types.selected(select, described, plain=True)) as reader:
                schema = types.arrow_schema(reader.schema, described)
                yield pa.RecordBatchReader.from_batches(schema, (types.converted(batch, schema) for batch in reader))
        except EngineError as error:
            raise types.lost_digits(error) from error.__cause__

    def existing(self, relations: Iterable[Relation]) -> Mapping[Relation, Standing]:
        """Return what stands under the relations' names; upper and lower case tell names apart."""
        return catalog.existing(relations, self._session.rows)

    def writing(
        self, relation: Relation, on_wait: Callable[[str], None], *, shared: bool = False
    ) -> contextlib.AbstractContextManager[None]:
        """Hold the relation's advisory lock until the block ends.

        Raises
        ------
        RelationBusy
            Another run held it for longer than `lock_wait`.
        """
        return locks.held(self._session, relation, locks.Waiting(self._lock_wait, on_wait), shared=shared)

    @contextlib.contextmanager
    def stage(self, rows: Readable) -> Iterator[Named]:
        """Keep rows in a temporary table, which no other connection sees and no crash leaves behind."""
        with self._session.keeping():
            yield from self._staged(rows)

    def _staged(self, rows: Readable) -> Iterator[Named]:
        name, source = f"__fft_stage_{next(self._numbers)}", self._source(rows)
        if isinstance(source, str):
            written = self._session.run(f"CREATE TEMPORARY TABLE {quoted(name)} AS {source}")
        else:
            with self._session.transaction():
                written = ingest(self._session, None, name, source)
        sample(self._session, f"pg_temp.{quoted(name)}", written)
        try:
            yield self._named("pg_temp", name)
        finally:
            self._session.tidy(f"DROP TABLE IF EXISTS pg_temp.{quoted(name)}")

    def replace(
        self,
        relation: Relation,
        rows: Readable,
        *,
        over: Kind | None,
        layout: Layout = PLAIN,
        mark: str | None = None,
    ) -> WriteCounts:
        """Replace a table, in one transaction: by another table under its name, or row by row where it must stay.

        Readers see the old rows until the new ones stand. `docs/guides/postgres.md` says what is locked, and when.

        Raises
        ------
        DependentsInTheWay
            A view or an index needs a column that the new rows do not have.
        """
        self._create_schema(relation.database)
        found = None if mark is None else Mark(relation, mark)
        marked = found if found is not None and found.prepare(self._session) else None

        def noted(counts: WriteCounts) -> WriteCounts:
            if marked is not None:
                marked.note(self._session, counts.rows)
            return self._alongside.done(counts)

        hung = None if over is None else belongings(printed(relation), self._session.rows)
        if over is Kind.TABLE and hung is not None and not hung.simple:
            with self.stage(rows) as staged:
                return relations.rewritten(self._session, relation, self.compiled(staged), hung, layout, noted)
        source = self._source(rows)
        if over is Kind.TABLE and hung is not None:
            return relations.swapped(self._session, relation, source, hung, layout, noted)
        return relations.made(self._session, relation, source, hung, layout, noted)

    def is_marked(self, relation: Relation, mark: str | None) -> bool:
        """Whether a table has the mark, and all of its rows come from the transaction that gave it."""
        return marks.has_any(self._session, relation) if mark is None else Mark(relation, mark).stands(self._session)

    def state(self, relation: Relation, kind: Kind, *, written: bool = False) -> str | None:
        """Return a digest of a table's columns and of the transactions that wrote its rows, or of a view's text."""
        return marks.state(self._session, relation)

    def alongside(self, note: Callable[[WriteCounts], None]) -> contextlib.AbstractContextManager[None]:
        """Call `note` before the block's write is committed."""
        return self._alongside.set(note)

    def prepare(self, *notes: Notes) -> bool:
        """Make tables for notes, or give them the columns that they do not have yet."""
        return self._session.again(lambda: all(map(self._prepared, notes)))

    def _prepared(self, notes: Notes) -> bool:
        name = printed(notes.relation)
        noted = marks.may_note(self._session, name, notes.relation.database)
        if noted is False:
            return False
        known = self._session.columns(f"SELECT * FROM {name}").names if noted else None
        if statements := _WORDS.preparation(name, notes, known, " IF NOT EXISTS"):
            marks.made(self._session, name, statements)
        return True

    def note(self, notes: Notes, rows: Sequence[Mapping[str, Value]]) -> None:
        """Add rows to a table for notes."""
        marks.note(self._session, _WORDS.insertion(printed(notes.relation), notes, rows), printed(notes.relation), rows)

    def drop(self, relation: Relation) -> None:
        """Drop a table, if it is there."""
        self._session.run(f"DROP TABLE IF EXISTS {printed(relation)}")

    def filled(self, relation: Relation) -> Set[str]:
        """Return the columns with a default, an identity or an expression."""
        return catalog.filled(printed(relation), self._session.rows)

    def arrange(self, relation: Relation, layout: Layout) -> None:
        """Make the indexes of `layout` on a table that stands, and drop those of an earlier one."""
        relations.arrange(self._session, relation, layout)

    def create_view(self, relation: Relation, table: ir.Table | Rows | Select, *, over: Kind | None) -> None:
        """Make a view, in one transaction with the end of a table of its name, or of a view of other columns."""
        select = table.text if isinstance(table, Select) else self.compiled(table)
        self._create_schema(relation.database)
        hung = None if over is None else belongings(printed(relation), self._session.rows)
        relations.view_made(self._session, relation, select, over, hung, self._alongside.done)

    def append(self, relation: Relation, fresh: ir.Table | Rows, changes: ColumnChanges = UNCHANGED) -> WriteCounts:
        """Add rows by column name, in one transaction with the change of columns."""
        select = self.compiled(fresh)
        with self._session.transaction():
            alter(self._session, relation, changes, select)
            inserted = insert(self._session, relation, select, fresh.columns)
            counts = self._alongside.done(WriteCounts(inserted, 0, "insert"))
        analyze(self._session, relation, inserted)
        return counts

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
        """Put `fresh` in place of the rows of its keys, in one transaction.

        `INSERT … ON CONFLICT` where a unique index on the key stands, else delete and insert; and updates where
        something reacts to rows that are deleted, or the table fills columns itself.
        """
        select, standing = self.compiled(fresh), self.existing([relation])[relation]
        delta = Delta(select, tuple(fresh.columns), key, fresh.schema() if null_safe else None)
        way = way_of(standing, delta, partial=bool(changes.filled))
        with self._session.transaction():
            alter(self._session, relation, changes, select)
            counts = self._alongside.done(merged(self._session, relation, delta, way, standing))
        analyze(self._session, relation, counts.inserted + counts.updated)
        return counts

    def scratch(self) -> str:
        """Empty a schema of this connection's own, and begin the names of texts and stages anew."""
        self._texts.restart()
        self._numbers = itertools.count(1)
        self._scratch.empty()
        self._known.add(self._scratch.name)
        return self._scratch.name

    def worker(self, on_statement: Callable[[str], None] | None = None) -> PostgresEngine:
        """Return another connection to the server.

        Raises
        ------
        ConnectionFailed
            The server has no room for it.
        """
        found = PostgresEngine(self._dsn, self._database, self._lock_wait, on_statement)
        found._session.was_there = True
        found._session.rows("SELECT 1 AS one")
        found._known |= self._known
        found.preparing.statements = self.preparing.statements
        return found

    def interrupt(self) -> None:
        """Make the statement that runs now end with `KeyboardInterrupt`."""
        self._session.cancel()

    def close(self) -> None:
        """Close the connection; what was not committed is rolled back."""
        self._session.close()
        # Over a new connection: the old one may have been left in the midst of a transaction, or of a stream.
        self._scratch.drop()
        self._session.close()

    def _named(self, schema: str, name: str) -> Named:
        printed = f"{quoted(schema)}.{quoted(name)}"
        columns = self._described(f"SELECT * FROM {printed}")

        def build() -> ir.Table:
            import ibis.expr.operations as ops

            namespace = ops.Namespace(catalog=None, database=schema)
            return ops.DatabaseTable(name, columns.schema(), self.connection, namespace).to_expr()

        return Named(printed, columns.spelt, build)

    def _source(self, rows: Readable) -> str | pa.RecordBatchReader:
        """Return the SELECT that gives rows, or rows from outside."""
        if isinstance(rows, Select):
            return rows.text
        if isinstance(rows, Rows):
            return self.compiled(rows)
        import ibis.expr.types as ir

        return self.compiled(rows) if isinstance(rows, ir.Table) else rows

    def _described(self, select: str) -> Columns:
        return columns_of(self._session, select)

    def _seen(self, text: str) -> Columns:
        """Return the columns of a SELECT; raise for all else."""
        try:
            # Nothing that changes rows can stand in a FROM, and a prepared statement is one statement.
            return self._described(f"SELECT * FROM (\n{text}\n) AS model")
        except EngineError as error:
            raise self._why_not(text, error) from error

    def _why_not(self, text: str, error: EngineError) -> EngineError | BadSql:
        """Return the error for a text that is no SELECT; one in the text itself is told of where it stands."""
        if error.transient or isinstance(error, ConnectionFailed):
            return error
        try:
            self._session.columns(text)
        except EngineError as own:
            if "multiple commands" not in own.message:
                return own
        return BadSql("a model's SQL is one SELECT", hint="take other statements away")

    def _show_rows_of_python(self, table: ir.Table) -> None:
        """Give rows that Python holds to PostgreSQL, once, under the name that an expression has for them."""
        import ibis.expr.operations as ops

        for rows in table.op().find(ops.InMemoryTable):
            name = f"{self._session.number} {rows.name}"
            if name not in self._shown:
                ingest(self._session, None, rows.name, rows.data.to_pyarrow(rows.schema).to_reader())
                self._shown.add(name)

    def _create_schema(self, database: str) -> None:
        if database not in self._known:
            relations.make_schema(self._session, database)
            self._known.add(database)
