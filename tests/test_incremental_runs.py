"""Each row of the table in docs/reference/semantics.md, as a user meets it: files in, commands, rows out."""

from __future__ import annotations

import json
from typing import Any

import ibis
import ibis.expr.operations as ops
import psycopg
import pytest

from fastflowtransform.incremental import Comparing, settled
from fastflowtransform.model import Incremental
from tests.conftest import ProjectFolder

SOURCES = "sources: [{name: raw, tables: [{name: events}]}]"
KEYED = "materialized='incremental', unique_key='id', updated_at='ts'"


@pytest.fixture
def events(each_project: ProjectFolder) -> ProjectFolder:
    """A project with the source raw.events, which holds ids 1 and 2 of the first and second of January."""
    each_project.write({"sources.yml": SOURCES})
    each_project.sql("CREATE TABLE events (id INTEGER, ts TIMESTAMP, v VARCHAR)")
    each_project.sql("INSERT INTO events VALUES (1, '2026-01-01', 'a'), (2, '2026-01-02', 'b')")
    return each_project


def define(project: ProjectFolder, config: str = KEYED, select: str = "select * from {{ source('raw', 'events') }}"):
    project.write({"models/fct.ff.sql": f"{{{{ config({config}) }}}}\n{select}\n"})


def run(project: ProjectFolder, *arguments: str) -> dict[str, Any]:
    """Run the model `fct`, and return its result out of run_results.json."""
    answer = project.fft("run", *arguments)
    assert "Traceback" not in answer.err
    results = json.loads((project.folder / "target" / "run_results.json").read_text())
    (step,) = (step for step in results["steps"] if step["name"] == "fct")
    return step


def table(project: ProjectFolder, columns: str = "*") -> list[tuple[Any, ...]]:
    rows = project.sql(f"SELECT {columns} FROM fct")
    return sorted(rows, key=lambda row: [(value is None, value) for value in row])


def add(project: ProjectFolder, *rows: str) -> None:
    project.sql(f"INSERT INTO events VALUES {', '.join(rows)}")


def test_a_first_build_keeps_the_newest_row_of_a_key(events):
    define(events)
    add(events, "(1, '2026-01-03', 'newest')", "(1, '2026-01-02', 'between')")

    outcome = run(events)["outcome"]

    assert table(events, "id, v") == [(1, "newest"), (2, "b")]
    assert (outcome["inserted"], outcome["duplicates"]) == (2, 2)


def test_an_increment_inserts_updates_and_reports(events):
    define(events)
    run(events)
    add(events, "(2, '2026-01-03', 'B')", "(3, '2026-01-03', 'c')")

    outcome = run(events)["outcome"]

    assert table(events, "id, v") == [(1, "a"), (2, "B"), (3, "c")]
    counts = [outcome[name] for name in ("inserted", "updated", "unchanged", "stale", "duplicates", "null_cursors")]
    assert counts == [1, 1, 0, 0, 1, 0]
    assert outcome["watermark_before"] == "2026-01-02 00:00:00"
    assert outcome["watermark_after"] == "2026-01-03 00:00:00"


def test_a_row_whose_cursor_equals_the_watermark_is_taken(events):
    define(events)
    run(events)
    add(events, "(3, '2026-01-02', 'tie')")

    outcome = run(events)["outcome"]

    assert table(events, "id, v") == [(1, "a"), (2, "b"), (3, "tie")]
    assert (outcome["inserted"], outcome["unchanged"]) == (1, 1)


def test_equal_cursors_are_decided_by_the_other_columns_largest_first(events):
    define(events)
    add(events, "(3, '2026-01-02', 'Z')", "(3, '2026-01-02', 'a')", "(3, '2026-01-02', NULL)")

    run(events)

    assert table(events, "id, v") == [(1, "a"), (2, "b"), (3, "a")]


@pytest.mark.never("postgres", "spark", reason="the collation and the enum are written as DuckDB does")
def test_texts_are_ordered_by_code_point_whatever_their_collation_or_enum(events):
    select = "select 3 as id, date '2026-01-01' as ts, {} as v from (values ({}), ({})) t(v)"
    found = []
    for column, low, high in (("v collate nocase", "'a'", "'B'"), ("v::enum('z', 'a')", "'a'", "'z'")):
        define(events, KEYED, select.format(column, low, high))
        run(events, "--full-refresh")
        found += table(events, "v::varchar")

    assert found == [("a",), ("z",)]


