"""One connection to a PostgreSQL server, over ADBC: statements, rows in and out by COPY, and a way to cancel."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import adbc_driver_manager as adbc
from adbc_driver_postgresql import StatementOptions, _driver_path

from fastflowtransform.engines.interrupting import Interrupt
from fastflowtransform.engines.postgres_errors import Translated, require_dsn, why_not_open
from fastflowtransform.engines.quoting import literal, require_no_nul
from fastflowtransform.errors import (
    ConnectionFailed,
    ConnectionLost,
    EngineError,
    Location,
    OutcomeUnknown,
    ServerStarting,
)

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")

RESTART = 30.0
"""Seconds that a server may take to start again, or to come back from a crash, before a run gives up."""
_PAUSE = 0.2
_REFUSED = ("authentication failed", "does not exist", "pg_hba.conf", "no password supplied")
"""What a server says of a connection that it will not take later either."""
# The number of a transaction that a crash has taken along may be given to another one.
_STATUS = """
SELECT CASE WHEN '{transaction}'::xid8 >= pg_snapshot_xmax(pg_current_snapshot()) THEN 'aborted'
            ELSE pg_xact_status('{transaction}'::xid8) END AS status,
       EXISTS (SELECT 1 FROM pg_stat_bgwriter WHERE stats_reset >= {since}::timestamptz) AS crashed
