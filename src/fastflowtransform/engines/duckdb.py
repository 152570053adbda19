"""DuckDB: one file, one process, transactions for everything."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, ClassVar

from fastflowtransform.engines import duckdb_landing as landing
from fastflowtransform.engines import duckdb_marks as marks
from fastflowtransform.engines import duckdb_notes as noting
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
from fastflowtransform.engines.duckdb_altering import altering
from fastflowtransform.engines.duckdb_belongings import Belongings, belongings
from fastflowtransform.engines.duckdb_columns import Columns, holds_moments
from fastflowtransform.engines.duckdb_errors import first_line, opened, translated
from fastflowtransform.engines.duckdb_evidence import DuckDBEvidence
from fastflowtransform.engines.duckdb_landing import Added, Beside, Sending
from fastflowtransform.engines.duckdb_merging import Keyed, Way, insertion, merged
from fastflowtransform.engines.duckdb_profile import Settings, schema_of
from fastflowtransform.engines.duckdb_selects import require_one_select
from fastflowtransform.engines.duckdb_transactions import Transactions
from fastflowtransform.engines.duckdb_untyped import typed
from fastflowtransform.engines.interrupting import Interrupt
from fastflowtransform.engines.notes import Alongside, Later, Notes, Value
from fastflowtransform.engines.preparing import Preparing
from fastflowtransform.engines.quoting import literal, quoted
from fastflowtransform.engines.scratch import Scratch
from fastflowtransform.errors import EngineError, RelationMissing
from fastflowtransform.model import PLAIN, Layout
from fastflowtransform.relation import Relation
from fastflowtransform.results import WriteCounts
from fastflowtransform.row_values import python_rows
from fastflowtransform.rows import Named, Rows
from fastflowtransform.settings import Profile

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa
    from duckdb import DuckDBPyConnection
    from ibis.backends.duckdb import Backend
    from ibis.expr.schema import Schema

    from fastflowtransform.engines.base import Readable


_USE = "SET search_path = {}"


class DuckDBEngine:
    """An open DuckDB database.

    Parameters
    ----------
    opened
        DuckDB's own connection.
    database
        The schema that unqualified names mean.
    on_statement
        Is told each statement before it is sent.
    """

    name: ClassVar[str] = "duckdb"
    dialect: ClassVar[str] = "duckdb"
    capabilities: ClassVar[Capabilities] = Capabilities(nanoseconds=True)

    def __init__(
        self, opened: DuckDBPyConnection, database: str = "main", on_statement: Callable[[str], None] | None = None
    ) -> None:
        self._duckdb = opened
        self._on_statement = on_statement
        self._numbers = itertools.count(1)
        self._columns = Columns(self._rows, lambda: self.connection)
        self._texts = Texts()
        self.preparing = Preparing(self.name, self.compiled, literal)
        self._scratch = Scratch(self._rows)
        self._alongside = Alongside()
        self._transactions = Transactions(self._run, self._insertion, self._forget, self.states)
        self._sending = Sending(self._run, self.compiled, self._alongside.done, self._transactions.undo)
        self._interrupt = Interrupt(opened.interrupt)
        self._belongings: Mapping[tuple[str, str], Belongings] | None = None
        self._database = database
        self._common = threading.Lock()
        """Held while something is made that all tables share: two transactions that make it at once conflict."""
        # As Ibis sets them.
        self._rows("SET TimeZone = 'UTC'; SET python_enable_replacements = false")
        ((self._catalog,),) = self._rows("SELECT current_catalog()")
        self.evidence = DuckDBEvidence(self._rows, self._catalog)
        self._known = self._schemas()
        if database in self._known:
            self._rows(_USE.format(literal(quoted(database))))

    @functools.cached_property
    def connection(self) -> Backend:
        """Ibis' backend, made when an expression needs it: its import is more than half of what a plan takes."""
        from fastflowtransform.engines.duckdb_compiler import Compiling

        # It sends a setting, which may be what an interrupt meets.
        with translated(None, self._interrupted):
            return Compiling.from_connection(self._duckdb)

    @classmethod
    def database(cls, profile: Profile) -> str:
        """Return the schema that the profile names, or `main`."""
        return schema_of(profile)

    @classmethod
    def connect(
        cls, profile: Profile, *, read_only: bool = False, on_statement: Callable[[str], None] | None = None
    ) -> DuckDBEngine:
        """Open the file of the profile; where there is none, `read_only` opens an empty database in memory.

        Raises
        ------
        DatabaseLocked, DatabaseCorrupt, ConnectionFailed
            The file cannot be opened.
        BadValue
            DuckDB does not take a setting.
        """
        settings = Settings.of(profile)
        target, is_read_only = settings.opening(read_only=read_only)
        engine = cls(opened(target, is_read_only, settings.given, settings.at), settings.schema, on_statement)
        if not read_only:
            engine._create_schema(settings.schema)
            engine._known = engine._schemas()
            engine._rows(_USE.format(literal(quoted(settings.schema))))
        return engine

    def name_of(self, relation: Relation) -> tuple[str, ...]:
        """Return schema and name; the catalog too where it is spelt like the schema, which DuckDB calls ambiguous."""
        if relation.database.casefold() == self._catalog.casefold():
            return (self._catalog, relation.database, relation.name)
        return (relation.database, relation.name)

    def table(self, relation: Relation) -> ir.Table:
        """Return a table or view that exists, as an expression."""
        return self.found(relation).table()

    def found(self, relation: Relation) -> Named:
        """Return a table or view that exists."""
        try:
            return self._columns.table(self.name_of(relation))
        except RelationMissing as error:
            if not error.names(relation.name):
                raise  # The view is there, and what it reads is not.
            raise RelationMissing(f'there is no table or view "{relation}"', hint=RelationMissing.usual) from error

    def sql(self, text: str) -> ir.Table:
        """Return what a SELECT gives as an expression; it is sent as it is, and never written anew by a parser."""
        return self.asked(text).table()

    def asked(self, text: str) -> Named:
        """Return what a SELECT gives, without running it."""
        require_one_select(self._duckdb, text, self._interrupted)
        return self._of(*self._columns.named(typed(self._duckdb, text, self._interrupted)))

    def select(self, text: str) -> Select:
        """Return a SELECT, which DuckDB has parsed and not bound."""
        require_one_select(self._duckdb, text, self._interrupted)
        return Select(typed(self._duckdb, text, self._interrupted))

    def check(self, text: str) -> None:
        """Raise for a text that DuckDB cannot parse as one SELECT."""
        require_one_select(self._duckdb, text, self._interrupted)

    def compiled(self, table: ir.Table | Rows, *, pretty: bool = False) -> str:
        """Return the SQL of an expression, with each text given to `sql` in front of it."""
        if isinstance(table, Rows):
            return self.preparing.select(table)
        # Rows that Python holds are shown to DuckDB.
        self.connection._run_pre_execute_hooks(table)
        return self._texts.compiled(self.connection, table, pretty=pretty)

    def schema(self, table: ir.Table | Rows) -> Schema:
        """Return the columns and types that DuckDB gives an expression, without running it."""
        with self._selected(table) as select:
            return self._columns.schema(self._columns.of(select))

    def rows(self, table: ir.Table | Rows) -> list[dict[str, object]]:
        """Run an expression whose result is small, and return its rows."""
        if isinstance(table, Rows):
            rows = self._rows(self.compiled(table))
            names = [name for name, *_ in self._duckdb.description or ()]
            return [dict(zip(names, row, strict=True)) for row in rows]
        if holds_moments(table.schema()):
            with self.batches(table) as batches:
                return python_rows(batches)
        with self._selected(table) as select:
            return [dict(zip(table.columns, row, strict=True)) for row in self._rows(select)]

    @contextlib.contextmanager
    def batches(self, table: ir.Table) -> Iterator[pa.RecordBatchReader]:
        """Run an expression, and stream its rows while the block runs."""
        import pyarrow as pa

        with self._selected(table) as select, translated(select, self._interrupted):
            reader = self._duckdb.execute(select).to_arrow_reader()
            try:
                yield reader
            except (pa.ArrowException, OSError) as error:
                # What fails while rows are streamed comes out of Arrow, in DuckDB's words.
                ours = EngineError(first_line(str(error)))
                ours.sql = select
                raise ours from error

    def existing(self, relations: Iterable[Relation]) -> Mapping[Relation, Standing]:
        """Return what stands under the relations' names, without regard to upper and lower case."""
        wanted = {relation.folded: relation for relation in relations}
        rows = self._rows(
            "SELECT schema_name, table_name, 'table' FROM duckdb_tables() WHERE database_name = current_database() "
            "UNION ALL "
            "SELECT schema_name, view_name, 'view' FROM duckdb_views() "
            "WHERE database_name = current_database() AND NOT internal"
        )
        found = {Relation(schema, name).folded: Kind(kind) for schema, name, kind in rows}
        return {
            relation: Standing(kind, self._belongings_of(relation).merge if kind is Kind.TABLE else "")
            for folded, relation in wanted.items()
            if (kind := found.get(folded)) is not None
        }

    def writing(
        self, relation: Relation, on_wait: Callable[[str], None], *, shared: bool = False
    ) -> contextlib.AbstractContextManager[None]:
        """Do nothing: DuckDB lets one process open the file."""
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def stage(self, rows: Readable) -> Iterator[Named]:
        """Keep rows in a temporary table, which no other process sees and no crash leaves behind."""
        name = f"__fft_stage_{next(self._numbers)}"
        with self._selected(rows) as select:
            self._run(f"CREATE TEMP TABLE {quoted(name)} AS {select}")
        ended = False
        try:
            yield self._columns.table(("temp", "main", name))
            ended = True
        finally:
            # After an error the first error is the one to tell; a temporary table goes with its connection.
            with contextlib.nullcontext() if ended else contextlib.suppress(EngineError):
                self._run(f"DROP TABLE IF EXISTS temp.main.{quoted(name)}")

    def replace(
        self,
        relation: Relation,
        rows: Readable,
        *,
        over: Kind | None,
        layout: Layout = PLAIN,
        mark: str | None = None,
    ) -> WriteCounts:
        """Replace a table, in one transaction with the end of a view of its name."""
        name = self._name(relation)
        self._create_schema(relation.database)
        if mark is not None:
            with self._common:
                marks.prepare(self._name(marks.marks_of(relation)), self._run)
        with self._selected(rows) as select, self._transactions.one():
            if over is Kind.VIEW:
                self._run(f"DROP VIEW {name}")
            kept = self._belongings_of(relation).statements if over is Kind.TABLE else ()
            written = self._made(f"CREATE OR REPLACE TABLE {name} AS\n{select}", name)
            for statement in kept:
                self._run(statement)
            if mark is not None:
                marks.mark(
                    name, self._name(marks.marks_of(relation)), marks.key_of(relation), mark, self._rows, self._run
                )
            return self._alongside.done(WriteCounts(written, 0, "create table as select"))

    def state(self, relation: Relation, kind: Kind, *, written: bool = False) -> str | None:
        """Return a digest of a table's columns and rows, or a view's definition."""
        return marks.state(relation, self._name(relation), kind, self._rows)

    def states(self, relations: Sequence[Relation], *, all_at_once: bool = False) -> Mapping[Relation, str]:
        """Return the digests of many tables: nobody else can write to them meanwhile."""
        return marks.states({each: self._name(each) for each in relations}, self._rows, all_at_once=all_at_once)

    def later(self, relation: Relation) -> Later | None:
        """Return the state of a table as it will be found at the end of `together`; None outside of it."""
        return self._transactions.later(relation)

    def together(self) -> contextlib.AbstractContextManager[None]:
        """Commit what the block writes at once; no other process sees the file meanwhile."""
        return self._transactions.together()

    def alongside(self, note: Callable[[WriteCounts], None]) -> contextlib.AbstractContextManager[None]:
        """Call `note` before the block's write is committed."""
        return self._alongside.set(note)

    def prepare(self, *notes: Notes) -> bool:
        """Make tables for notes, or give them the columns that they do not have yet."""
        stands = self.existing([found.relation for found in notes])
        for found in notes:
            noting.prepare(found, self._name(found.relation), self._rows, self._run, stands=found.relation in stands)
        return True

    def note(self, notes: Notes, rows: Sequence[Mapping[str, Value]]) -> None:
        """Add rows to a table for notes; within `together`, before that is committed."""
        self._transactions.note(notes, rows)

    def drop(self, relation: Relation) -> None:
        """Drop a table, if it is there."""
        self._run(f"DROP TABLE IF EXISTS {self._name(relation)}")

    def is_marked(self, relation: Relation, mark: str | None) -> bool:
        """Whether a table has the mark, and rows of the same hashes; without a mark, whether it has any."""
        noted_in = marks.marks_of(relation)
        if noted_in not in self.existing([noted_in]):
            return False
        return marks.is_marked(self._name(relation), self._name(noted_in), marks.key_of(relation), mark, self._rows)

    def filled(self, relation: Relation) -> Set[str]:
        """Return the columns with a default or an expression."""
        return self._columns.filled(relation)

    def arrange(self, relation: Relation, layout: Layout) -> None:
        """Do nothing: a column store finds rows without indexes."""

    def create_view(self, relation: Relation, table: ir.Table | Rows | Select, *, over: Kind | None) -> None:
        """Make a view, in one transaction with the end of a table of its name."""
        name = self._name(relation)
        self._create_schema(relation.database)
        with self._selected(table) as select, self._transactions.one():
            if over is Kind.TABLE:
                self._run(f"DROP TABLE {name}")
            self._run(f"CREATE OR REPLACE VIEW {name} AS\n{select}")
            self._alongside.done(WriteCounts(0, 0, "create view"))

    def append(self, relation: Relation, fresh: ir.Table | Rows, changes: ColumnChanges = UNCHANGED) -> WriteCounts:
        """Add rows by column name, in one transaction with the change of columns."""
        with self._selected(fresh) as select, self._transactions.one():
            self._alter(relation, changes, select)
            written = self._sending.count(insertion(self._name(relation), fresh.columns, select))
            return self._alongside.done(WriteCounts(written, 0, "insert"))

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
        """Delete the rows of `fresh`'s keys and insert `fresh`, or update these rows, in one transaction."""
        into = Keyed(self._name(relation), key, null_safe)
        unique = self._belongings_of(relation).unique
        with self._selected(fresh) as select, self._transactions.one():
            self._alter(relation, changes, select)
            way = Way(unique, bool(changes.filled))
            return self._alongside.done(merged(self._sending.count, into, fresh.columns, select, way))

    @contextlib.contextmanager
    def adding(self, relation: Relation, rows: Rows, table: Named) -> Iterator[Added | None]:
        """Add rows to a table without constraints, if their types are just the columns'."""
        name, types = self._name(relation), {column: table.columns.get(column, "") for column in rows.columns}
        with self._selected(rows) as select:
            # An expression's types are Ibis' own, so DuckDB is asked.
            same = types == rows.columns or types == self._columns.of(select)
            constrained = self._belongings_of(relation).constrained or landing.hides_numbers(table.columns)
            if not same or constrained or self._transactions.is_open:
                yield None
                return
            with self._transactions.one():
                new, old = (self._of(text(name, types), types) for text in (landing.added, landing.committed))
                yield Added(name, new, self._made(insertion(name, types, select), f"({new.text})"), old, self._sending)

    @contextlib.contextmanager
    def building(self, relation: Relation, rows: Rows, *, over: Kind | None) -> Iterator[Beside]:
        """Make a table in the schema of the other one, which takes that one's name if it is to stay."""
        self._create_schema(relation.database)
        kept = self._belongings_of(relation).statements if over is Kind.TABLE else ()
        beside = Relation(relation.database, f"__fft_new_{os.urandom(8).hex()}")
        with self._selected(rows) as select, self._transactions.one():
            number = self._made(f"CREATE TABLE {self._name(beside)} AS\n{select}", self._name(beside))
            new = self.found(beside)
            replacing = landing.replacing(self._name(relation), over, new.name, relation.name, kept)
            yield Beside(new, number, replacing, self._sending)

    def scratch(self) -> str:
        """Empty a schema of this connection's own, and begin the names of texts and stages anew."""
        self._texts.restart()
        self._numbers = itertools.count(1)
        self._scratch.empty()
        self._known.add(self._scratch.name)
        return self._scratch.name

    def worker(self, on_statement: Callable[[str], None] | None = None) -> DuckDBEngine:
        """Return a cursor of the database: to DuckDB that is one more connection."""
        found = DuckDBEngine(self._duckdb.cursor(), self._database, on_statement)
        found._common, found._belongings = self._common, self._belongings
        found.preparing.statements = self.preparing.statements
        return found

    def interrupt(self) -> None:
        """Make the statement that runs now end with `KeyboardInterrupt`."""
        self._interrupt.ask()

    def _interrupted(self) -> None:
        """Note that a statement has ended because it was to."""
        # One that ended for a signal is still at work behind: without this, the next one would wait for it to be done.
        self._duckdb.interrupt()
        self._interrupt.heard()

    def close(self) -> None:
        """Close the connection, and the database with the first one; what was committed is in the file."""
        self._interrupt.heard()
        try:
            self._scratch.drop()
        finally:
            self._duckdb.close()

    def _made(self, statement: str, name: str) -> int:
        """Write rows, and return how many they are; `name` gives them."""
        # A PIVOT is several statements to DuckDB, and then it does not say how many rows it wrote.
        return int((self._run(statement).fetchall() or self._rows(f"SELECT count(*) FROM {name}"))[0][0])

    def _of(self, text: str, columns: Mapping[str, str]) -> Named:
        """Return what a SELECT gives whose columns are known."""
        return self._texts.named(text, columns, lambda: self._columns.schema(columns))

    def _belongings_of(self, relation: Relation) -> Belongings:
        """Return what hangs on a table. All tables are asked for at once: each question looks at every one of them."""
        if self._belongings is None:
            self._belongings = belongings(self._rows, self._name)
        return self._belongings.get(relation.folded, Belongings())

    def _alter(self, relation: Relation, changes: ColumnChanges, select: str) -> None:
        """Change the table's columns; the types are as DuckDB spells those of the rows to come."""
        for statement in altering(self._name(relation), changes, lambda: self._rows(f"DESCRIBE {select}")):
            self._run(statement)

    def _create_schema(self, database: str) -> None:
        if database not in self._known:
            with self._common:
                self._run(f"CREATE SCHEMA IF NOT EXISTS {quoted(self._catalog)}.{quoted(database)}")
            self._known.add(database)

    def _schemas(self) -> set[str]:
        rows = self._rows("SELECT schema_name FROM duckdb_schemas() WHERE database_name = current_database()")
        return {name for (name,) in rows}

    def _forget(self) -> None:
        """Forget what was learnt of the catalog in a transaction that is rolled back."""
        self._known, self._belongings = set(), None

    def _insertion(self, notes: Notes, rows: Sequence[Mapping[str, Value]]) -> str:
        return noting.insertion(self._name(notes.relation), notes, rows)

    def _name(self, relation: Relation) -> str:
        return ".".join(map(quoted, self.name_of(relation)))

    @contextlib.contextmanager
    def _selected(self, rows: Readable) -> Iterator[str]:
        """Give the SELECT that reads `rows`; Arrow rows stand behind a name while the block runs."""
        if isinstance(rows, Select | Rows):
            yield rows.text if isinstance(rows, Select) else self.compiled(rows)
            return
        # Where Ibis is not loaded, there is no expression; its import is a quarter of what a small seed takes.
        expressions = sys.modules.get("ibis.expr.types")
        if expressions is not None and isinstance(rows, expressions.Table):
            yield self.compiled(rows)
            return
        name = f"__fft_rows_{next(self._numbers)}"
        # Not the reader itself: to see what it is, DuckDB would load pandas and all of Arrow's file formats.
        with translated(None, self._interrupted):
            self._duckdb.register(name, rows.__arrow_c_stream__())
        try:
            yield f"SELECT * FROM {quoted(name)}"
        finally:
            self._duckdb.unregister(name)

    def _run(self, statement: str) -> Any:
        """Send one statement. Everything that changes the warehouse goes through here."""
        if self._on_statement is not None:
            self._on_statement(statement)
        with translated(statement, self._interrupted):
            return self._duckdb.execute(statement)

    def _rows(self, statement: str) -> list[tuple[Any, ...]]:
        with translated(statement, self._interrupted):
            rows: list[tuple[Any, ...]] = self._duckdb.execute(statement).fetchall()
        return rows
