"""`fft build` and `run --audit`: what fails a check is not published, and what stood there stays."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import histories
from tests.conftest import ProjectFolder
from tests.histories import examples

SOURCES = "sources: [{name: raw, tables: [{name: events}]}]"
KEYED = "{{ config(materialized='incremental', unique_key='id', updated_at='ts') }}\n"
EVENTS = "select * from {{ source('raw', 'events') }}"


@pytest.fixture
def events(each_project: ProjectFolder) -> ProjectFolder:
    """An incremental model `fct` over two events, built, and a table `total` that reads it."""
    each_project.write(
        {
            "sources.yml": SOURCES,
            "models/fct.ff.sql": KEYED + EVENTS,
            "models/total.ff.sql": "{{ config(materialized='table') }} select sum(v) as v from {{ ref('fct') }}",
        }
    )
    each_project.sql("CREATE TABLE events (id INTEGER, ts TIMESTAMP, v INTEGER)")
    each_project.sql("INSERT INTO events VALUES (1, TIMESTAMP '2026-01-01', 10), (2, TIMESTAMP '2026-01-02', 20)")
    assert each_project.fft("build").code == 0
    return each_project


def check(project: ProjectFolder, *checks: str, model: str = "fct") -> None:
    project.write({"models/schema.yml": f"models: [{{name: {model}, tests: [{', '.join(checks)}]}}]"})


def results(project: ProjectFolder) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((project.folder / "target" / "run_results.json").read_text())
    return found


def statuses(project: ProjectFolder) -> dict[str, str]:
    found = results(project)
    return {entry["name"]: entry["status"] for entry in (*found["steps"], *found["checks"])}


def found_by(project: ProjectFolder, check: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Run the SQL of a check's result; Spark writes names in another way than the SQL of tests."""
    return project.sql(check["sql"].replace("`", '"'))


def rows(project: ProjectFolder, table: str = "fct") -> list[tuple[Any, ...]]:
    return sorted(project.sql(f"SELECT * FROM {table}"), key=repr)


def test_a_failing_check_leaves_the_table_and_skips_what_reads_it(events):
    check(events, "between: {column: v, max: 100}")
    before = rows(events), rows(events, "total")
    events.sql("INSERT INTO events VALUES (3, TIMESTAMP '2026-01-03', 1000)")

    answer = events.fft("build")

    assert answer.code == 1
    assert (rows(events), rows(events, "total")) == before
    assert statuses(events) == {"fct": "error", "total": "skipped", "between_fct_v": "error"}


def test_the_new_rows_are_kept_and_the_sql_finds_those_that_fail(events):
    check(events, "between: {column: v, max: 100}")
    events.sql("INSERT INTO events VALUES (3, TIMESTAMP '2026-01-03', 1000), (4, TIMESTAMP '2026-01-03', 4)")

    answer = events.fft("build")

    assert [id for id, *_ in rows(events, "demo_failures.fct__fft_failed")] == [3, 4]
    assert "hint 2 new rows are kept in demo_failures.fct__fft_failed" in answer.err
    (found,) = results(events)["checks"]
    assert [id for id, *_ in found_by(events, found)] == [3]
    assert (found["failures"], found["new_only"]) == (1, True)
    assert results(events)["steps"][0]["kept"] == "demo_failures.fct__fft_failed"


def test_the_next_build_that_passes_publishes_and_drops_what_was_kept(events):
    check(events, "between: {column: v, max: 100}")
    events.sql("INSERT INTO events VALUES (3, TIMESTAMP '2026-01-03', 1000)")
    events.fft("build")
    events.fft("build")
    events.sql("TRUNCATE TABLE events; INSERT INTO events VALUES (3, TIMESTAMP '2026-01-03', 30)")

    answer = events.fft("build")

    assert answer.code == 0, answer.err
    assert [v for *_, v in rows(events)] == [10, 20, 30]
    assert kept(events) == []


def kept(project: ProjectFolder) -> list[str]:
    try:
        project.sql("SELECT * FROM demo_failures.fct__fft_failed")
    except Exception as error:
        return [] if "fct__fft_failed" in str(error) else [str(error)]
    return ["fct__fft_failed"]


def test_unique_is_asked_of_what_the_table_would_be(events):
    events.write({"models/fct.ff.sql": "{{ config(materialized='incremental', updated_at='ts') }}\n" + EVENTS})
    check(events, "unique: {column: id}")
    events.sql("INSERT INTO events VALUES (1, TIMESTAMP '2026-01-03', 11)")

    answer = events.fft("build")

    assert answer.code == 1
    assert len(rows(events)) == 2
    (found,) = results(events)["checks"]
    assert found_by(events, found) == [(1, 2)]
    assert "new_only" not in found