@pytest.fixture
def german(postgres_project: ProjectFolder) -> ProjectFolder:
    """A project on PostgreSQL, with a collation in which "a" is before "B"."""
    try:
        postgres_project.sql("CREATE COLLATION demo.german (provider = icu, locale = 'de')")
    except psycopg.errors.FeatureNotSupported:
        pytest.skip("this server was built without ICU, and so has no collation but those of its machine")
    assert postgres_project.sql("SELECT 'a' < 'B' COLLATE demo.german") == [(True,)]
    return postgres_project


@pytest.mark.engine("postgres")
def test_texts_are_ordered_by_code_point_whatever_a_collation_of_the_server_says(german):
    select = "select 3 as id, date '2026-01-01' as ts, v collate demo.german as v from (values ('a'), ('B')) t(v)"
    define(german, f"{KEYED}, dialect='postgres'", select)

    run(german)

    assert table(german, "v") == [("a",)]


@pytest.mark.engine("postgres")
def test_texts_as_cursors_are_compared_by_code_point_whatever_a_collation_of_the_server_says(german):
    select = "select id, ts collate demo.german as ts from (values (1, 'B'){}) t(id, ts)"
    define(german, f"{KEYED}, dialect='postgres'", select.format(""))
    run(german)
    define(german, f"{KEYED}, dialect='postgres'", select.format(", (2, 'a'), (3, 'A')"))

    outcome = run(german)["outcome"]

    assert table(german, "id") == [(1,), (2,)]
    assert outcome["watermark_after"] == "a"


@pytest.mark.parametrize(("lookback", "taken"), [("", False), (", lookback='1 day'", True), (", lookback='1h'", False)])
def test_a_late_row_is_taken_where_lookback_reaches_it(events, lookback, taken):
    define(events, KEYED + lookback)
    run(events)
    add(events, "(3, '2026-01-01', 'late')")

    run(events)

    assert ((3, "late") in table(events, "id, v")) is taken


def test_a_row_older_than_the_tables_row_of_its_key_is_counted_as_stale(events):
    define(events, KEYED + ", lookback='7 days'")
    run(events)
    events.sql("DELETE FROM events")
    add(events, "(2, '2026-01-01', 'older')")

    outcome = run(events)["outcome"]

    assert table(events, "id, v") == [(1, "a"), (2, "b")]
    assert (outcome["stale"], outcome["updated"]) == (1, 0)


def test_a_null_cursor_is_kept_but_never_wins_over_a_row_that_has_one(events):
    define(events)
    run(events)
    add(events, "(1, NULL, 'loses')", "(3, NULL, 'kept')")

    first, second = run(events)["outcome"], run(events)["outcome"]

    assert table(events, "id, v") == [(1, "a"), (2, "b"), (3, "kept")]
    assert (first["null_cursors"], first["stale"], first["inserted"]) == (2, 1, 1)
    assert (second["inserted"], second["updated"], second["unchanged"]) == (0, 0, 2)


def test_a_row_with_a_cursor_replaces_one_without(events):
    define(events)
    add(events, "(3, NULL, 'first')")
    run(events)
    add(events, "(3, '2026-01-05', 'second')")

    run(events)

    assert (3, "second") in table(events, "id, v")


def test_duplicates_are_refused_where_the_model_says_so(events):
    define(events, KEYED + ", on_duplicate_key='error'")
    run(events)
    add(events, "(3, '2026-01-03', 'x')", "(3, '2026-01-04', 'y')")

    error = run(events)["error"]

    assert error["code"] == "D201"
    assert '"id = 3" stands 2 times' in error["message"]
    assert table(events, "id, v") == [(1, "a"), (2, "b")]


def test_without_a_cursor_duplicates_are_an_error_and_a_merge_takes_the_whole_query(events):
    define(events, "materialized='incremental', unique_key='id'")
    run(events)
    events.sql("UPDATE events SET v = 'B' WHERE id = 2")
    outcome = run(events)["outcome"]
    add(events, "(2, '2026-01-09', 'again')")

    error = run(events)["error"]

    assert (outcome["updated"], outcome["unchanged"]) == (1, 1)
    assert error["code"] == "D201"
    assert table(events, "id, v") == [(1, "a"), (2, "B")]


def test_a_null_key_is_an_error_by_default(events):
    define(events)
    run(events)
    add(events, "(NULL, '2026-01-03', 'x')")

    error = run(events)["error"]

    assert (error["code"], error["at"]) == ("D200", "models/fct.ff.sql:1")
    assert len(table(events)) == 2


