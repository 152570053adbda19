"""One connection to a PostgreSQL server, over ADBC: statements, rows in and out by COPY, and a way to cancel."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import adbc_driver_manager as adbc
from adbc_driver_postgresql import StatementOptions, _driver_path

from fastflowtransform.engines.interrupting import Interrupt
from fastflowtransform.engines.postgres_errors import Translated, require_dsn, why_not_open
from fastflowtransform.engines.quoting import require_no_nul
from fastflowtransform.errors import ConnectionLost, EngineError, Location, OutcomeUnknown

if TYPE_CHECKING:
    import pyarrow as pa


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
        import pyarrow as pa

        with self._sent(sql) as statement:
            # Arrow takes the schema over while its handle lives.
            handle = statement.execute_schema()
            return pa.Schema._import_from_c(handle.address)

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

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        self.run("BEGIN")
        written = False
        try:
            yield
            written = True
        finally:
            if not written:
                # The first error is the one to tell; a connection that is gone has rolled back by itself.
                with contextlib.suppress(EngineError):
                    self.run("ROLLBACK")
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
        ((transaction,),) = self.rows("SELECT pg_current_xact_id_if_assigned()::text AS transaction")
        try:
            self.run("COMMIT")
        except ConnectionLost as lost:
            if transaction is None:
                raise
            try:
                ((status,),) = self.rows(f"SELECT pg_xact_status('{transaction}'::xid8) AS status")
            except EngineError as error:
                raise OutcomeUnknown(
                    f"the connection was lost during the commit, and cannot be opened again: {error.message}",
                    hint="look at the table: it holds either all of the new rows or none of them",
                ) from lost
            if status != "committed":
                raise

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
        if self._open is None:
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
        return self._connection


@contextlib.contextmanager
def _reader(statement: Any) -> Iterator[pa.RecordBatchReader]:
    """Run a statement, and read its rows."""
    import pyarrow as pa

    handle, _ = statement.execute_query()
    with pa.RecordBatchReader._import_from_c(handle.address) as reader:
        yield reader


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