"""

# How the driver marks a type that it does not know, and types that it always knows.
_UNKNOWN, _PLAIN = b"ADBC:postgresql:typname", {b"int4", b"int8", b"text", b"bool", b"name"}


class Session:
    """A connection, opened when it is first needed, and once more after it was lost.

    Parameters
    ----------
    dsn
        As libpq takes it: a URI, or `key=value` pairs.
    settings
        Statements for each new connection.
    on_statement
        Is told each statement before it is sent, if it may change something.
    """

    def __init__(self, dsn: str, settings: str, on_statement: Callable[[str], None] | None = None) -> None:
        self._dsn = dsn
        self._settings = settings
        self._on_statement = on_statement
        self._open: contextlib.ExitStack | None = None
        self._connection: Any = None
        self._statement: Any = None
        self._interrupt = Interrupt(self._cancel)
        self._streaming = False
        self._is_given_up, self._kept = False, 0
        self._types_are_known = False
        self.was_there = False
        """Whether the server is known to be one that takes this DSN, so that it is waited for."""
        self.number = 0
        """Counts the connections that were opened: what a session keeps, such as a lock, is gone with the last one."""

    def run(self, sql: str) -> int:
        """Send statements that may change something, and return how many rows the last one changed."""
        if self._on_statement is not None:
            self._on_statement(sql)
        with self._sent(sql) as statement:
            return max(int(statement.execute_update()), 0)

    def rows_of_write(self, sql: str) -> list[tuple[Any, ...]]:
        """Send a statement that changes something and gives a small result, and return its rows."""
        if self._on_statement is not None:
            self._on_statement(sql)
        return self.rows(sql)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a small result."""
        return list(zip(*self.table(sql).to_pydict().values(), strict=True))

    def table(self, sql: str) -> pa.Table:
        """Return a small result; its columns may repeat a name no more than a table's."""
        found = self.again(lambda: self._table(sql))
        return found if self._knows_types(found.schema) else self._table(sql)

    def _table(self, sql: str) -> pa.Table:
        with self._sent(sql) as statement:
            # A COPY is for many rows; for a few it takes twice as long, and its errors have no code.
            statement.set_options(**{StatementOptions.USE_COPY.value: "false"})
            with _reader(statement) as reader:
                return reader.read_all()

    @contextlib.contextmanager
    def stream(self, sql: str) -> Iterator[pa.RecordBatchReader]:
        """Stream the rows of a SELECT while the block runs; the connection is busy until then."""
        with self._sent(sql) as statement, _reader(statement) as reader:
            self._streaming = True
            try:
                yield reader
            finally:
                self._streaming = False

    def columns(self, sql: str) -> pa.Schema:
        """Return the columns of one SELECT, which is not run: each field's metadata has PostgreSQL's own type."""
        found = self.again(lambda: self._columns(sql))
        return found if self._knows_types(found) else self._columns(sql)

    def _columns(self, sql: str) -> pa.Schema:
        import pyarrow as pa

        with self._sent(sql) as statement:
            # Arrow takes the schema over while its handle lives.
            handle = statement.execute_schema()
            return pa.Schema._import_from_c(handle.address)

    def _knows_types(self, columns: pa.Schema) -> bool:
        """Whether the driver knows the types of the first answer; if not, connect anew, as it has to be for that.

        It looks types up before our settings are sent, by names that `quote_all_identifiers` puts in quotes. The
        settings are only put into the DSN where they have to be: not every pooler takes them there.
        """
        if self._types_are_known:
            return True
        self._types_are_known = True
        if not any((field.metadata or {}).get(_UNKNOWN) in _PLAIN for field in columns):
            return True
        self._dsn = with_plain_names(self._dsn)
        self.close()
        return False

    def ingest(self, table: str, schema: str | None, rows: pa.RecordBatchReader) -> int:
        """Add rows to a table by COPY, by column name, and return how many; without a schema, to a temporary table."""
        if self._on_statement is not None:
            self._on_statement(f"COPY {table} FROM STDIN (FORMAT binary)")
        options = {"adbc.ingest.target_table": table, "adbc.ingest.mode": "adbc.ingest.mode.append"}
        if schema is None:
            options["adbc.ingest.temporary"] = "true"
        else:
            options["adbc.ingest.target_db_schema"] = schema
        with self._sent(None) as statement:
            statement.set_options(**options)
            statement.bind_stream(rows)
            return int(statement.execute_update())

    def again(self, do: Callable[[], T]) -> T:
        """Do what may be done twice, once more where the connection is lost on the way and nothing was kept on it."""
        try:
            return do()
        except ConnectionLost:
            if self._kept:
                raise
            return do()

    @contextlib.contextmanager
    def keeping(self) -> Iterator[None]:
        """Say that the block needs its connection: a transaction, a lock or a temporary table would go with it."""
        self._kept += 1
        try:
            yield
        finally:
            self._kept -= 1

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        with self.keeping():
            yield from self._transaction()

    def _transaction(self) -> Iterator[None]:
        self.run("BEGIN")
        written = False
        try:
            yield
            written = True
        finally:
            if not written:
                # The first error is the one to tell; a connection that is gone has rolled back by itself.
                self.tidy("ROLLBACK")
        self._commit()

    def _commit(self) -> None:
        """Commit; where the connection is lost on the way, the server knows whether it did.

        Raises
        ------
        ConnectionLost
            It did not.
        OutcomeUnknown
            It cannot be asked.
        """
        ((transaction, since),) = self.rows(
            "SELECT pg_current_xact_id_if_assigned()::text AS transaction, clock_timestamp()::text AS since"
        )
        try:
            self.run("COMMIT")
        except ConnectionLost as lost:
            if transaction is None:
                raise
            try:
                status_of = _STATUS.format(transaction=transaction, since=literal(since))
                ((status, crashed),) = self.rows(status_of)
            except EngineError as error:
                raise OutcomeUnknown(
                    f"the connection was lost during the commit, and cannot be opened again: {error.message}",
                    hint="look at the table: it holds either all of the new rows or none of them",
                ) from lost
            if status != "committed":
                raise
            if crashed:
                raise OutcomeUnknown(
                    "the server crashed during the commit, and does not say for sure what came of it",
                    hint="look at the table: it holds either all of the new rows or none of them",
                ) from lost

    def tidy(self, sql: str) -> None:
        """Send a statement after a write that is committed: whatever becomes of it, the write is not done again."""
        if self.is_open:
            with contextlib.suppress(EngineError):
                self.run(sql)

    @property
    def is_open(self) -> bool:
        """Whether there is a connection. With one that was lost, its locks and temporary tables are gone."""
        return self._open is not None

    def cancel(self) -> None:
        """Make the statement that runs now end with `KeyboardInterrupt`; called from another thread."""
        self._interrupt.ask()

    def _cancel(self) -> None:
        if self._statement is not None:
            self._statement.cancel()

    def close(self) -> None:
        """End the connection, and with it its transaction, its locks and its temporary tables."""
        if self._open is not None:
            self._open.close()
            self._open = None

    @contextlib.contextmanager
    def _sent(self, sql: str | None) -> Iterator[Any]:
        """Give a statement, and say its errors in our words."""
        assert not self._streaming, "another statement would end the stream that is being read"
        if sql is not None:
            require_no_nul(sql)
        connection = self._connected()
        try:
            with Translated(sql, self._dsn), adbc.AdbcStatement(connection) as statement:
                if sql is not None:
                    statement.set_sql_query(sql)
                with self._interrupt:
                    self._statement = statement
                try:
                    yield statement
                finally:
                    with self._interrupt:
                        self._statement = None
        except KeyboardInterrupt:
            self._interrupt.heard()
            raise
        except ConnectionLost:
            self.close()
            raise

    def _connected(self) -> Any:
        """Return the connection, opened where there is none; a server that is about to be there is waited for."""
        end = time.monotonic() + (0 if self._is_given_up else RESTART)
        while not self.is_open:
            try:
                self._connect()
            except ConnectionFailed as error:
                # A server that was there before is on its way down or up; which of both, it says in its own language.
                comes_back = self.was_there and not any(words in error.message for words in _REFUSED)
                if not (comes_back or isinstance(error, ServerStarting)) or time.monotonic() >= end:
                    # Nobody is to wait as long for each of many models.
                    self._is_given_up = True
                    raise
                if self._interrupt.is_asked:
                    self._interrupt.heard()
                    raise KeyboardInterrupt from error
                time.sleep(_PAUSE)
        return self._connection

    def _connect(self) -> None:
        try:
            with contextlib.ExitStack() as opened:
                database = opened.enter_context(adbc.AdbcDatabase(driver=_driver_path(), uri=self._dsn))
                self._connection = opened.enter_context(adbc.AdbcConnection(database))
                with adbc.AdbcStatement(self._connection) as statement:
                    statement.set_sql_query(self._settings)
                    statement.execute_update()
                self._open = opened.pop_all()
        except adbc.Error as error:
            raise why_not_open(error, self._dsn) from error
        self.number += 1
        self.was_there, self._is_given_up = True, False