def test_null_keys_match_each_other_where_the_model_says_so(events):
    define(events, KEYED + ", on_null_key='match'")
    add(events, "(NULL, '2026-01-03', 'x')")
    run(events)
    add(events, "(NULL, '2026-01-04', 'y')")

    outcome = run(events)["outcome"]

    assert table(events, "id, v") == [(1, "a"), (2, "b"), (None, "y")]
    assert outcome["null_keys"] == 2


def test_null_keys_are_dropped_and_counted_where_the_model_says_so(events):
    define(events, KEYED + ", on_null_key='drop'")
    add(events, "(NULL, '2026-01-03', 'x')")
    first = run(events)["outcome"]
    add(events, "(NULL, '2026-01-04', 'y')", "(3, '2026-01-04', 'c')")

    second = run(events)["outcome"]

    assert table(events, "id, v") == [(1, "a"), (2, "b"), (3, "c")]
    assert (first["null_keys"], second["null_keys"]) == (1, 2)


def test_a_composite_key_is_one_key(events):
    define(events, "materialized='incremental', unique_key=['id', 'v'], updated_at='ts'")
    run(events)
    add(events, "(1, '2026-01-05', 'a')", "(1, '2026-01-05', 'other')")

    run(events)

    assert table(events, "id, v") == [(1, "a"), (1, "other"), (2, "b")]


def test_an_append_refuses_a_row_without_a_cursor(events):
    define(events, "materialized='incremental', updated_at='ts'")
    run(events)
    add(events, "(3, NULL, 'x')")

    error = run(events)["error"]

    assert error["code"] == "D202"
    assert len(table(events)) == 2


def test_an_append_run_twice_adds_nothing(events):
    define(events, "materialized='incremental', updated_at='ts'")
    run(events)
    add(events, "(1, '2026-01-03', 'again')")
    run(events)

    outcome = run(events)["outcome"]

    assert outcome["inserted"] == 0
    assert table(events, "id, v") == [(1, "a"), (1, "again"), (2, "b")]


def test_an_own_delta_of_an_append_is_held_to_the_watermark_and_the_rest_counted(events):
    delta = "select * from {{ source('raw', 'events') }}"
    define(events, f"materialized='incremental', updated_at='ts', delta_sql=\"{delta}\"")
    run(events)
    add(events, "(3, '2026-01-03', 'c')")

    outcome = run(events)["outcome"]

    assert table(events, "id, v") == [(1, "a"), (2, "b"), (3, "c")]
    assert (outcome["inserted"], outcome["stale"]) == (1, 2)


def test_a_delta_that_reads_the_target_is_read_once(events):
    delta = "select * from {{ source('raw', 'events') }} where ts > (select max(ts) from {{ this }})"
    define(events, f'{KEYED}, delta_sql="{delta}"')
    run(events)
    add(events, "(1, '2026-01-05', 'A')", "(2, '2026-01-06', 'B')")

    run(events)

    assert table(events, "id, v") == [(1, "A"), (2, "B")]


def test_an_own_delta_may_hold_older_rows_which_are_stale(events):
    delta = "select * from {{ source('raw', 'events') }} where v = 'older'"
    define(events, f'{KEYED}, delta_sql="{delta}"')
    run(events)
    add(events, "(2, '2025-12-31', 'older')")

    outcome = run(events)["outcome"]

    assert table(events, "id, v") == [(1, "a"), (2, "b")]
    assert outcome["stale"] == 1


def test_is_incremental_and_this_work_as_people_know_them(events):
    define(
        events,
        "materialized='incremental', unique_key='id', updated_at='ts'",
        "select * from {{ source('raw', 'events') }}\n"
        "{% if is_incremental() %} where ts > (select max(ts) from {{ this }}) - interval 3 day {% endif %};",
    )
    run(events)
    add(events, "(3, '2026-01-01', 'late, and within the three days of the model')")

    run(events)

    assert len(table(events)) == 3


def test_an_empty_table_takes_the_whole_query(events):
    delta = "select * from {{ source('raw', 'events') }} where ts > (select max(ts) from {{ this }})"
    define(events, f'{KEYED}, delta_sql="{delta}"')
    run(events)
    events.sql("DELETE FROM fct")

    outcome = run(events)["outcome"]

    assert table(events, "id, v") == [(1, "a"), (2, "b")]
    assert "whole query" in outcome["why"]


def test_full_refresh_builds_from_the_whole_query(events):
    define(events)
    run(events)
    events.sql("DELETE FROM events WHERE id = 1")

    run(events, "--full-refresh")

    assert table(events, "id, v") == [(2, "b")]