def test_a_key_that_is_merged_is_not_there_twice(events):
    check(events, "unique: {column: id}", "row_count_between: {max: 3}")
    events.sql("INSERT INTO events VALUES (1, TIMESTAMP '2026-01-03', 11), (3, TIMESTAMP '2026-01-03', 30)")

    answer = events.fft("build")

    assert answer.code == 0, answer.err
    assert [v for *_, v in rows(events)] == [11, 20, 30]


def test_row_count_is_that_of_the_table_to_be(events):
    check(events, "row_count_between: {max: 2}")
    events.sql("INSERT INTO events VALUES (3, TIMESTAMP '2026-01-03', 30)")

    answer = events.fft("build")

    assert answer.code == 1
    assert results(events)["checks"][0]["sample"] == [{"rows": 3}]
    assert len(rows(events)) == 2


def test_rows_that_stand_already_fail_no_check_of_single_rows(events):
    check(events, "between: {column: v, max: 15}", "expression: {expression: v < 15}")
    events.sql("TRUNCATE TABLE events; INSERT INTO events VALUES (3, TIMESTAMP '2026-01-03', 3)")

    answer = events.fft("build")

    assert answer.code == 0, answer.err
    assert [v for *_, v in rows(events)] == [10, 20, 3]


def test_an_increment_without_new_rows_is_checked_as_it_stands(events):
    check(events, "row_count_between: {min: 5}")

    answer = events.fft("build")

    assert answer.code == 1
    assert "hint it has no new rows, so look at those that stand, or at the check" in answer.err
    assert kept(events) == []


@pytest.mark.parametrize("kind", ["table", "view", "ephemeral"])
def test_a_failing_check_keeps_a_model_of_each_kind_as_it_was(events, kind):
    events.write({"models/m.ff.sql": f"{{{{ config(materialized='{kind}') }}}} select 1 as v"})
    events.write({"models/below.ff.sql": "{{ config(materialized='table') }} select v from {{ ref('m') }}"})
    check(events, "between: {column: v, max: 100}", model="m")
    assert events.fft("build").code == 0
    events.write({"models/m.ff.sql": f"{{{{ config(materialized='{kind}') }}}} select 1000 as v"})

    answer = events.fft("build")

    assert answer.code == 1
    assert 'D301 "m" is not published: 1 check of 1 fails on its new rows: "between_m_v"' in answer.err
    assert rows(events, "below") == [(1,)]
    assert kind == "ephemeral" or rows(events, "m") == [(1,)]
    assert found_by(events, results(events)["checks"][0]) == [(1000,)]


def test_a_warning_stops_nothing_and_its_sql_finds_the_rows_as_published(events):
    check(events, "between: {column: v, max: 100, severity: warn}")
    events.sql("INSERT INTO events VALUES (3, TIMESTAMP '2026-01-03', 1000)")

    answer = events.fft("build")

    assert answer.code == 0
    assert [v for *_, v in rows(events)] == [10, 20, 1000]
    (found,) = results(events)["checks"]
    assert [v for *_, v in found_by(events, found)] == [1000]


def test_a_dataframe_model_is_called_once(events):
    events.write(
        {
            "models/frames.ff.py": """
            import pathlib
            import pyarrow as pa
            from fastflowtransform import model

            @model(materialized="table")
            def frames() -> pa.Table:
                with open(pathlib.Path(__file__).with_suffix(".calls"), "a") as calls:
                    calls.write("x")
                return pa.table({"v": [1]})
            """
        }
    )
    check(events, "unique: {column: v}", model="frames")

    answer = events.fft("build", "--select", "frames")

    assert answer.code == 0, answer.err
    assert (events.folder / "models" / "frames.ff.calls").read_text() == "x"


def test_seeds_are_checked_before_they_are_loaded(each_project):
    each_project.write(
        {
            "seeds/codes.csv": "code\n1\n",
            "sources.yml": "sources: [{name: raw, tables: [{name: codes}]}]",
            "models/m.ff.sql": "{{ config(materialized='table') }} select * from {{ source('raw', 'codes') }}",
            "tests/codes_are_small.ff.sql": "select * from {{ source('raw', 'codes') }} where code > 5",
        }
    )
    assert each_project.fft("build").code == 0
    check(each_project, "between: {column: code, max: 5}", model="codes")
    each_project.write({"seeds/codes.csv": "code\n1\n7\n"})

    answer = each_project.fft("build")

    assert answer.code == 1
    assert (rows(each_project, "codes"), rows(each_project, "m")) == ([(1,)], [(1,)])
    assert statuses(each_project)["m"] == "skipped"