@contextlib.contextmanager
def _reader(statement: Any) -> Iterator[pa.RecordBatchReader]:
    """Run a statement, and read its rows."""
    import pyarrow as pa

    handle, _ = statement.execute_query()
    with pa.RecordBatchReader._import_from_c(handle.address) as reader:
        yield reader


def with_plain_names(dsn: str) -> str:
    """Return a DSN whose sessions begin with names and texts as the driver reads them.

    Examples
    --------
    >>> with_plain_names("postgresql://db/shop?options=-c%20work_mem%3D1MB")
    'postgresql://db/shop?options=-c%20work_mem%3D1MB%20-c%20quote_all_identifiers%3Doff'
    >>> with_plain_names("postgresql://db/shop")
    'postgresql://db/shop?options=-c%20quote_all_identifiers%3Doff'
    >>> with_plain_names("host=db options='-c work_mem=1MB'")
    "host=db options='-c work_mem=1MB -c quote_all_identifiers=off'"
    >>> with_plain_names("host=db")
    "host=db options='-c quote_all_identifiers=off'"
    """
    plain = "-c quote_all_identifiers=off"
    if "://" in dsn:
        escaped = quote(plain)
        found = re.search(r"[?&]options=[^&]*", dsn)
        if found is not None:
            return f"{dsn[: found.end()]}%20{escaped}{dsn[found.end() :]}"
        return f"{dsn}{'&' if '?' in dsn else '?'}options={escaped}"
    found = re.search(r"\boptions\s*=\s*(?:'((?:[^'\\]|\\.)*)'|(\S+))", dsn)
    if found is None:
        return f"{dsn} options='{plain}'"
    return f"{dsn[: found.start()]}options='{found[1] or found[2]} {plain}'{dsn[found.end() :]}"


def libpq(dsn: str, at: Location | None = None) -> str:
    """Return a DSN as libpq takes it, without the driver that SQLAlchemy's form names.

    Raises
    ------
    ConnectionFailed
        libpq would read it in another way than it is meant, and quote a part of it.

    Examples
    --------
    >>> libpq("postgresql+psycopg://ada@db/shop")
    'postgresql://ada@db/shop'
    """
    scheme, mark, rest = dsn.partition("://")
    if mark and "=" not in scheme:
        dsn = f"{scheme.partition('+')[0]}{mark}{rest}"
    require_dsn(dsn, at)
    return dsn
