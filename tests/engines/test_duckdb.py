"""What only DuckDB has: the settings of its memory, its threads and the folder that it spills to; its own types."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from fastflowtransform.engines.duckdb import DuckDBEngine
from fastflowtransform.errors import EngineError
from fastflowtransform.relation import Relation
from tests.conftest import ProjectFolder

MANY = "select range as id, hash(range) as h from range({0}) order by h"


def limited(project: ProjectFolder, *settings: str) -> None:
    lines = "".join(f"    {setting}\n" for setting in ("path: w.duckdb", "schema: demo", *settings))
    project.write({"profiles.yml": f"dev:\n  engine: duckdb\n  duckdb:\n{lines}"})


def engine_with(**settings: str) -> DuckDBEngine:
    return DuckDBEngine(duckdb.connect(config={"threads": 1, **settings}), "main")


def refusal(engine: DuckDBEngine, rows: int) -> EngineError:
    with pytest.raises(EngineError) as caught:
        engine.replace(Relation("main", "many"), engine.sql(MANY.format(rows)), over=None)
    return caught.value


@pytest.mark.parametrize(
    ("setting", "message", "hint"),
    [
        ("memory_limit: 1 XB", '"memory_limit" is "1 XB", which DuckDB does not take: ', "such as 2GB"),
        ("memory_limit: lots", '"memory_limit" is "lots", which DuckDB does not take: ', "such as 2GB"),
        ("threads: 0", '"threads" is "0", which DuckDB does not take: ', "from 1 on"),
    ],
)
def test_a_setting_that_duckdb_does_not_take_is_reported_where_it_stands(project, setting, message, hint):
    limited(project, setting)

    answer = project.fft("run")

    assert answer.code == 2
    assert message in answer.err
    assert "profiles.yml:6" in answer.err and hint in answer.err


def test_what_the_memory_does_not_hold_goes_into_temp_directory_whose_path_counts_from_the_project(project):
    limited(project, "memory_limit: 60MB", "threads: 1", "temp_directory: spilled/here")
    project.write(
        {
            "models/many.ff.sql": "{{ config(materialized='table') }}\n" + MANY.format(4_000_000),
            "models/size.ff.py": """
            from pathlib import Path
            from fastflowtransform import model

            @model(materialized="table", deps=["many"])
            def size(many):
                here = Path(__file__).parents[1] / "spilled" / "here"
                return many.limit(1).mutate(is_there=here.is_dir())
            """,
        }
    )

    answer = project.fft("run")

    assert answer.code == 0, answer.err
    assert project.sql("select is_there from size") == [(True,)]


def test_a_full_temp_directory_has_a_hint(tmp_path: Path):
    full = engine_with(memory_limit="40MB", temp_directory=str(tmp_path / "t"))
    full._run("SET max_temp_directory_size = '1MB'")

    error = refusal(full, 8_000_000)

    assert "offload data" in error.message
    assert error.hint == "make room on the disk, or let temp_directory in profiles.yml name a folder on another one"


def test_a_temp_directory_that_cannot_be_made_has_a_hint(tmp_path: Path):
    (tmp_path / "file").touch()
    nowhere = engine_with(memory_limit="40MB", temp_directory=str(tmp_path / "file" / "t"))

    assert refusal(nowhere, 4_000_000).hint == "let temp_directory in profiles.yml name a folder that can be made"


def test_too_little_memory_has_a_hint():
    small = engine_with(memory_limit="20MB", temp_directory="")

    assert "raise memory_limit" in (refusal(small, 4_000_000).hint or "")


def test_a_geometry_that_changes_is_written_as_what_it_is(project):
    def taken(day: str, shape: str) -> str:
        config = "materialized='incremental', unique_key='id', updated_at='ts'"
        select = f"select 1 as id, date '{day}' as ts, '{shape}'::geometry as v"
        project.write({"models/m.ff.sql": f"{{{{ config({config}) }}}} {select}"})
        assert project.fft("run").code == 0
        ((shown,),) = project.sql("select v::varchar from m")
        return shown

    assert taken("2026-01-01", "POINT(1 2)") == "POINT (1 2)"
    assert taken("2026-01-01", "POINT(1 3)") == "POINT (1 3)"
    assert taken("2026-01-02", "POINT(1 4)") == "POINT (1 4)"


def test_an_interrupt_that_meets_ibis_as_it_connects_is_one_and_leaves_nothing_behind(monkeypatch):
    engine = engine_with()

    def interrupted(*_: object) -> None:
        raise duckdb.InterruptException("INTERRUPT Error: Interrupted!")

    with monkeypatch.context() as patched:
        patched.setattr("ibis.backends.duckdb.Backend._post_connect", interrupted)
        with pytest.raises(KeyboardInterrupt):
            engine.sql("select 1 as x")

    assert engine.rows(engine.sql("select 1 as x")) == [{"x": 1}]


EVENTS = "{{ config(materialized='incremental', unique_key='id', updated_at='ts') }} select * from raw.events"
"""An incremental model over a table that each test fills."""


def events(project: ProjectFolder, select: str, *, model: str = EVENTS) -> None:
    """Let the source hold what a SELECT gives, and a model take it in."""
    with duckdb.connect(str(project.folder / "w.duckdb")) as connection:
        connection.execute(f"create schema if not exists raw; create or replace table raw.events as {select}")
    project.write({"models/m.ff.sql": model})


def test_what_an_increment_takes_is_written_once(project):
    events(project, "select range as id, timestamp '2026-01-01' + to_days(range::int) as ts from range(5)")
    assert project.fft("run").code == 0
    events(project, "select range as id, timestamp '2026-01-01' + to_days(range::int) as ts from range(3, 9)")

    answer = project.fft("run", "-v")

    assert answer.code == 0
    assert "TEMP TABLE" not in answer.out and answer.out.count('INSERT INTO "demo"."m"') == 1
    assert project.sql("select count(*), count(distinct id) from m") == [(9, 9)]


def test_what_a_first_build_takes_is_written_once(project):
    events(project, "select range as id, timestamp '2026-01-01' as ts from range(5)")

    answer = project.fft("run", "-v")

    assert answer.code == 0
    assert "TEMP TABLE" not in answer.out and answer.out.count("CREATE TABLE") == 3  # The ledger's are two.
    assert project.sql("select count(*) from m") == [(5,)]


def test_a_build_of_rows_with_twins_leaves_nothing_beside(project):
    events(project, "select range % 3 as id, timestamp '2026-01-01' + to_days(range::int) as ts from range(7)")

    assert project.fft("run").code == 0

    assert project.sql("select id, day(ts) from m order by id") == [(0, 7), (1, 5), (2, 6)]
    assert project.sql("select count(*) from duckdb_tables() where table_name like '%fft_new%'") == [(0,)]


@pytest.mark.parametrize("model", [EVENTS, EVENTS.replace("unique_key='id', ", "")])
def test_a_delta_that_is_a_pivot_is_counted(project, model):
    pivot = model.replace("select * from", "pivot raw.events on kind using sum(v) group by id, ts --")
    events(project, "select 1 as id, timestamp '2026-01-01' as ts, 'a' as kind, 1 as v", model=pivot)
    assert project.fft("run").code == 0
    events(project, "select 2 as id, timestamp '2026-01-02' as ts, 'a' as kind, 2 as v", model=pivot)

    answer = project.fft("run")

    assert answer.code == 0, answer.err
    assert project.sql("select id, a::int from m order by id") == [(1, 1), (2, 2)]


def test_a_column_called_rowid_is_one_like_any_other(project):
    events(project, "select 1 as id, 36028797018960001 as rowid, timestamp '2026-01-01' as ts")
    assert project.fft("run").code == 0
    events(project, "select 1 as id, 7::bigint as rowid, timestamp '2026-01-02' as ts")

    assert project.fft("run").code == 0

    assert project.sql('select id, m."rowid" from m') == [(1, 7)]


def test_a_row_that_the_table_refuses_and_the_rule_drops_is_dropped(project):
    model = EVENTS.replace("unique_key", "on_null_key='drop', unique_key")
    events(project, "select 1 as id, timestamp '2026-01-01' as ts", model=model)
    assert project.fft("run").code == 0
    with duckdb.connect(str(project.folder / "w.duckdb")) as connection:
        connection.execute("alter table demo.m alter id set not null")
    events(project, "select unnest([2, null]) as id, timestamp '2026-01-02' as ts", model=model)

    answer = project.fft("run")

    assert answer.code == 0, answer.err
    assert project.sql("select id from m order by id") == [(1,), (2,)]


def test_rows_that_are_not_found_where_they_were_added_are_an_error_that_leaves_the_table(project, monkeypatch):
    """DuckDB may number the rows of a transaction in another way one day."""
    events(project, "select 1 as id, timestamp '2026-01-01' as ts")
    assert project.fft("run").code == 0
    events(project, "select unnest([1, 2]) as id, timestamp '2026-01-02' as ts")
    monkeypatch.setattr("fastflowtransform.engines.duckdb_landing._FIRST", 36_028_797_018_960_001)

    answer = project.fft("run")

    assert answer.code == 1
    assert "2 rows were added to the table, and 1 are found" in answer.err
    assert project.sql("select id, day(ts) from m") == [(1, 1)]


@pytest.mark.parametrize("number", [3, 1_000, 1_001, 5_000])
def test_rows_at_the_watermark_stay_as_they_are_however_many_they_are(project, number):
    stands = f"select range as id, timestamp '2026-01-01' as ts, 'old' as v from range({number})"
    events(project, stands)
    assert project.fft("run").code == 0
    events(project, f"{stands} union all select {number - 1}, timestamp '2026-01-02', 'new'")

    answer = project.fft("run", "--json")

    assert answer.code == 0
    assert '"updated": 1' in answer.out and f'"unchanged": {number - 1}' in answer.out, answer.out
    assert project.sql("select count(*), count(*) filter (v = 'new') from m") == [(number, 1)]


def test_a_python_models_rows_are_written_once_too(project):
    project.write(
        {
            "sources.yml": "sources: [{name: raw, schema: raw, tables: [{name: events}]}]",
            "models/p.ff.py": """
            from fastflowtransform import model

            @model(materialized="incremental", unique_key="id", updated_at="ts", deps=["source:raw.events"])
            def p(events):
                return events
            """,
        }
    )
    events(project, "select 1 as id, timestamp '2026-01-01' as ts")
    assert project.fft("run", "--select", "p").code == 0
    events(project, "select 2 as id, timestamp '2026-01-02' as ts")

    answer = project.fft("run", "-v", "--select", "p")

    assert answer.code == 0
    assert "TEMP TABLE" not in answer.out
    assert project.sql("select id from p order by id") == [(1,), (2,)]


def test_rows_of_a_type_that_the_table_spells_otherwise_are_kept_aside_first(project):
    events(project, "select 1 as id, timestamp '2026-01-01' as ts, 'a' as v")
    assert project.fft("run").code == 0
    events(project, "select 2 as id, timestamp '2026-01-02' as ts, 'b'::enum('a', 'b') as v")

    answer = project.fft("run", "-v")

    assert answer.code == 0, answer.err
    assert "TEMP TABLE" in answer.out
    assert project.sql("select id, v from m order by id") == [(1, "a"), (2, "b")]


def test_a_row_that_is_unchanged_is_not_written_again(project):
    events(project, "select range as id, timestamp '2026-01-01' as ts from range(3)")
    assert project.fft("run").code == 0
    before = project.sql("select id, m.rowid from m order by id")
    events(project, "select range as id, timestamp '2026-01-01' + to_days((range = 3)::int) as ts from range(4)")

    answer = project.fft("run", "--json")

    assert '"inserted": 1' in answer.out and '"unchanged": 3' in answer.out
    assert project.sql("select id, m.rowid from m order by id")[:3] == before


@pytest.mark.parametrize("number", [1, 1_001])
def test_stale_rows_are_left_out_whatever_has_landed_beside_them(project, number):
    events(project, f"select range as id, timestamp '2026-01-01' as ts, 'old' as v from range({number})")
    assert project.fft("run").code == 0
    stale = f"select range as id, null::timestamp as ts, 'stale' as v from range({number})"
    events(project, f"{stale} union all select {number}, timestamp '2026-01-02', 'new'")

    answer = project.fft("run", "--json")

    assert '"inserted": 1' in answer.out and f'"stale": {number}' in answer.out, answer.out
    assert project.sql("select v, count(*) from m group by v order by v") == [("new", 1), ("old", number)]


def test_twins_are_kept_aside_once(project):
    events(project, "select 1 as id, timestamp '2026-01-01' as ts")
    assert project.fft("run").code == 0
    events(project, "select 1 as id, timestamp '2026-01-02' + to_days(range::int) as ts from range(3)")

    answer = project.fft("run", "-v")

    assert answer.code == 0
    assert answer.out.count("CREATE TEMP TABLE") == 1
    assert project.sql("select id, day(ts) from m") == [(1, 4)]


def test_keys_are_compared_by_code_point_whatever_the_collation_of_the_table(project):
    """Once the rows are in the table, DuckDB would compare them as the table does."""
    events(project, "select 'A' as id, timestamp '2026-01-01' as ts")
    assert project.fft("run").code == 0
    with duckdb.connect(str(project.folder / "w.duckdb")) as connection:
        connection.execute("create or replace table demo.m (id varchar collate nocase, ts timestamp)")
        connection.execute("insert into demo.m values ('A', timestamp '2026-01-01')")
    events(project, "select unnest(['B', 'b']) as id, timestamp '2026-01-02' as ts")

    answer = project.fft("run", "-v")

    assert answer.code == 0
    assert project.sql("select id from m order by encode(id)") == [("A",), ("B",), ("b",)]


def test_a_table_that_is_called_as_one_beside_is_not_in_the_way(project):
    events(project, "select 1 as id, timestamp '2026-01-01' as ts")
    project.sql("create table __fft_new_m as select 7 as x")

    assert project.fft("run").code == 0
    assert project.fft("run", "--full-refresh").code == 0
    assert project.sql("from __fft_new_m") == [(7,)]


def test_rows_do_not_land_in_a_transaction_that_holds_others():
    engine = engine_with()
    engine._run("CREATE TABLE t AS SELECT 1 AS id")
    found = engine.found(Relation("main", "t"))

    with engine.together(), engine.adding(Relation("main", "t"), engine.asked("SELECT 2 AS id"), found) as landed:
        assert landed is None


@pytest.mark.parametrize(("number", "is_staged"), [(1_000, False), (1_001, True)])
def test_where_many_rows_stand_at_the_watermark_they_do_not_land_again(project, number, is_staged):
    stands = f"select range as id, date '2026-01-01' as ts from range({number})"
    events(project, stands)
    assert project.fft("run").code == 0
    events(project, f"{stands} union all select {number}, date '2026-01-02'")

    answer = project.fft("run", "-v")

    assert answer.code == 0
    assert ("TEMP TABLE" in answer.out) is is_staged
    assert project.sql("select count(*), max(day(ts)) from m") == [(number + 1, 2)]


@pytest.mark.parametrize("mode", ["append_new_columns", "ignore"])
def test_a_list_that_is_gone_from_the_query_is_null_in_new_rows(project, mode):
    """Ibis has no text for a NULL of such a type."""
    model = EVENTS.replace("unique_key", f"on_schema_change='{mode}', unique_key")
    events(project, "select 1 as id, timestamp '2026-01-01' as ts, [1, 2] as v", model=model)
    assert project.fft("run").code == 0
    events(project, "select 2 as id, timestamp '2026-01-02' as ts", model=model)

    answer = project.fft("run")

    assert answer.code == 0, answer.err
    assert project.sql("select id, v from m order by id") == [(1, [1, 2]), (2, None)]
