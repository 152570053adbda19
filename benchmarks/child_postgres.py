"""Does by hand what fft does on the PostgreSQL server of FF_PG_DSN: `python child_postgres.py WORK ARGUMENT...`.

Prints the seconds of the work alone: what loads libraries and opens connections comes before it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import psycopg
from measure import measured

DSN = os.environ["FF_PG_DSN"]
PIECE = 1 << 20
Work = Callable[[], object]

COLUMNS = ("event_id", "account", "kind", "note", "amount", "score", "weekday", "updated_at")
NAMES = ", ".join(COLUMNS)
ON_CONFLICT = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS[1:])
MATCHED = ", ".join(f"{name} = delta.{name}" for name in COLUMNS[1:])
STAGE = (
    "CREATE TEMP TABLE delta ON COMMIT DROP AS "
    "SELECT * FROM raw.events WHERE updated_at > (SELECT max(updated_at) FROM bench.facts)"
)
INSERT = f"INSERT INTO bench.facts ({NAMES}) SELECT {NAMES} FROM delta"
MERGES = {
    "delete": ("DELETE FROM bench.facts USING delta WHERE facts.event_id = delta.event_id", INSERT),
    "conflict": (f"{INSERT} ON CONFLICT (event_id) DO UPDATE SET {ON_CONFLICT}",),
    "merge": (
        f"MERGE INTO bench.facts USING delta ON facts.event_id = delta.event_id WHEN MATCHED THEN UPDATE SET {MATCHED} "
        f"WHEN NOT MATCHED THEN INSERT ({NAMES}) VALUES ({', '.join(f'delta.{name}' for name in COLUMNS)})",
    ),
}


def merge(how: str) -> Work:
    """Stage the rows after the newest one, and merge them."""
    return _in_a_transaction(STAGE, *MERGES[how])


def select(path: str, table: str, *afterwards: str) -> Work:
    """Put the result of a SELECT in place of a table."""
    text = Path(path).read_text()
    return _in_a_transaction(f"DROP TABLE IF EXISTS {table}", f"CREATE TABLE {table} AS {text}", *afterwards)


def trivial(number: str) -> Work:
    """Make small tables, each in a transaction of its own."""
    connection = psycopg.connect(DSN, autocommit=True)

    def work() -> None:
        for model in range(int(number)):
            connection.execute(f"CREATE TABLE bench.model_{model} AS SELECT {model} AS id, 'text' AS label")

    return work


def copy_text(path: str, table: str, columns: str) -> Work:
    """Send a CSV file as it is."""
    connection = psycopg.connect(DSN)

    def work() -> None:
        with connection, connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS {table}; CREATE TABLE {table} ({columns})")
            with cursor.copy(f"COPY {table} FROM STDIN (FORMAT csv, HEADER)") as copy, open(path, "rb") as file:
                while piece := file.read(PIECE):
                    copy.write(piece)

    return work


def copy_binary(path: str, table: str) -> Work:
    """Read a Parquet file, and send its rows in the binary form."""
    import pyarrow as pa
    from adbc_driver_postgresql import dbapi
    from pyarrow import parquet

    schema, _, name = table.partition(".")
    connection = dbapi.connect(DSN)

    def work() -> None:
        rows = parquet.ParquetFile(path)
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS {table}")
            batches = pa.RecordBatchReader.from_batches(rows.schema_arrow, rows.iter_batches())
            cursor.adbc_ingest(name, batches, mode="create", db_schema_name=schema)
        connection.commit()

    return work


def _in_a_transaction(*statements: str) -> Work:
    connection = psycopg.connect(DSN)

    def work() -> None:
        for statement in statements:
            connection.execute(statement)
        connection.commit()

    return work


def main(how: str, *arguments: str) -> None:
    """Do it, and print what that took."""
    work = {
        "merge": merge,
        "select": select,
        "trivial": trivial,
        "copy_text": copy_text,
        "copy_binary": copy_binary,
    }[how](*arguments)
    with measured() as clock:
        work()
    print(json.dumps(asdict(clock.cost)))


main(*sys.argv[1:])
