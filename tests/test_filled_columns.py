"""Columns that a table fills itself, and that the model's query does not give: defaults, identities, expressions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.conftest import ProjectFolder, spark_session
from tests.histories import SIZE, examples

TABLES = {
    "duckdb": "CREATE SEQUENCE sq; CREATE TABLE m (id int, ts int, v int, src varchar DEFAULT 'fft', "
    "rid bigint DEFAULT nextval('sq'), twice int GENERATED ALWAYS AS (v * 2))",
    "postgres": "CREATE TABLE m (id int, ts int, v int, src text DEFAULT 'fft', "
    "rid bigint GENERATED ALWAYS AS IDENTITY, twice int GENERATED ALWAYS AS (v * 2) STORED)",
    "spark": "CREATE TABLE demo.m (id int, ts int, v int, src string DEFAULT 'fft', "
    "rid bigint GENERATED ALWAYS AS IDENTITY, twice int GENERATED ALWAYS AS (v * 2)) USING delta "
    "TBLPROPERTIES ('delta.feature.allowColumnDefaults' = 'supported')",
}
MODEL = (
    "{{{{ config(materialized='incremental'{config}, on_schema_change='{mode}') }}}} "
    "select * from {{{{ source('raw', 'events') }}}}"
)
KEYED, WHOLE = ", unique_key='id', updated_at='ts'", ", unique_key='id'"
Row = tuple[int, int, int]


def engine_of(request: pytest.FixtureRequest) -> str:
    return str(request.node.callspec.params["each_project"])


@pytest.fixture
def filled(request: pytest.FixtureRequest, each_project: ProjectFolder) -> ProjectFolder:
    """A project whose model's table was made by hand, with columns that it fills itself."""
    project = each_project
    project.write({"sources.yml": "sources: [{name: raw, schema: demo, tables: [{name: events}]}]"})
    if engine_of(request) == "spark":
        spark_session().rows(TABLES["spark"])
    else:
        project.sql(TABLES[engine_of(request)])
    return project


def define(project: ProjectFolder, config: str, mode: str = "ignore") -> None:
    project.write({"models/m.ff.sql": MODEL.format(config=config, mode=mode)})


def arrive(project: ProjectFolder, *rows: Row) -> None:
    """Let the source hold these rows, and no others."""
    project.sql("DROP TABLE IF EXISTS events")
    shown = " UNION ALL ".join(f"SELECT {key} AS id, {at} AS ts, {v} AS v" for key, at, v in rows)
    project.sql(f"CREATE TABLE events AS {shown}")


def run(project: ProjectFolder, *options: str) -> dict[str, Any]:
    answer = project.fft("run", *options)
    assert answer.code == 0, answer.out + answer.err
    (step,) = json.loads((project.folder / "target/run_results.json").read_text(encoding="utf-8"))["steps"]
    found: dict[str, Any] = step["outcome"]
    return found


def content(project: ProjectFolder, columns: str = "id, ts, v, src, twice") -> list[tuple[Any, ...]]:
    return sorted(project.sql(f"SELECT {columns} FROM m"))


@pytest.mark.parametrize("mode", ["ignore", "append_new_columns", "sync_all_columns"])
def test_a_new_row_is_filled_and_a_row_that_is_updated_keeps_its_values(filled, mode):
    define(filled, KEYED, mode)
    arrive(filled, (1, 1, 10), (2, 1, 20))
    run(filled)
    filled.sql("UPDATE m SET src = 'mine' WHERE id = 1")
    before = dict(content(filled, "id, rid"))
    arrive(filled, (1, 2, 11), (2, 1, 20), (3, 2, 30))

    outcome = run(filled)

    assert content(filled) == [(1, 2, 11, "mine", 22), (2, 1, 20, "fft", 40), (3, 2, 30, "fft", 60)]
    after = dict(content(filled, "id, rid"))
    assert {key: after[key] for key in before} == before
    assert None not in after.values() and len(set(after.values())) == 3
    assert (outcome["inserted"], outcome["updated"]) == (1, 1)


def test_a_column_that_the_query_does_not_give_makes_no_row_another(filled):
    define(filled, WHOLE)
    arrive(filled, (1, 1, 10), (2, 1, 20))
    run(filled)
    filled.sql("UPDATE m SET src = 'mine'")

    outcome = run(filled)

    assert (outcome["inserted"], outcome["updated"], outcome["unchanged"]) == (0, 0, 2)