def test_a_microsecond_after_the_watermark_is_after_it(events):
    define(events, "materialized='incremental', updated_at='ts'")
    add(events, "(3, '2026-01-03 00:00:00.123456', 'c')")
    run(events)
    add(events, "(4, '2026-01-03 00:00:00.123456', 'tie')", "(5, '2026-01-03 00:00:00.123457', 'after')")

    run(events)

    assert [row[0] for row in table(events, "id")] == [1, 2, 3, 5]


@pytest.mark.never("postgres", "spark", reason="it keeps microseconds")
def test_a_nanosecond_cursor_is_compared_exactly(events):
    define(
        events,
        "materialized='incremental', updated_at='ts'",
        "select id, ts::timestamp_ns + to_microseconds(0) as at0, "
        "('2026-01-01 00:00:00.00000000' || id)::timestamp_ns as ts from {{ source('raw', 'events') }}",
    )
    run(events)

    outcome = run(events)["outcome"]

    assert outcome["inserted"] == 0
    assert outcome["watermark_before"] == "2026-01-01 00:00:00.000000002"


def test_a_cursor_with_a_time_zone_is_compared_as_an_instant(events):
    define(events, KEYED, "select id, ts::timestamptz as ts, v from {{ source('raw', 'events') }}")
    run(events)
    add(events, "(3, '2026-01-02', 'tie')", "(4, '2026-01-01', 'older')")

    run(events)

    assert [row[0] for row in table(events, "id")] == [1, 2, 3]


# What the columns do: on_schema_change.

WIDER = "select *, 'new' as extra from {{ source('raw', 'events') }}"
RETYPED = "select id::bigint as id, ts, v from {{ source('raw', 'events') }}"
INCOMPARABLE = "select id, 1 as ts, v from {{ source('raw', 'events') }}"
NARROWER = "select id, ts from {{ source('raw', 'events') }}"


def change(project: ProjectFolder, mode: str, select: str) -> dict[str, Any]:
    """Build the model, change its query, add a row, and run again."""
    define(project)
    run(project)
    define(project, f"{KEYED}, on_schema_change='{mode}'", select)
    add(project, "(3, '2026-01-03', 'c')")
    return run(project)


@pytest.mark.parametrize(
    ("select", "words"),
    [
        (WIDER, '"extra" (string) is not in the table'),
        (RETYPED, '"id" is int32 in the table and int64 in the query'),
        (NARROWER, '"v" (string) is not in the query'),
        (INCOMPARABLE, '"ts" is timestamp(6) in the table and int32 in the query'),
    ],
)
def test_by_default_a_changed_column_is_an_error_that_names_it(events, select, words):
    error = change(events, "fail", select)["error"]

    assert error["code"] == "M212"
    assert words in error["message"]
    assert table(events) == table(events, "id, ts, v")
    assert len(table(events)) == 2


def test_the_error_names_the_setting_that_would_accept_the_change(events):
    assert "append_new_columns" in change(events, "fail", WIDER)["error"]["hint"]
    assert "sync_all_columns" in change(events, "append_new_columns", RETYPED)["error"]["hint"]


def test_append_new_columns_adds_them_and_keeps_those_that_are_gone(events):
    outcome = change(events, "append_new_columns", "select id, ts, 7 as extra from {{ source('raw', 'events') }}")

    assert table(events, "id, v, extra") == [(1, "a", None), (2, None, 7), (3, None, 7)]
    assert outcome["outcome"]["columns"] == ["added extra int32"]


def test_sync_all_columns_adds_drops_and_retypes(events):
    change(events, "sync_all_columns", "select id::bigint as id, ts, 7 as extra from {{ source('raw', 'events') }}")

    assert table(events, "id, extra") == [(1, None), (2, 7), (3, 7)]
    assert len(table(events)[0]) == 3


@pytest.mark.never("postgres", "spark", reason="it asks the catalog of DuckDB")
def test_sync_all_columns_takes_the_types_of_the_query(events):
    change(events, "sync_all_columns", "select id::bigint as id, ts, 7 as extra from {{ source('raw', 'events') }}")

    assert events.sql("SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'fct' ORDER BY 1") == [
        ("extra", "INTEGER"),
        ("id", "BIGINT"),
        ("ts", "TIMESTAMP"),
    ]


def test_ignore_writes_only_the_columns_that_the_table_has(events):
    change(events, "ignore", "select id::bigint as id, ts, 7 as extra from {{ source('raw', 'events') }}")

    assert table(events) == table(events, "id, ts, v")
    assert table(events, "id, v") == [(1, "a"), (2, None), (3, None)]


