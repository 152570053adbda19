"""How rows are sent to PostgreSQL, and what its planner knows of them afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from fastflowtransform.engines import postgres_rows
from fastflowtransform.engines.base import Kind
from fastflowtransform.engines.postgres import PostgresEngine
from fastflowtransform.relation import Relation
from tests.conftest import postgres_dsn, postgres_engine

pytestmark = pytest.mark.engine("postgres")

T = Relation("demo", "t")
MANY = 5_000


@pytest.fixture
def engine() -> Iterator[PostgresEngine]:
    opened = postgres_engine()
    yield opened
    opened.close()


@pytest.fixture
def server() -> Iterator[psycopg.Connection[Any]]:
    """Another session, as somebody else has it."""
    with psycopg.connect(postgres_dsn(), autocommit=True) as connection:
        yield connection


def numbers(count: int = MANY) -> pa.Table:
    return pa.table({"id": pa.array(range(count), pa.int64()), "v": [f"text {n}" for n in range(count)]})


def ranges(server: psycopg.Connection[Any]) -> dict[str, int]:
    """Return how many bounds of ranges the planner knows of each column."""
    found = server.execute(
        "SELECT attname, cardinality(histogram_bounds::text::text[]) FROM pg_stats "
        "WHERE schemaname = 'demo' AND tablename = 't'"
    )
    return dict(found.fetchall())


@pytest.mark.parametrize("over", [None, Kind.TABLE], ids=["new", "replaced"])
def test_the_planner_knows_a_new_table_at_once_and_autovacuum_looks_at_it_later(engine, server, over):
    if over is not None:
        engine.replace(T, numbers(1).to_reader(), over=None)

    engine.replace(T, numbers().to_reader(), over=over)
    engine.close()  # What a session has counted is with the server at its end, at the latest.

    assert set(ranges(server)) == {"id", "v"}
    assert max(ranges(server).values()) <= 11
    assert is_to_be_analyzed(server)


def is_to_be_analyzed(server: psycopg.Connection[Any]) -> bool:
    """Whether autovacuum will analyze the table, or did; before PostgreSQL 15 what is counted arrives later."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        ((changed, done),) = server.execute(
            "SELECT n_mod_since_analyze, last_autoanalyze FROM pg_stat_all_tables WHERE relid = 'demo.t'::regclass"
        ).fetchall()
        if changed >= MANY or done is not None:
            return True
        time.sleep(0.05)
    return False


def test_where_autovacuum_hears_of_nothing_the_whole_sample_is_taken(engine, server):
    engine._session.run("SET track_counts = off")

    engine.replace(T, numbers().to_reader(), over=None)

    assert min(ranges(server).values()) == 101


@pytest.mark.parametrize("size", [1, 100, 1 << 30])
def test_all_rows_arrive_in_their_order_however_many_are_sent_at_once(engine, server, monkeypatch, size):
    monkeypatch.setattr(postgres_rows, "_MESSAGE", size)
    rows = numbers(200)
    batches = [rows.slice(0, 0), rows.slice(0, 1), rows.slice(1, 150), rows.slice(0, 0), rows.slice(151)]
    parts = [pa.RecordBatch.from_pylist(part.to_pylist(), rows.schema) for part in batches]

    counts = engine.replace(T, pa.RecordBatchReader.from_batches(rows.schema, parts), over=None)

    assert counts.inserted == 200
    assert server.execute("SELECT id, v FROM demo.t ORDER BY ctid").fetchall() == [
        tuple(row.values()) for row in rows.to_pylist()
    ]
