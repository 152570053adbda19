"""Whether a table is what was written, tried on each engine: `replace` with a mark, and `is_marked`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ibis
import pyarrow as pa
import pytest

from fastflowtransform.engines.base import Engine, Kind
from fastflowtransform.engines.postgres import PostgresEngine
from fastflowtransform.errors import EngineError
from fastflowtransform.relation import Relation
from tests.conftest import ENGINES, postgres_engine

T = Relation("demo", "t")
SAME_AGAIN = {
    "a row more": "INSERT INTO demo.t VALUES (3, 'c')",
    "a row of the same values": "INSERT INTO demo.t VALUES (1, 'a')",
    "a row less": "DELETE FROM demo.t WHERE id = 2",
    "no rows": "DELETE FROM demo.t",
    "another value": "UPDATE demo.t SET v = 'B' WHERE id = 2",
    "two values exchanged": "UPDATE demo.t SET v = CASE v WHEN 'a' THEN 'b' ELSE 'a' END",
    "a row for another": "DELETE FROM demo.t WHERE id = 2; INSERT INTO demo.t VALUES (3, 'b')",
    "a column more": "ALTER TABLE demo.t ADD COLUMN w integer",
    "a column less": "ALTER TABLE demo.t DROP COLUMN v",
    "another name of a column": "ALTER TABLE demo.t RENAME COLUMN v TO w",
    "another type": "ALTER TABLE demo.t ALTER COLUMN id TYPE integer",
    "another table": "DROP TABLE demo.t; CREATE TABLE demo.t AS SELECT 1 AS id, 'x' AS v",
    "all rows anew": "TRUNCATE demo.t; INSERT INTO demo.t VALUES (1, 'a'), (2, 'c')",
}

NOT_ON_SPARK = {"a column less", "another name of a column", "another type", "all rows anew"}


def numbers(*values: tuple[int, str | None]) -> pa.RecordBatchReader:
    schema = ibis.schema({"id": "int64", "v": "string"}).to_pyarrow()
    return pa.Table.from_pylist([{"id": number, "v": text} for number, text in values], schema=schema).to_reader()


@pytest.fixture(params=["duckdb", "postgres", "spark"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Each engine that keeps marks: all but Spark's without Delta, whose tables do not say who wrote them."""
    opened = ENGINES[request.param]()
    yield opened
    opened.close()


def by_hand(engine: Engine, statements: str) -> None:
    for statement in statements.split("; "):
        send = engine._run if engine.name == "duckdb" else engine._session.run
        send(statement)


@pytest.fixture
def marked(engine: Engine) -> Engine:
    """An engine with a table of two rows and the mark `one`."""
    engine.replace(T, numbers((1, "a"), (2, "b")), over=None, mark="one")
    return engine


def test_a_table_has_the_mark_that_it_was_written_with(marked: Engine):
    assert marked.is_marked(T, "one")
    assert not marked.is_marked(T, "two")


def test_a_table_that_was_written_without_a_mark_has_none(engine: Engine):
    engine.replace(T, numbers((1, "a")), over=None)
    engine.replace(Relation("demo", "other"), numbers((1, "a")), over=None, mark="one")

    assert not engine.is_marked(T, "one")


def changes() -> Iterator[Any]:
    for name, change in SAME_AGAIN.items():
        refused = [pytest.mark.never("spark", reason="Delta refuses it, or spells it otherwise")]
        yield pytest.param(change, id=name, marks=refused if name in NOT_ON_SPARK else [])


@pytest.mark.parametrize("change", list(changes()))
def test_a_table_that_was_changed_by_hand_has_no_mark(marked: Engine, change: str):
    by_hand(marked, change)

    assert not marked.is_marked(T, "one")


def test_other_rows_take_the_mark_away(marked: Engine):
    marked.replace(T, numbers((1, "a"), (2, "c")), over=Kind.TABLE)

    assert not marked.is_marked(T, "one")


@pytest.mark.parametrize("rows", [numbers, lambda: numbers((7, None)), lambda: numbers((7, "x"), (7, "x"))])
def test_the_mark_is_that_of_the_last_write(marked: Engine, rows):
    marked.replace(T, rows(), over=Kind.TABLE, mark="two")

    assert marked.is_marked(T, "two")
    assert not marked.is_marked(T, "one")


def test_a_write_that_fails_leaves_the_mark(marked: Engine):
    def failing() -> Iterator[pa.RecordBatch]:
        yield from numbers((5, "e"))
        raise ValueError("the disk is gone")

    rows = pa.RecordBatchReader.from_batches(numbers().schema, failing())
    with pytest.raises(EngineError):
        marked.replace(T, rows, over=Kind.TABLE, mark="two")

    assert marked.is_marked(T, "one")
    assert not marked.is_marked(T, "two")


def test_a_view_gives_way_to_a_table_with_a_mark(marked: Engine):
    view = Relation("demo", "v")
    marked.create_view(view, marked.table(T), over=None)
    marked.replace(view, numbers((1, "a")), over=Kind.VIEW, mark="one")

    assert marked.is_marked(view, "one")


def test_any_name_can_have_a_mark(engine: Engine):
    odd = Relation("demo", "odd" if engine.capabilities.plain_names else 'O\'Hara "x" ü')
    engine.replace(odd, numbers((1, "a")), over=None, mark="it's")

    assert engine.is_marked(odd, "it's")


@pytest.fixture
def postgres() -> Iterator[PostgresEngine]:
    """PostgreSQL, empty."""
    opened = postgres_engine()
    yield opened
    opened.close()


@pytest.mark.engine("postgres")
@pytest.mark.parametrize(
    "hung",
    ["ALTER TABLE demo.t ADD UNIQUE (id)", "CREATE VIEW demo.v AS SELECT * FROM demo.t", "CREATE INDEX ON demo.t (id)"],
)
def test_a_table_that_must_stay_has_a_mark_too(postgres: Engine, hung: str):
    postgres.replace(T, numbers((1, "a")), over=None, mark="one")
    by_hand(postgres, hung)
    assert postgres.is_marked(T, "one")

    postgres.replace(T, numbers((1, "a"), (2, "b")), over=Kind.TABLE, mark="two")

    assert postgres.is_marked(T, "two")


@pytest.mark.engine("postgres")
@pytest.mark.parametrize("care", ["VACUUM (FULL, FREEZE) demo.t", "CREATE INDEX t_id ON demo.t (id)", "ANALYZE demo.t"])
def test_care_for_a_table_leaves_its_mark(postgres: Engine, care: str):
    postgres.replace(T, numbers((1, "a"), (2, "b")), over=None, mark="one")

    by_hand(postgres, care)

    assert postgres.is_marked(T, "one")


@pytest.mark.engine("postgres")
def test_who_may_not_note_anything_may_write_all_the_same(postgres: PostgresEngine):
    postgres.replace(T, numbers((1, "a")), over=None)
    run = postgres._session.run
    run("DROP ROLE IF EXISTS fft_writer; CREATE ROLE fft_writer; GRANT USAGE ON SCHEMA demo TO fft_writer")
    run("GRANT SELECT, INSERT, DELETE ON demo.t TO fft_writer; SET ROLE fft_writer")

    postgres.replace(T, numbers((2, "b")), over=Kind.TABLE, mark="one")
    marked = postgres.is_marked(T, "one")
    run("RESET ROLE; DROP OWNED BY fft_writer; DROP ROLE fft_writer")

    assert not marked
    assert postgres.rows(postgres.table(T)) == [{"id": 2, "v": "b"}]