def test_rows_that_are_appended_are_filled(filled):
    define(filled, ", updated_at='ts'")
    arrive(filled, (1, 1, 10))
    run(filled)
    arrive(filled, (1, 1, 10), (1, 2, 11))

    run(filled)

    assert content(filled) == [(1, 1, 10, "fft", 20), (1, 2, 11, "fft", 22)]
    assert len({rid for (rid,) in content(filled, "rid")}) == 2


def test_by_default_such_a_column_is_refused_and_the_hint_drops_nothing(filled):
    define(filled, KEYED, "fail")
    arrive(filled, (1, 1, 10))

    answer = filled.fft("run", "--adopt", "m")

    assert answer.code == 1
    assert "M212" in answer.err and "append_new_columns" in answer.err


@pytest.mark.parametrize("null_keys", ["match", "drop"])
def test_null_keys_keep_their_filled_values_too(filled, null_keys):
    define(filled, f"{KEYED}, on_null_key='{null_keys}'")
    filled.sql("DROP TABLE IF EXISTS events")
    filled.sql("CREATE TABLE events AS SELECT cast(NULL AS int) AS id, 1 AS ts, 10 AS v UNION ALL SELECT 1, 1, 20")
    run(filled)
    filled.sql("UPDATE m SET src = 'mine'")
    filled.sql("DROP TABLE events")
    filled.sql("CREATE TABLE events AS SELECT cast(NULL AS int) AS id, 2 AS ts, 11 AS v UNION ALL SELECT 1, 2, 21")

    run(filled)

    expected = [(2, 11, "mine", 22), (2, 21, "mine", 42)]
    assert content(filled, "ts, v, src, twice") == expected[1 if null_keys == "drop" else 0 :]


def test_checks_see_the_values_that_rows_keep(filled):
    define(filled, KEYED)
    filled.write(
        {"models/m.yml": "models: [{name: m, columns: [{name: v, tests: [not_null]}, {name: rid, tests: [unique]}]}]"}
    )
    arrive(filled, (1, 1, 10), (2, 1, 20))
    assert filled.fft("build").code == 0
    arrive(filled, (1, 2, 11), (2, 1, 20), (3, 2, 30))

    answer = filled.fft("build")

    assert answer.code == 0, answer.out + answer.err
    assert content(filled, "id, v") == [(1, 11), (2, 20), (3, 30)]


@pytest.mark.never("spark", reason="a DELETE on Delta takes no other way")
def test_a_key_that_something_else_put_in_twice_is_one_row_again(filled):
    define(filled, WHOLE)
    filled.sql("INSERT INTO m (id, ts, v) VALUES (1, 1, 10), (1, 1, 11), (2, 1, 20)")
    arrive(filled, (1, 2, 12))

    run(filled)

    assert content(filled, "id, ts, v") == [(1, 2, 12), (2, 1, 20)]


BATCH = st.lists(st.tuples(st.integers(0, 4 * SIZE), st.integers(0, 5), st.integers(0, 2)), min_size=1, max_size=6)


@settings(
    deadline=None,
    max_examples=examples(12),
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),
)
@given(batches=st.lists(BATCH, min_size=1, max_size=3), indexed=st.booleans(), keyed=st.booleans())
def test_any_history_leaves_what_the_table_fills(request, filled, batches, indexed, keyed):
    """The oracle: of each key the newest row, and of its first write what the table filled in."""
    engine = engine_of(request)
    filled.sql("DELETE FROM m")
    if engine != "spark":
        filled.sql("DROP INDEX IF EXISTS by_id")
        if indexed:
            filled.sql("CREATE UNIQUE INDEX by_id ON m (id)")
    define(filled, KEYED if keyed else WHOLE)
    rows: dict[int, Row] = {}
    known: dict[int, int] = {}
    for batch in batches:
        newest = {row[0]: row for row in sorted(batch)}
        arrive(filled, *newest.values())
        run(filled)
        start = max((at for _, at, _ in rows.values()), default=None)
        for key, at, v in newest.values():
            taken = not keyed or ((start is None or at >= start) and (key not in rows or at >= rows[key][1]))
            if taken:
                rows[key] = (key, at, v)

        assert content(filled) == sorted((*row, "fft", row[2] * 2) for row in rows.values())
        now = dict(content(filled, "id, rid"))
        assert {key: now[key] for key in known} == known
        assert len(set(now.values())) == len(now)
        known = now