def test_a_seed_that_has_not_changed_is_checked_as_it_stands(each_project):
    each_project.write({"seeds/codes.csv": "code\n7\n"})
    assert each_project.fft("build").code == 0
    check(each_project, "between: {column: code, max: 5}", model="codes")

    answer = each_project.fft("build")

    assert answer.code == 1
    assert rows(each_project, "codes") == [(7,)]
    assert results(each_project)["steps"][0].get("kept") is None


def test_failing_rows_are_stored_besides(events):
    check(events, "between: {column: v, max: 100, store_failures: true}")
    events.sql("INSERT INTO events VALUES (3, TIMESTAMP '2026-01-03', 1000), (4, TIMESTAMP '2026-01-03', 4)")

    events.fft("build")

    assert [id for id, *_ in rows(events, "demo_failures.between_fct_v")] == [3]
    assert [id for id, *_ in rows(events, "demo_failures.fct__fft_failed")] == [3, 4]


def test_a_source_that_fails_its_check_stops_what_reads_it(events):
    events.write({"tests/no_old_events.ff.sql": "select * from {{ source('raw', 'events') }} where v < 15"})

    answer = events.fft("build")

    assert answer.code == 1
    assert statuses(events) == {"fct": "skipped", "total": "skipped", "no_old_events": "error"}
    assert 'skipped because "source:raw.events" failed: fct, total' in answer.out


def test_what_a_check_refers_to_is_built_before_it(each_project):
    each_project.write(
        {
            "models/a_orders.ff.sql": "{{ config(materialized='table') }} select 1 as customer",
            "models/z_customers.ff.sql": "{{ config(materialized='table') }} select 1 as id",
        }
    )
    check(each_project, "relationships: {column: customer, to: z_customers, field: id}", model="a_orders")

    answer = each_project.fft("build")

    assert answer.code == 0, answer.err
    assert [entry["name"] for entry in results(each_project)["steps"]] == ["z_customers", "a_orders"]


def test_orphans_are_not_published(each_project):
    customers = "{{ config(materialized='table') }} select 1 as id"
    orders = "{{{{ config(materialized='incremental', unique_key='id') }}}} select {0} as id, {0} as customer"
    each_project.write({"models/orders.ff.sql": orders.format(1), "models/customers.ff.sql": customers})
    check(each_project, "relationships: {column: customer, to: customers, field: id}", model="orders")
    assert each_project.fft("build").code == 0
    each_project.write({"models/orders.ff.sql": orders.format(2)})

    answer = each_project.fft("build")

    assert answer.code == 1
    assert rows(each_project, "orders") == [(1, 1)]
    assert results(each_project)["checks"][0]["new_only"] is True


def test_a_check_that_reads_what_is_below_its_model_is_asked_before_that_is_published(events):
    check(events, "reconcile_equal: {value: sum(v), to: total, to_value: sum(v)}")
    events.write({"models/total.ff.sql": "{{ config(materialized='table') }} select 7 as v from {{ ref('fct') }}"})
    events.sql("INSERT INTO events VALUES (3, TIMESTAMP '2026-01-03', 30)")

    answer = events.fft("build")

    assert answer.code == 1
    assert statuses(events) == {"fct": "success", "total": "error", "reconcile_equal_fct_total": "error"}
    assert rows(events, "total") == [(30,)]


def test_own_checks_see_the_new_rows_under_the_names_of_their_models(events):
    events.write(
        {
            "tests/small.ff.sql": "select * from {{ ref('fct') }} where v > 100",
            "tests/tiny.ff.sql": "{{ config(params=['most']) }} select * from {{ model }} where v > {{ params.most }}",
            "tests/own.ff.py": """
            from fastflowtransform import dq_test

            @dq_test("positive")
            def positive(table):
                return table.filter(table.v <= 0)
            """,
        }
    )
    check(events, "tiny: {most: 100}", "positive")
    events.sql("INSERT INTO events VALUES (3, TIMESTAMP '2026-01-03', 1000), (4, TIMESTAMP '2026-01-03', -1)")

    answer = events.fft("build")

    assert answer.code == 1
    found = {entry["name"]: (entry["failures"], "new_only" in entry) for entry in results(events)["checks"]}
    assert found == {"tiny_fct": (1, False), "positive_fct": (1, True), "small": (1, False)}