def test_a_changed_cursor_type_asks_for_a_full_refresh(events):
    error = change(events, "sync_all_columns", "select id, ts::date as ts, v from {{ source('raw', 'events') }}")[
        "error"
    ]

    assert "--full-refresh" in error["hint"]


def test_a_wider_aggregate_of_ibis_is_no_change_of_type(events):
    events.write(
        {
            "models/fct.ff.py": """\
            from fastflowtransform import model

            @model(materialized="incremental", unique_key="id", deps=["source:raw.events"])
            def fct(events):
                return events.group_by("id").agg(n=events.count(), total=events.id.sum(), one=events.id.max() * 0 + 1)
            """
        }
    )
    run(events)
    add(events, "(3, '2026-01-03', 'c')")

    outcome = run(events)["outcome"]

    assert (outcome["inserted"], outcome["unchanged"]) == (1, 2)


def test_a_failing_increment_leaves_the_table_as_it_was(events):
    define(events)
    run(events)
    fails = "case when id = 3 then cast(cast(v as integer) as varchar) else v end as v"
    define(events, KEYED, f"select id, ts, {fails} from {{{{ source('raw', 'events') }}}}")
    add(events, "(3, '2026-01-03', 'c')", "(2, '2026-01-03', 'B')")

    step = run(events)

    assert step["status"] == "error"
    assert table(events, "id, v") == [(1, "a"), (2, "b")]


def test_a_view_under_an_incremental_models_name_is_refused_and_a_full_refresh_replaces_it(events):
    events.write({"models/fct.ff.sql": "{{ config(materialized='view') }} select 1 as x"})
    assert events.fft("run").code == 0
    define(events)

    answer = events.fft("run")
    refreshed = run(events, "--full-refresh")

    assert answer.code == 2
    assert 'M222 "fct" is incremental, and a view stands under its name' in answer.err
    assert refreshed["status"] == "success"


@pytest.mark.never("postgres", "spark", reason="its strategy is another one")
def test_a_table_with_an_index_on_its_key_is_merged(events):
    define(events)
    run(events)
    events.sql("CREATE UNIQUE INDEX by_id ON fct (id)")
    add(events, "(2, '2026-01-03', 'B')", "(3, '2026-01-03', 'c')")

    step = run(events)

    assert step["status"] == "success", step
    assert step["outcome"]["strategy"] == "update + insert"
    assert table(events, "id, v") == [(1, "a"), (2, "B"), (3, "c")]
    assert (step["outcome"]["inserted"], step["outcome"]["updated"]) == (1, 1)


@pytest.mark.never("postgres", "spark", reason="it asks the catalog of DuckDB")
def test_a_full_refresh_keeps_indexes_and_comments(events):
    define(events)
    run(events)
    events.sql("CREATE UNIQUE INDEX by_id ON fct (id); COMMENT ON TABLE fct IS 'it''s'; COMMENT ON COLUMN fct.v IS 'c'")

    run(events, "--full-refresh")

    assert events.sql("SELECT index_name FROM duckdb_indexes() WHERE table_name = 'fct'") == [("by_id",)]
    assert events.sql("SELECT comment FROM duckdb_tables() WHERE table_name = 'fct'") == [("it's",)]
    assert events.sql("SELECT comment FROM duckdb_columns() WHERE table_name = 'fct' AND column_name = 'v'") == [("c",)]


def test_is_incremental_in_a_macro_is_seen(events):
    events.write(
        {
            "models/macros/m.sql": "{% macro window() %}{% if is_incremental() %}where ts > date '2025-12-31'"
            "{% endif %}{% endmacro %}"
        }
    )
    define(events, KEYED, "select * from {{ source('raw', 'events') }} {{ window() }}")
    run(events)
    add(events, "(3, '2026-01-01', 'late')")

    run(events)

    assert len(table(events)) == 3


def test_a_python_models_delta_may_read_other_models(events):
    delta = "select e.* from {{ ref('other') }} e where ts > (select max(ts) from {{ this }})"
    events.write(
        {
            "models/other.ff.sql": "select * from {{ source('raw', 'events') }}",
            "models/fct.ff.py": "from fastflowtransform import model\n"
            f"@model(deps=['source:raw.events'], {KEYED}, delta_sql=\"{delta}\")\n"
            "def fct(events): return events\n",
        }
    )
    run(events)
    add(events, "(3, '2026-01-05', 'c')")

    outcome = run(events)["outcome"]

    assert outcome["inserted"] == 1


