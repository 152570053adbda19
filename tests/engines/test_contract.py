"""What every engine does, tried on each: replace, view, append, merge, stage, and what names and values may be."""

from __future__ import annotations

import concurrent.futures
import queue
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.compute
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from fastflowtransform.engines.base import ColumnChanges, Engine, Kind, kind_of
from fastflowtransform.errors import EngineError, NameTooLong, RelationMissing
from fastflowtransform.relation import Relation
from tests.histories import examples

T = Relation("demo", "t")
V = Relation("demo", "v")


def reader(rows: list[dict[str, Any]], **schema: str) -> pa.RecordBatchReader:
    return pa.Table.from_pylist(rows, schema=ibis.schema(schema).to_pyarrow()).to_reader()


def numbers(*values: tuple[int, str | None]) -> pa.RecordBatchReader:
    return reader([{"id": number, "v": text} for number, text in values], id="int64", v="string")


def kind(engine: Engine, relation: Relation) -> Kind | None:
    return kind_of(engine.existing([relation]).get(relation))


def content(engine: Engine, relation: Relation = T) -> list[tuple[Any, ...]]:
    return sorted(tuple(row.values()) for row in engine.rows(engine.table(relation)))


@pytest.fixture
def table(engine: Engine) -> Engine:
    """An engine with a table of two rows."""
    engine.replace(T, numbers((1, "a"), (2, "b")), over=None)
    return engine


def test_nothing_exists_in_an_empty_database(engine: Engine):
    assert engine.existing([T, V]) == {}


def test_a_missing_table_is_said_to_be_missing(engine: Engine):
    with pytest.raises(RelationMissing, match=r'"demo\.t"'):
        engine.table(T)


def test_replace_makes_a_table_and_counts_its_rows(engine: Engine):
    assert engine.replace(T, numbers((1, "a"), (2, None)), over=None).inserted == 2
    assert kind(engine, T) is Kind.TABLE
    assert content(engine) == [(1, "a"), (2, None)]


@pytest.mark.everywhere
def test_replace_takes_an_expression_over_the_table_itself(table: Engine):
    old = table.table(T)

    table.replace(T, old.mutate(id=old.id * 10), over=Kind.TABLE)

    assert content(table) == [(10, "a"), (20, "b")]


@pytest.mark.everywhere
def test_a_failing_replace_leaves_the_old_rows(table: Engine):
    old = table.table(T)

    with pytest.raises(EngineError):
        table.replace(T, old.mutate(id=old.v.cast("int64")), over=Kind.TABLE)

    assert content(table) == [(1, "a"), (2, "b")]


def test_a_view_that_reads_a_replaced_table_survives(table: Engine):
    table.create_view(V, table.table(T).filter(ibis._.id > 1), over=None)

    table.replace(T, numbers((2, "B"), (3, "c")), over=Kind.TABLE)

    assert content(table, V) == [(2, "B"), (3, "c")]


@pytest.mark.everywhere
def test_a_table_becomes_a_view_and_a_view_a_table(table: Engine):
    table.replace(V, numbers((7, "x")), over=None)
    table.create_view(V, table.table(T), over=Kind.TABLE)
    assert kind(table, V) is Kind.VIEW

    table.replace(V, table.table(T), over=Kind.VIEW)

    assert kind(table, V) is Kind.TABLE
    assert content(table, V) == content(table, T)


def test_a_failing_view_leaves_the_table_that_stood_there(table: Engine):
    broken = table.connection.sql("SELECT * FROM demo.t", schema={"id": "int64", "missing": "int64"})

    with pytest.raises(EngineError):
        table.create_view(T, broken.filter(ibis._.missing > 0), over=Kind.TABLE)

    assert content(table) == [(1, "a"), (2, "b")]


def test_existing_compares_names_as_the_engine_says_it_does(table: Engine):
    found = kind(table, Relation("DEMO", "T"))

    assert found is (None if table.capabilities.case_sensitive else Kind.TABLE)


@pytest.mark.everywhere
def test_staged_rows_are_read_once_and_gone_afterwards(table: Engine):
    with table.stage(table.table(T)) as staged:
        table.replace(T, numbers((9, "z")), over=Kind.TABLE)
        assert sorted(row["id"] for row in table.rows(staged)) == [1, 2]

    with pytest.raises(EngineError):
        table.rows(staged)