def test_columns_that_change_are_those_of_what_the_table_would_be(events):
    events.sql("ALTER TABLE events ADD COLUMN note VARCHAR")
    events.sql("INSERT INTO events VALUES (3, TIMESTAMP '2026-01-03', 30, 'x')")
    config = KEYED.replace(") }}", ", on_schema_change='append_new_columns') }}")
    events.write({"models/fct.ff.sql": config + EVENTS})
    check(events, "unique: {columns: [id, note]}", "row_count_between: {max: 2}")

    answer = events.fft("build")

    assert answer.code == 1
    assert len(events.sql("SELECT * FROM fct")[0]) == 3


def test_a_check_that_cannot_be_asked_keeps_the_model_from_being_published(events):
    check(events, "not_null: {column: nothing}")
    events.sql("INSERT INTO events VALUES (3, TIMESTAMP '2026-01-03', 30)")

    answer = events.fft("build")

    assert answer.code == 1
    assert 'M210 not_null_fct_nothing: column is "nothing", which the table does not have' in answer.err
    assert len(rows(events)) == 2


def test_run_without_audit_publishes_and_with_it_does_not(events):
    check(events, "between: {column: v, max: 100}")
    events.sql("INSERT INTO events VALUES (3, TIMESTAMP '2026-01-03', 1000)")

    audited, plain = events.fft("run", "--audit").code, events.fft("run").code

    assert (audited, plain) == (1, 0)
    assert len(rows(events)) == 3


def test_a_full_refresh_that_fails_leaves_the_table(events):
    check(events, "between: {column: v, max: 15}")

    answer = events.fft("build", "--full-refresh")

    assert answer.code == 1
    assert [v for *_, v in rows(events)] == [10, 20]


def test_a_selection_asks_only_the_checks_of_what_it_builds(events):
    check(events, "between: {column: v, max: 1}")

    answer = events.fft("build", "--select", "total")

    assert answer.code == 0, answer.err
    assert results(events)["checks"] == []


def test_fail_fast_skips_all_that_follows(events):
    check(events, "between: {column: v, max: 1}")
    events.sql("INSERT INTO events VALUES (3, TIMESTAMP '2026-01-03', 1000)")
    events.write({"models/z.ff.sql": "{{ config(materialized='table') }} select 1 as one from {{ ref('y') }}"})
    events.write({"models/y.ff.sql": "select 1 as one"})

    events.fft("build", "--fail-fast")

    assert statuses(events)["z"] == "skipped"


def test_kept_rows_that_cannot_be_kept_are_said_to_be_gone(postgres_project):
    project = postgres_project
    project.write({"models/m.ff.sql": "{{ config(materialized='table') }} select 1 as v"})
    check(project, "between: {column: v, min: 5}", model="m")
    project.sql("DROP SCHEMA IF EXISTS demo_failures CASCADE")
    project.sql("CREATE SCHEMA demo_failures; CREATE VIEW demo_failures.m__fft_failed AS SELECT 1 AS one")

    answer = project.fft("build")

    assert answer.code == 1
    assert "its new rows could not be kept: E" in answer.err
    project.sql("DROP SCHEMA demo_failures CASCADE")


def test_no_sql_of_a_report_names_a_table_that_is_gone(events):
    check(events, "between: {column: v, max: 100, severity: warn}", "row_count_between: {max: 2}")
    events.sql("INSERT INTO events VALUES (3, TIMESTAMP '2026-01-03', 1000)")

    answer = events.fft("build")

    assert "__fft_stage" not in answer.out + answer.err
    assert all(found_by(events, entry) for entry in results(events)["checks"])


events_of_batch = st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(0, 9))
batches = st.lists(events_of_batch, min_size=0 if histories.SIZE == 1 else 3, max_size=5)


@settings(max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batch=batches, limit=st.integers(3, 9))
def test_a_build_publishes_what_a_run_would_if_and_only_if_the_checks_of_that_pass(events, batch, limit):
    start = "INSERT INTO events VALUES (1, TIMESTAMP '2026-01-01', 1), (2, TIMESTAMP '2026-01-02', 2)"
    events.sql(f"TRUNCATE TABLE events; {start}")
    check(events, f"between: {{column: v, max: {limit}}}", "unique: {column: id}", "non_negative_sum: {column: v}")
    assert events.fft("run", "--full-refresh").code == 0
    before = rows(events)
    if batch:
        values = (f"({id}, TIMESTAMP '2026-01-0{day + 1}', {value})" for id, day, value in batch)
        events.sql(f"INSERT INTO events VALUES {', '.join(values)}")

    built, after = events.fft("build", "--select", "fct").code, rows(events)
    ran, unchecked = events.fft("run", "--select", "fct").code, rows(events)
    tested = events.fft("test").code

    assert ran == 0
    assert (built, after) == ((0, unchecked) if tested == 0 else (1, before))