def test_a_semicolon_and_a_comment_at_the_end_do_no_harm_to_the_second_run(events):
    define(events, KEYED, "select * from {{ source('raw', 'events') }}; -- done")
    run(events)

    assert run(events)["status"] == "success"


def test_the_watermark_after_an_empty_table_was_filled_is_told(events):
    define(events)
    run(events)
    events.sql("DELETE FROM fct")

    assert run(events)["outcome"]["watermark_after"] == "2026-01-02 00:00:00"


def test_a_cursor_of_another_type_is_cast_under_ignore(events):
    define(events, "materialized='incremental', updated_at='c'", "select id, id + 0.7::double as c from events")
    run(events)
    define(
        events,
        "materialized='incremental', updated_at='c', on_schema_change='ignore'",
        "select id, id + 1 as c from events",
    )

    assert run(events)["outcome"]["inserted"] == 1
    assert table(events, "id, c") == [(1, 1.7), (2, 2.7), (2, 3.0)]


def test_json_that_is_the_same_is_unchanged(events):
    define(events, KEYED, "select id, ts, to_json([v]) as v from {{ source('raw', 'events') }}")
    run(events)

    assert run(events)["outcome"]["unchanged"] == 1


@pytest.mark.never("postgres", "spark", reason="it has types of DuckDB")
def test_a_type_that_ibis_does_not_know_by_name_is_added_as_it_is(events):
    change(events, "append_new_columns", "select *, 1::hugeint as big, '12:00:00+02'::timetz as t from events")

    found = events.sql("SELECT data_type FROM duckdb_columns() WHERE column_name IN ('big', 't')")
    assert sorted(found) == [("HUGEINT",), ("TIME WITH TIME ZONE",)]


def test_values_that_cannot_be_compared_never_count_as_the_same():
    fresh = ibis.table({"id": "int64", "at": "int64", "v": "binary"}, name="fresh")
    target = ibis.table({"id": "int64", "at": "int64", "v": "map<string, string>"}, name="target")

    found = settled(fresh, target, Incremental(unique_key=("id",), updated_at="at"), Comparing())

    values = [literal.value for literal in found.op().find(ops.Literal) if literal.dtype.is_boolean()]
    assert values == [False]


def test_a_key_that_the_table_does_not_have_is_looked_for_in_it_first(events):
    define(events)
    run(events)
    define(events, KEYED.replace("'id'", "'idd'"))

    error = run(events)["error"]

    assert (error["code"], error["hint"]) == ("M212", 'did you mean "id"? if not, run it once with --full-refresh')


CHECKED = "models: [{name: fct, columns: [{name: id, tests: [not_null, unique]}]}]\n"


@pytest.mark.everywhere
@pytest.mark.parametrize(
    ("mode", "select"),
    [
        ("append_new_columns", "select v, 7 as extra, ts, id from {{ source('raw', 'events') }}"),
        ("sync_all_columns", "select 7 as extra, ts, id::bigint as id from {{ source('raw', 'events') }}"),
        ("ignore", "select 7 as extra, id::bigint as id, ts::date as ts, 1.5 as v from {{ source('raw', 'events') }}"),
    ],
)
def test_checks_look_at_the_table_as_it_will_be_with_changed_columns(events, mode, select):
    events.write({"models/schema.yml": CHECKED})
    define(events)
    run(events)
    define(events, f"{KEYED}, on_schema_change='{mode}'", select)
    add(events, "(3, '2026-01-03', 'c')")

    answer = events.fft("build")

    assert (answer.code, answer.err) == (0, "")
    assert [row[0] for row in table(events, "id")] == [1, 2, 3]


@pytest.mark.everywhere
def test_a_number_for_a_moment_is_refused_before_checks_or_writes(events):
    events.write({"models/schema.yml": CHECKED})
    define(
        events,
        f"{KEYED}, on_schema_change='ignore'",
        "select id, ts, 5::bigint as v from {{ source('raw', 'events') }}",
    )
    run(events)
    define(
        events,
        f"{KEYED}, on_schema_change='ignore'",
        "select id, ts, ts::timestamptz as v from {{ source('raw', 'events') }}",
    )
    add(events, "(3, '2026-01-03', 'c')")

    answer = events.fft("build")

    assert answer.code == 1
    assert '"v" is int64 in the table and timestamp(' in answer.err
    assert [row[0] for row in table(events, "id")] == [1, 2]
