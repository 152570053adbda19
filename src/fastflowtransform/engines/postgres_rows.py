"""Columns, rows and statistics of one table: what a write to PostgreSQL is made of. Called inside a transaction."""

from __future__ import annotations

import contextlib
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastflowtransform.engines import postgres_types as types
from fastflowtransform.engines.base import ColumnChanges
from fastflowtransform.engines.postgres_session import Session
from fastflowtransform.engines.quoting import literal, quoted
from fastflowtransform.errors import DependentsInTheWay, EngineError, NameTooLong, WrongResult
from fastflowtransform.relation import Relation
from fastflowtransform.row_values import distinct

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    import pyarrow as pa
    from ibis.expr.schema import Schema

_FEW = 1_000
"""Rows that are too few for statistics to pay."""
_QUICK = 10
"""Statistics of ten values and ten ranges a column, of 3,000 rows; PostgreSQL's own setting is 100, and 30,000."""
_MESSAGE = 1 << 18
"""Bytes of rows that are sent at once. The driver puts all of a batch into the server's form before it sends any of it,
so a large one would take as much memory again, and the server would have nothing to do meanwhile."""


def printed(relation: Relation) -> str:
    """Return a relation's name as statements take it."""
    require_short(relation.name)
    return f"{quoted(relation.database)}.{quoted(relation.name)}"


def require_short(name: str) -> None:
    """Raise `NameTooLong` for a name that PostgreSQL would cut off, and so could take for another."""
    if len(name.encode()) > 63:
        raise NameTooLong(f'"{name}" is longer than the 63 bytes that PostgreSQL keeps', hint="choose a shorter name")


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a SELECT, as the driver describes them."""

    fields: pa.Schema

    @property
    def spelt(self) -> Mapping[str, str]:
        """Return PostgreSQL's type by name, with all that is told of it."""
        return {field.name: types.spelt(field) for field in self.fields}

    def schema(self) -> Schema:
        """Return the columns as Ibis has them."""
        import ibis
        from ibis.backends.sql.datatypes import PostgresType

        return ibis.schema({field.name: types.ibis_type(field, PostgresType.from_string) for field in self.fields})

    def told_apart(self, text: str) -> tuple[str, Columns]:
        """Return the SELECT whose columns these are, and its columns; a name that comes again gets a number."""
        names = distinct(self.fields.names)
        if names == self.fields.names:
            return text, self
        import pyarrow as pa

        fields = pa.schema([field.with_name(name) for field, name in zip(self.fields, names, strict=True)])
        return f"SELECT * FROM (\n{text}\n) AS model ({', '.join(map(quoted, names))})", Columns(fields)


def columns_of(session: Session, select: str) -> Columns:
    """Return the columns and types of a SELECT, which is not run."""
    return Columns(session.columns(select))


def ingest(session: Session, database: str | None, name: str, rows: pa.RecordBatchReader) -> int:
    """Make a table of Arrow rows, a temporary one where no schema is given."""
    import pyarrow as pa

    columns, fields = [], []
    for field in rows.schema:
        require_short(field.name)
        found = types.postgres_type(field.type)
        if found is None:
            raise WrongResult(
                f'"{field.name}" is of type "{field.type}", which PostgreSQL has no column for',
                hint="give each part a column of its own, or the whole as a text of JSON",
            )
        columns.append(f"{quoted(field.name)} {found[0]}")
        fields.append(pa.field(field.name, found[1]))
    where = "TEMPORARY TABLE" if database is None else f"TABLE {quoted(database)}."
    session.run(f"CREATE {where}{' ' if database is None else ''}{quoted(name)} ({', '.join(columns)})")
    schema = pa.schema(fields)
    refused: list[WrongResult] = []

    def few() -> Iterator[pa.RecordBatch]:
        try:
            for batch in rows:
                yield from _in_few(types.sent(batch, schema))
        except WrongResult as error:
            refused.append(error)
            raise

    try:
        return session.ingest(name, database, pa.RecordBatchReader.from_batches(schema, few()))
    except EngineError:
        # The driver makes an error of its own of ours.
        if refused:
            raise refused[0] from None
        raise


