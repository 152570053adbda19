"""How rows are sent to PostgreSQL, and what its planner knows of them afterwards."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from decimal import Decimal
from typing import Any

import ibis
import psycopg
import pyarrow as pa
import pytest

from fastflowtransform.engines import postgres_rows
from fastflowtransform.engines.base import ColumnChanges, Kind
from fastflowtransform.engines.postgres import PostgresEngine
from fastflowtransform.model import Index, Layout
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


ID = uuid.UUID("6f1d0c4e-55a3-4c7e-8d0d-0d6f4c8b7d0a")
TEXT = "\u00e4\u0301 \u200d \U0001f600 \\x41 \t\n'\"\ufeff"
NOON = datetime(2026, 1, 1, 12, 0, 0, 123456)
COLUMNS = [
    (pa.bool_(), True, "boolean", "true"),
    (pa.int8(), -128, "smallint", "-128"),
    (pa.int32(), -(2**31), "integer", "-2147483648"),
    (pa.int64(), 2**63 - 1, "bigint", "9223372036854775807"),
    (pa.float32(), 0.5, "real", "0.5"),
    (pa.float64(), 0.1, "double precision", "0.1"),
    (pa.float64(), float("nan"), "double precision", "NaN"),
    (pa.decimal128(10, 2), Decimal("-0.01"), "numeric(10,2)", "-0.01"),
    (pa.decimal128(38, 38), Decimal("0." + "1" * 38), "numeric(38,38)", "0." + "1" * 38),
    (pa.decimal256(76, 10), Decimal("9" * 66 + ".0123456789"), "numeric(76,10)", "9" * 66 + ".0123456789"),
    (pa.date32(), date(2024, 2, 29), "date", "2024-02-29"),
    (pa.timestamp("us"), NOON, "timestamp without time zone", "2026-01-01 12:00:00.123456"),
    (pa.timestamp("s"), NOON.replace(microsecond=0), "timestamp without time zone", "2026-01-01 12:00:00"),
    (pa.timestamp("ns", "UTC"), NOON.replace(tzinfo=UTC), "timestamp with time zone", "2026-01-01 12:00:00.123456+00"),
    (
        pa.timestamp("us", "Asia/Kolkata"),
        NOON.replace(tzinfo=UTC),
        "timestamp with time zone",
        "2026-01-01 12:00:00.123456+00",
    ),
    (pa.time64("us"), clock(23, 59, 59, 999999), "time without time zone", "23:59:59.999999"),
    (pa.duration("us"), timedelta(days=1, microseconds=1), "interval", "24:00:00.000001"),
    (pa.string(), "", "text", ""),
    (pa.string(), TEXT, "text", TEXT),
    (pa.large_string(), TEXT, "text", TEXT),
    (pa.string_view(), TEXT, "text", TEXT),
    (pa.dictionary(pa.int32(), pa.string()), "a", "text", "a"),
    (pa.binary(), b"\x00\xff", "bytea", "\\x00ff"),
    (pa.binary(2), b"\x00\xff", "bytea", "\\x00ff"),
    (pa.uuid(), ID, "uuid", str(ID)),
    (pa.json_(), '{"a": [1, null]}', "jsonb", '{"a": [1, null]}'),
    (pa.list_(pa.int64()), [1, None], "bigint[]", "{1,NULL}"),
    (pa.list_(pa.string()), ["", None, "NULL", 'a "b"'], "text[]", '{"",NULL,"NULL","a \\"b\\""}'),
    (pa.large_list(pa.bool_()), [], "boolean[]", "{}"),
    (pa.list_(pa.decimal128(10, 2)), [Decimal("1.10")], "numeric(10,2)[]", "{1.10}"),
    (
        pa.list_(pa.timestamp("us", "UTC")),
        [NOON.replace(tzinfo=UTC)],
        "timestamp with time zone[]",
        '{"2026-01-01 12:00:00.123456+00"}',
    ),
]


@pytest.mark.parametrize(
    ("dtype", "value", "column", "text"), COLUMNS, ids=[f"{n}-{row[0]}" for n, row in enumerate(COLUMNS)]
)
def test_a_value_of_arrow_is_the_same_value_in_a_column_of_its_type(engine, server, dtype, value, column, text):
    rows = pa.table({"id": [1, 2], "x": pa.array([value, None], dtype)})

    engine.replace(T, rows.to_reader(), over=None)

    server.execute("SET TimeZone = 'UTC'; SET DateStyle = 'ISO'")
    found = server.execute(
        "SELECT format_type(a.atttypid, a.atttypmod), t.x::text FROM demo.t, pg_attribute a "
        "WHERE a.attrelid = 'demo.t'::regclass AND a.attname = 'x' ORDER BY t.id"
    )
    assert found.fetchall() == [(column, text), (column, None)]


OF_SQL = {
    "numeric": "1234567890123456789012345678901234567890.5::numeric",
    "numeric(10,2)": "1.10::numeric(10, 2)",
    "timestamp(3) without time zone": "'2026-01-01 12:00:00.123'::timestamp(3)",
    "timestamp with time zone": "'2026-01-01 12:00:00.123456+02'::timestamptz",
    "timestamp without time zone": "'infinity'::timestamp",
    "uuid": f"'{ID}'::uuid",
    "json": '\'{"b": 1, "a":  2, "a": 3}\'::json',
    "jsonb": "'{\"b\": 1}'::jsonb",
    "text[]": "array['', null, 'NULL']",
    "integer[]": "array[[1, 2], [3, null]]",
    "bytea": "'\\x00ff'::bytea",
    "character varying(5)": "'ab'::varchar(5)",
    "character(3)": "'ab '::char(3)",
    "interval": "interval '1 month 1 day 0.000001 s'",
    "inet": "'1.2.3.4'::inet",
    "int4range": "'[1,5)'::int4range",
    "bit(3)": "B'101'::bit(3)",
}


@pytest.mark.parametrize("column", OF_SQL)
def test_a_table_of_a_table_has_its_types_and_values_whatever_they_are(engine, server, column):
    server.execute(f"CREATE TABLE demo.t AS SELECT 1 AS id, {OF_SQL[column]} AS x")
    made, merged = Relation("demo", "made"), Relation("demo", "merged")

    engine.replace(made, engine.table(T).mutate(more=ibis._.id + 1), over=None)
    engine.replace(merged, engine.table(made).filter(ibis._.id > 1), over=None)
    with engine.stage(engine.table(made)) as staged:
        engine.merge(merged, staged, ("id",), null_safe=False)

    for name in ("made", "merged"):
        found = server.execute(
            "SELECT format_type(a.atttypid, a.atttypmod), (SELECT x::text FROM demo.t) = (SELECT x::text "
            f"FROM demo.{name}) FROM pg_attribute a WHERE a.attrelid = 'demo.{name}'::regclass AND a.attname = 'x'"
        )
        assert found.fetchall() == [(column, True)]


@pytest.mark.parametrize(
    "name", ["Order", "select", "a b", 'say "hi"', "O'Hara", "x;--", "%s", "a.b", "{x}", "\u00c4\U0001f600"]
)
@pytest.mark.parametrize("unique", [True, False])
def test_any_name_can_be_indexed_merged_by_changed_and_swapped(engine, server, name, unique):
    relation, layout = Relation("demo", name), Layout((Index((name,), unique=unique),))
    engine.replace(relation, pa.table({name: [1, 2], "v": ["a", "b"]}).to_reader(), over=None, layout=layout)
    added = ColumnChanges(added={f"{name}2": ibis.dtype("string")})

    with engine.stage(pa.table({name: [2, 3], "v": ["B", "c"], f"{name}2": ["x", "y"]}).to_reader()) as staged:
        counts = engine.merge(relation, staged, (name,), null_safe=False, changes=added)

    assert (counts.inserted, counts.updated) == (1, 1)
    assert counts.strategy == ("insert on conflict" if unique else "delete + insert")
    engine.replace(relation, engine.table(relation), over=Kind.TABLE, layout=layout)
    assert sorted(map(tuple, (row.values() for row in engine.rows(engine.table(relation))))) == [
        (1, "a", None),
        (2, "B", "x"),
        (3, "c", "y"),
    ]
    ((indexes,),) = server.execute("SELECT count(*) FROM pg_indexes WHERE tablename = %s", [name]).fetchall()
    assert indexes == 1


WIDE = "{{ config(dialect='postgres', materialized='MADE') }}\nselect ID as id, cast('TEXT' as varchar(LENGTH)) as v"


def wide(made: str, number: int, text: str) -> dict[str, str]:
    model = WIDE.replace("MADE", made).replace("ID", str(number)).replace("TEXT", text)
    return {"models/m.ff.sql": model.replace("LENGTH", str(len(text)))}


@pytest.mark.parametrize("mode", ["fail", "append_new_columns", "sync_all_columns", "ignore"])
def test_a_varchar_makes_room_for_longer_texts_in_every_mode(postgres_project, mode):
    made = f"incremental', unique_key='id', on_schema_change='{mode}"
    postgres_project.write(wide(made, 1, "abcde"))
    assert postgres_project.fft("run").code == 0
    postgres_project.write(wide(made, 2, "abcdefghi"))

    answer = postgres_project.fft("run")

    assert (answer.code, answer.err) == (0, "")
    assert postgres_project.sql("select v from m order by id") == [("abcde",), ("abcdefghi",)]
    assert "note m: v takes texts of more than 5 characters now" in answer.out


def test_a_table_that_must_stay_makes_room_for_longer_texts(postgres_project):
    postgres_project.write(wide("table", 1, "abcde"))
    assert postgres_project.fft("run").code == 0
    postgres_project.sql("alter table m add primary key (id)")
    postgres_project.write(wide("table", 1, "abcdefghi"))

    answer = postgres_project.fft("run")

    assert (answer.code, answer.err) == (0, "")
    assert postgres_project.sql("select v from m") == [("abcdefghi",)]