def test_staged_rows_are_gone_after_an_error(table: Engine):
    with pytest.raises(ZeroDivisionError), table.stage(table.table(T)) as staged:
        raise ZeroDivisionError

    with pytest.raises(EngineError):
        table.rows(staged)


@pytest.mark.everywhere
def test_append_goes_by_name_and_not_by_position(table: Engine):
    with table.stage(numbers((3, "c"))) as staged:
        counts = table.append(T, staged.table().select("v", "id"))

    assert (counts.inserted, counts.updated) == (1, 0)
    assert content(table) == [(1, "a"), (2, "b"), (3, "c")]


@pytest.mark.everywhere
def test_merge_updates_matching_keys_and_inserts_the_rest(table: Engine):
    with table.stage(numbers((2, "B"), (3, "c"))) as staged:
        counts = table.merge(T, staged, ("id",), null_safe=False)

    assert (counts.inserted, counts.updated) == (1, 1)
    assert content(table) == [(1, "a"), (2, "B"), (3, "c")]


@pytest.mark.everywhere
def test_a_null_safe_merge_lets_null_equal_null(engine: Engine):
    rows = [{"a": 1, "b": None, "v": "x"}, {"a": 1, "b": 2, "v": "y"}]
    engine.replace(T, reader(rows, a="int64", b="int64", v="string"), over=None)

    with engine.stage(reader([{"a": 1, "b": None, "v": "X"}], a="int64", b="int64", v="string")) as staged:
        counts = engine.merge(T, staged, ("a", "b"), null_safe=True)

    assert counts.updated == 1
    assert sorted(row["v"] for row in engine.rows(engine.table(T))) == ["X", "y"]


@pytest.mark.everywhere
def test_a_merge_that_fails_leaves_the_table_and_its_columns(table: Engine):
    retyped = ColumnChanges(added={"extra": ibis.dtype("int64")}, retyped={"v": ibis.dtype("int64")})
    rows = reader([{"id": 2, "v": 5, "extra": 1}], id="int64", v="int64", extra="int64")

    with table.stage(rows) as staged, pytest.raises(EngineError):
        table.merge(T, staged, ("id",), null_safe=False, changes=retyped)

    assert table.table(T).columns == ("id", "v")
    assert content(table) == [(1, "a"), (2, "b")]


def test_the_engines_own_types_are_asked_without_running_anything(table: Engine):
    old = table.table(T)

    schema = table.schema(old.select("id", fails=old.v.cast("int64")))

    assert list(schema.items()) == [("id", ibis.dtype("int64")), ("fails", ibis.dtype("int64"))]


VALUES = [
    ("int64", -(2**63)),
    ("float64", 0.1),
    ("float64", 5e-324),
    ("float64", float("-inf")),
    ("decimal(38, 10)", Decimal("1234567890123456789012345678.0123456789")),
    ("decimal(38, 0)", Decimal(10**38 - 1)),
    ("decimal(10, 2)", Decimal("-0.01")),
    ("boolean", True),
    ("date", date(1, 1, 1)),
    ("date", date(9999, 12, 31)),
    ("timestamp(6)", datetime(2026, 1, 1, 12, 0, 0, 123456)),
    ("timestamp(6)", datetime(1969, 12, 31, 23, 59, 59, 999999)),
    ("timestamp(6)", datetime(9999, 12, 31, 23, 59, 59, 999999)),
    ("timestamp('UTC', 6)", datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)),
    ("timestamp('Europe/Berlin', 6)", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
    ("timestamp('Europe/Berlin', 6)", datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
    ("binary", b"\x00\xff"),
    ("binary", b""),
    ("string", ""),
    ("string", "O'Hara; DROP TABLE t; -- \\ \" {{ }} \N{GRINNING FACE}\n"),
    ("array<int64>", [1, None, 3]),
    ("array<string>", []),
    ("array<string>", ["", None, 'a "b", {c}, \\', "NULL"]),
]


@pytest.mark.everywhere
def test_values_go_in_and_come_out_as_they_are(engine: Engine):
    schema = {f"{number} {dtype}": dtype for number, (dtype, _) in enumerate(VALUES)}
    row = dict(zip(schema, (value for _, value in VALUES), strict=True))
    nulls = dict.fromkeys(schema)
    engine.replace(T, reader([{"id": 1, **row}, {"id": 2, **nulls}], id="int64", **schema), over=None)

    with engine.batches(engine.table(T).order_by("id")) as batches:
        found, empty = batches.read_all().to_pylist()

    assert found == {"id": 1, **row}
    assert {name: type(value) for name, value in found.items()} == {
        "id": int,
        **{name: type(value) for name, value in row.items()},
    }
    assert empty == {"id": 2, **nulls}
    assert engine.rows(engine.table(T).order_by("id")) == [found, empty]


NAMES = st.one_of(
    st.sampled_from(["select", "Order", "a b", 'say "hi"', "O'Hara", "x;--", "{{ x }}", "%s", "a.b", "ÄÖ", "x" * 200]),
    st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters="\0"), min_size=1, max_size=30),
)


