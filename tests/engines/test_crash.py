"""`kill -9` before every statement of a run and of a build: a replace, and a merge with all that it can have to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ProjectFolder, postgres_dsn

WORKER = Path(__file__).with_name("crash_worker.py")
FCT = """
{{ config(materialized='incremental', unique_key='id', updated_at='ts', on_schema_change='sync_all_columns') }}
select *, v * 2 as w from {{ source('raw', 'events') }}
"""


PASSING = "models: [{name: fct, tests: [unique: {column: id}, between: {column: v, max: 100}]}]"
FAILING = "models: [{name: fct, tests: [unique: {column: id}, between: {column: v, max: 99}]}]"
Crashes = tuple[list[dict[str, Any]], dict[str, Any], dict[str, Any]]


@pytest.fixture(params=["run", "build"])
def crashes(each_project: ProjectFolder, request: pytest.FixtureRequest) -> Crashes:
    """What each crash left, and the tables before and after a command that ends well."""
    each_project.write({"models/schema.yml": PASSING})
    return crashed(each_project, request.node.callspec.params["each_project"], request.param)


@pytest.fixture
def crashes_of_a_failing_build(each_project: ProjectFolder, request: pytest.FixtureRequest) -> Crashes:
    """The same for a build whose check fails on a new row."""
    each_project.write({"models/schema.yml": FAILING})
    return crashed(each_project, request.node.callspec.params["each_project"], "build")


def crashed(project: ProjectFolder, engine: str, command: str) -> Crashes:
    project.write(
        {
            "sources.yml": "sources: [{name: raw, tables: [{name: events}]}]",
            "models/fct.ff.sql": FCT,
            "models/total.ff.sql": "{{ config(materialized='table') }} select sum(v) as v from {{ ref('fct') }}",
        }
    )
    project.sql("CREATE TABLE events (id INTEGER, ts TIMESTAMP, v INTEGER)")
    project.sql("INSERT INTO events SELECT i, TIMESTAMP '2026-01-01', i FROM generate_series(0, 4) r(i)")
    assert project.fft("run").code == 0
    before = tables(project)
    # An update, an insert, a duplicate, a tie with the watermark, and a new column.
    project.sql("ALTER TABLE events ADD COLUMN note VARCHAR")
    project.sql(
        "INSERT INTO events VALUES (0, '2026-01-02', 100, 'x'), (9, '2026-01-02', 9, 'y'), (9, '2026-01-03', 10, 'z')"
    )
    answer = subprocess.run(
        [sys.executable, WORKER, engine, project.folder, command],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
        env={**os.environ, "FFT_TEST_PG_DSN": postgres_dsn()},
    )
    return json.loads(answer.stdout), before, tables(project)


def tables(project: ProjectFolder) -> dict[str, list[str]]:
    return {name: sorted(map(repr, project.sql(f"SELECT * FROM {name}"))) for name in ("fct", "total")}


IN_ONE_PROCESS = pytest.mark.never("spark", reason="its Java cannot be forked; test_spark.py kills it", run=False)


@IN_ONE_PROCESS
def test_a_kill_at_any_statement_leaves_old_rows_or_new_ones_and_the_next_run_succeeds(crashes):
    found, before, after = crashes

    sent = {entry["statement"].split(maxsplit=1)[0] for entry in found}
    assert {"BEGIN", "ALTER", "DELETE", "INSERT", "COMMIT", "CREATE", "DROP"} <= sent
    assert before != after
    for entry in found:
        for name in before:
            assert entry["crashed"]["rows"][name] in (before[name], after[name]), entry["statement"]
        assert entry["recovered"]["rows"] == after, entry["statement"]
        # A table beside the old one may stand until the next run; a temporary one, or a view, never does.
        assert all(name.startswith("__fft_new_") for name in entry["crashed"]["left"]), entry["statement"]
        assert entry["recovered"]["left"] == [], entry["statement"]
        assert entry["code"] == 0


@IN_ONE_PROCESS
def test_a_kill_at_any_statement_of_a_failing_build_leaves_the_old_rows_and_the_next_one_keeps_the_new(
    each_project, crashes_of_a_failing_build
):
    found, before, after = crashes_of_a_failing_build

    assert before == after
    assert any("fct__fft_failed" in entry["statement"] for entry in found)
    for entry in found:
        assert entry["crashed"]["rows"] == before, entry["statement"]
        assert entry["recovered"] == {"rows": before, "left": []}, entry["statement"]
        assert entry["code"] == 1
    kept = each_project.sql("SELECT id, v FROM demo_failures.fct__fft_failed ORDER BY id")
    # A row in which the new column is NULL is unchanged.
    assert kept == [(0, 100), (9, 10)]