def _in_few(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Yield a batch in parts of a message each; a row is never divided."""
    rows = max(len(batch) * _MESSAGE // max(batch.nbytes, 1), 1)
    for start in range(0, len(batch), rows):
        yield batch.slice(start, rows)


def insert(session: Session, relation: Relation, select: str, columns: Iterable[str]) -> int:
    """Add rows by column name, and return how many."""
    names = ", ".join(map(quoted, columns))
    return session.run(f"INSERT INTO {printed(relation)} ({names}) SELECT {names} FROM ({select}) AS fresh")


def alter(
    session: Session, relation: Relation, changes: ColumnChanges, select: str, *, forgotten: Container[str] = ()
) -> None:
    """Change the table's columns; the types are those of the rows to come.

    Nothing is left of the values of `forgotten` columns: each row gets new ones.
    """
    if not changes:
        return
    name = printed(relation)
    spelt = _types_of(session, select)
    try:
        for column in changes.added:
            session.run(f"ALTER TABLE {name} ADD COLUMN {quoted(column)} {spelt[column]}")
        for column in changes.retyped:
            using = "NULL" if column in forgotten else f"{quoted(column)}::{spelt[column]}"
            session.run(f"ALTER TABLE {name} ALTER COLUMN {quoted(column)} TYPE {spelt[column]} USING {using}")
        for column in changes.dropped:
            session.run(f"ALTER TABLE {name} DROP COLUMN {quoted(column)}")
    except EngineError as error:
        reasons = ("depend on it", "used by a view", "foreign key constraint")
        if not any(reason in error.message for reason in reasons):
            raise
        raise DependentsInTheWay(
            f'the columns of "{relation}" change, and others read them: {error.message}',
            hint="drop what reads them first; the models among them are made again by the run",
        ) from error


def _types_of(session: Session, select: str) -> dict[str, str]:
    """Return PostgreSQL's own types of a SELECT's columns, which stand for a moment as a view."""
    session.run(f"CREATE TEMPORARY VIEW __fft_types AS {select}")
    found = session.rows(
        "SELECT attname, format_type(atttypid, atttypmod) AS type FROM pg_attribute "
        "WHERE attrelid = 'pg_temp.__fft_types'::regclass AND attnum > 0"
    )
    session.run("DROP VIEW pg_temp.__fft_types")
    return dict(found)


def changes_to(old: Mapping[str, dt.DataType], new: Mapping[str, dt.DataType]) -> ColumnChanges:
    """Return what makes one table's columns another's."""
    return ColumnChanges(
        added={name: dtype for name, dtype in new.items() if name not in old},
        dropped=tuple(name for name in old if name not in new),
        retyped={
            name: dtype
            for name, dtype in new.items()
            if name in old and old[name](nullable=True) != dtype(nullable=True)
        },
    )


def analyze(session: Session, relation: Relation, changed: int) -> None:
    """Let the planner know of a change that its statistics do not show yet."""
    if changed < _FEW:
        return
    name = printed(relation)
    # The write is committed, and is not to be done again because its statistics are missing.
    with contextlib.suppress(EngineError):
        known = session.rows(f"SELECT reltuples::bigint AS rows FROM pg_class WHERE oid = {literal(name)}::regclass")
        if changed * 10 >= known[0][0]:
            session.run(f"ANALYZE {name}")


def sample(session: Session, name: str, written: int) -> None:
    """Let the planner know what is in a staged table, of which autovacuum takes no notice.

    Without it a comparison of its few late rows with a large table reads all of the latter, whatever its indexes. A
    tenth of the usual sample tells as much.
    """
    if written >= _FEW:
        session.run(f"SET LOCAL default_statistics_target = {_QUICK}; ANALYZE {name}")


def survey(session: Session, relation: Relation, written: int) -> None:
    """Let the planner know what is in a new table; called in the transaction that makes it.

    Autovacuum hears of the rows when they are committed, and within a minute takes its own sample, a large one. A small
    one tells enough until then.
    """
    if written >= _FEW:
        session.run(
            f"SELECT set_config('default_statistics_target', '{_QUICK}', true) "
            "WHERE current_setting('autovacuum')::boolean AND current_setting('track_counts')::boolean; "
            f"ANALYZE {printed(relation)}"
        )