@settings(deadline=None, max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(NAMES, min_size=3, max_size=3, unique_by=str.casefold))
def test_a_name_never_changes_the_meaning_of_a_statement(engine: Engine, names: list[str]):
    longest = engine.capabilities.longest_name
    assume(longest is None or all(len(name.encode()) <= longest for name in names))
    name = "select" if engine.capabilities.plain_names else names[0]
    relation, key, value = Relation("demo", name), names[1], names[2]
    over = kind(engine, relation)
    engine.replace(relation, reader([{key: 1, value: "a"}], **{key: "int64", value: "string"}), over=over)

    with engine.stage(reader([{key: 1, value: "b"}], **{key: "int64", value: "string"})) as staged:
        engine.merge(relation, staged, (key,), null_safe=True)

    assert engine.rows(engine.table(relation)) == [{key: 1, value: "b"}]
    assert kind(engine, relation) is Kind.TABLE


@pytest.mark.parametrize("letter", ["x", "ä"])
def test_a_name_that_is_too_long_is_refused_and_not_cut(engine: Engine, letter: str):
    if (longest := engine.capabilities.longest_name) is None:
        pytest.skip("this engine keeps names of any length that people give")
    name = letter * (longest // len(letter.encode()))
    rows = {"id": 1, name: 1}
    engine.replace(Relation("demo", name), reader([rows], **dict.fromkeys(rows, "int64")), over=None)

    assert engine.rows(engine.table(Relation("demo", name))) == [rows]
    for relation, column in ((Relation("demo", name + letter), "a"), (T, name + letter)):
        with pytest.raises(NameTooLong, match=name + letter):
            engine.replace(relation, reader([{column: 1}], **{column: "int64"}), over=None)


def test_a_thousand_columns_are_merged(engine: Engine):
    schema = {"id": "int64", **{f"c{n}": "int64" for n in range(1000)}}
    row = {"id": 1, **{f"c{n}": n for n in range(1000)}}
    engine.replace(T, reader([row], **schema), over=None)

    with engine.stage(reader([{**row, "c999": -1}], **schema)) as staged:
        engine.merge(T, staged, ("id",), null_safe=False)

    assert engine.rows(engine.table(T).select("c0", "c999")) == [{"c0": 0, "c999": -1}]


@pytest.mark.everywhere
def test_a_million_rows_are_loaded_merged_and_read(engine: Engine):
    number = 1_000_000
    rows = pa.table({"id": pa.array(range(number)), "v": pa.array(["a"] * number)})
    engine.replace(T, rows.to_reader(), over=None)
    fresh = pa.table({"id": pa.array(range(number - 25_000, number + 25_000)), "v": pa.array(["b"] * 50_000)})

    with engine.stage(fresh.to_reader()) as staged:
        counts = engine.merge(T, staged, ("id",), null_safe=False)

    assert (counts.inserted, counts.updated) == (25_000, 25_000)
    with engine.batches(engine.table(T)) as batches:
        found = pa.compute.value_counts(batches.read_all()["v"]).to_pylist()
    assert {row["values"]: row["counts"] for row in found} == {"a": number - 25_000, "b": 50_000}


@pytest.mark.everywhere
def test_a_table_without_rows_has_its_columns_and_takes_rows_later(engine: Engine):
    assert engine.replace(T, numbers(), over=None).inserted == 0
    engine.replace(V, engine.table(T).mutate(twice=ibis._.id * 2), over=None)

    with engine.batches(engine.table(V)) as batches:
        assert (batches.schema.names, batches.read_all().num_rows) == (["id", "v", "twice"], 0)
    assert engine.rows(engine.table(T)) == []
    with engine.stage(numbers((1, "a"))) as staged:
        assert engine.merge(T, staged, ("id",), null_safe=False).inserted == 1
    with engine.stage(engine.table(T).filter(ibis._.id > 1)) as staged:
        assert engine.append(T, staged).inserted == 0

    assert content(engine) == [(1, "a")]


def test_an_empty_delta_changes_nothing(table: Engine):
    with table.stage(numbers()) as staged:
        counts = table.merge(T, staged, ("id",), null_safe=False)

    assert (counts.inserted, counts.updated) == (0, 0)
    assert content(table) == [(1, "a"), (2, "b")]


def test_a_schema_of_a_failed_replace_can_be_used_by_the_next(table: Engine):
    other = Relation("another", "t")
    with pytest.raises(EngineError):
        table.replace(other, table.table(T).mutate(id=ibis._.v.cast("int64")), over=None)

    table.replace(other, table.table(T), over=None)

    assert content(table, other) == [(1, "a"), (2, "b")]


def test_the_scratch_schema_is_empty_each_time(table: Engine):
    scratch = Relation(table.scratch(), "t")
    table.replace(scratch, numbers((7, "x")), over=None)
    assert content(table, scratch) == [(7, "x")]

    assert table.scratch() == scratch.database
    assert kind(table, scratch) is None
    assert content(table) == [(1, "a"), (2, "b")]


def test_a_schema_that_stands_is_never_the_scratch_schema(table: Engine):
    theirs = Relation("another", "t")
    table.replace(theirs, numbers((7, "x")), over=None)
    table._scratch.name = "another"

    with pytest.raises(EngineError):
        table.scratch()

    table._scratch.drop()
    assert content(table, theirs) == [(7, "x")]


@pytest.mark.everywhere
def test_a_worker_sees_what_is_committed_and_keeps_to_itself_what_it_stages(table: Engine):
    def work() -> list[tuple[Any, ...]]:
        worker = table.worker()
        with worker.stage(worker.table(T)) as staged, table.stage(numbers((7, "z"))):
            found = sorted(tuple(row.values()) for row in worker.rows(staged))
            worker.replace(V, staged, over=None)
        worker.close()
        return found

    assert in_a_thread(work) == [(1, "a"), (2, "b")]
    assert content(table, V) == [(1, "a"), (2, "b")]


@pytest.mark.everywhere
def test_a_worker_has_the_settings_of_the_first_connection(engine: Engine):
    text = "SELECT current_setting('TimeZone') AS zone, current_schema() AS place"
    if engine.dialect == "spark":
        text = "SELECT current_timezone() AS zone, current_database() AS place"

    def work() -> list[dict[str, object]]:
        worker = engine.worker()
        found = worker.rows(worker.sql(text))
        worker.close()
        return found

    assert in_a_thread(work) == engine.rows(engine.sql(text)) == [{"zone": "UTC", "place": "demo"}]


def test_workers_make_what_all_tables_share_at_once_without_a_conflict(engine: Engine):
    start = threading.Barrier(4)

    def work(number: int) -> int:
        worker = engine.worker()
        start.wait()
        relation = Relation("another", f"t{number}")
        written = worker.replace(relation, numbers((number, None)), over=None, mark="m").inserted
        worker.close()
        return written

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert [*pool.map(work, range(4))] == [1] * 4


def test_an_interrupt_ends_one_statement_of_a_worker_and_no_more(table: Engine):
    endless = {
        "duckdb": "SELECT count(*) AS v FROM range(100000000) a, range(1000000) b WHERE hash(a.range + b.range) = 0",
        "postgres": "SELECT pg_sleep(600)::text AS v",
        "spark": "SELECT count(*) AS v FROM range(0, 100000000000L) a WHERE hash(id) = hash(id + 1)",
    }
    opened: queue.SimpleQueue[Engine] = queue.SimpleQueue()
    is_over = threading.Event()

    def work() -> list[tuple[Any, ...]]:
        worker = table.worker()
        opened.put(worker)
        with pytest.raises(KeyboardInterrupt):
            worker.rows(worker.sql(endless[worker.dialect]))
        found = [content(worker) for _ in range(20)]
        is_over.set()
        worker.close()
        return found

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        worker = opened.get(timeout=60)
        while not is_over.wait(0.005) and not future.done():
            worker.interrupt()
        assert future.result(timeout=60) == [[(1, "a"), (2, "b")]] * 20


def in_a_thread(work: Callable[[], Any]) -> Any:
    """Return what is done in another thread."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()
