"""What runs note in the warehouse, and `fft history`, on each engine."""

from __future__ import annotations

import json

import pytest

from tests.conftest import ProjectFolder

pytestmark = pytest.mark.ledger

FCT = "{{ config(materialized='incremental', unique_key='id', updated_at='seen') }} select * from {{ ref('base') }}"
MODELS = {
    "models/base.ff.sql": "{{ config(materialized='view') }} select id, seen from events",
    "models/fct.ff.sql": FCT,
    "models/inline.ff.sql": "{{ config(materialized='ephemeral') }} select id as n from {{ ref('base') }}",
    "models/total.ff.sql": "{{ config(materialized='table') }} select max(n) as n from {{ ref('inline') }}",
}
INLINE_FAILING = (
    "{{ config(materialized='ephemeral') }} select cast(concat('x', seen) as integer) as n from {{ ref('base') }}"
)
# Spark notes beforehand what it is about to create, since it has no transactions.
ENDED = "(select * from fft_model_state where status <> 'begun')"
STATES = f"select model, status, strategy, inserted, watermark_before, watermark_after from {ENDED} s"


@pytest.fixture
def noted(each_project: ProjectFolder) -> ProjectFolder:
    """A project that was run once, on each engine."""
    each_project.write(MODELS)
    each_project.sql("create table events as select 1 as id, 10 as seen")
    assert each_project.fft("run").code == 0
    return each_project


def events(answer: str, kind: str) -> list[dict[str, object]]:
    found = [json.loads(line) for line in answer.splitlines()]
    return [event for event in found if event["event"] == kind]


def test_a_run_notes_itself_and_each_model_that_it_made(noted: ProjectFolder):
    found = noted.sql(f"{STATES} order by model")

    assert [(row[0], row[1], row[3], row[5]) for row in found] == [
        ("base", "success", None, None),
        ("fct", "success", 1, "10"),
        ("total", "success", 1, None),
    ]
    assert noted.sql("select command, status from fft_run") == [("run", "success")]
    assert noted.sql(f"select count(*) from {ENDED} s join fft_run r on r.run_id = s.run_id") == [(3,)]


def test_an_increment_notes_its_watermarks_and_what_failed_or_was_skipped_says_why(noted: ProjectFolder):
    noted.sql("insert into events values (2, 20)")
    noted.write({"models/inline.ff.sql": INLINE_FAILING})
    noted.write({"models/last.ff.sql": "{{ config(materialized='table') }} select * from {{ ref('total') }}"})

    assert noted.fft("run").code == 1

    newest = "select max(started_at) from fft_run where status = 'error'"
    found = noted.sql(
        f"select s.model, s.status, s.inserted, s.watermark_before, s.watermark_after, s.error from {ENDED} s "
        f"join fft_run r on r.run_id = s.run_id where r.started_at = ({newest}) and model <> 'base' order by model"
    )
    assert found[0] == ("fct", "success", 1, "10", "20", None)
    assert found[1][:2] == ("last", "skipped")
    assert found[1][5] == '"total" failed'
    assert found[2][:2] == ("total", "error")
    assert found[2][5].startswith("E")
    last = events(noted.fft("history", "--json").out, "run")[0]
    assert (last["made"], last["failed"]) == (2, 1)


def test_history_shows_the_newest_commands_first_and_those_of_a_model(noted: ProjectFolder):
    noted.sql("insert into events values (2, 20)")
    noted.fft("run")

    shown = noted.fft("history")
    assert shown.code == 0, shown.err
    runs = events(noted.fft("history", "--json").out, "run")
    made = events(noted.fft("history", "fct", "--json").out, "made")

    assert [(run["made"], run["failed"], run["status"]) for run in runs] == [(3, 0, "success")] * 2
    assert [row["watermark_after"] for row in made] == ["20", "10"]
    assert made[0]["run_id"] == runs[0]["run_id"]


def test_a_run_without_the_ledger_leaves_the_target_alone(project: ProjectFolder):
    project.write(MODELS)
    project.sql("create table events as select 1 as id, 10 as seen")

    project.fft("run", "--no-ledger")

    tables = project.sql("select table_name from duckdb_tables() where schema_name = 'demo' order by 1")
    assert tables == [("events",), ("fct",), ("total",)]
    assert "no command has been noted" in project.fft("history").out


def test_a_build_notes_its_seeds_too(project: ProjectFolder):
    project.write({"seeds/events.csv": "id,seen\n1,10\n"} | MODELS)
    project.write({"models/base.ff.sql": "{{ config(materialized='view') }} select * from {{ ref('events') }}"})

    assert project.fft("build").code == 0

    assert project.sql("select kind, strategy, inserted from fft_model_state where model = 'events'") == [
        ("seed", "load", 1)
    ]


def test_the_row_of_a_model_is_undone_with_its_rows(project: ProjectFolder):
    project.write(MODELS)
    project.sql("create table events as select 1 as id, 10 as seen")
    project.fft("run")
    project.sql("alter table fft_model_state drop column inserted")
    project.sql("alter table fft_model_state add column inserted tinyint")
    project.sql("insert into events select i, 20 from range(2, 400) as r(i)")

    answer = project.fft("run", "--select", "fct")

    assert answer.code == 1
    assert project.sql("select count(*) from fct") == [(1,)]


def test_history_of_a_model_that_is_not_there_names_the_nearest(project: ProjectFolder):
    project.write(MODELS)

    answer = project.fft("history", "fcct")

    assert answer.code == 2
    assert 'did you mean "fct"?' in answer.err


@pytest.mark.engine("postgres")
def test_a_role_that_may_not_make_tables_is_told_that_nothing_is_noted(postgres_project: ProjectFolder):
    postgres_project.sql(
        "create table events as select 1 as id, 10 as seen; create table fct as select 0 as id, 5 as seen"
    )
    postgres_project.write({"models/fct.ff.sql": FCT.replace("{{ ref('base') }}", "events")})
    rights = (
        "grant usage on schema demo to fft_narrow; grant select, insert, delete, update on fct, events to fft_narrow"
    )
    postgres_project.sql(f"drop role if exists fft_narrow; create role fft_narrow; {rights}")
    profiles = postgres_project.folder / "profiles.yml"
    dsn = profiles.read_text(encoding="utf-8").partition("dsn: '")[2].partition("'")[0]
    mark = "&" if "?" in dsn else "?"
    profiles.write_text(
        profiles.read_text(encoding="utf-8").replace(dsn, f"{dsn}{mark}options=-c%20role%3Dfft_narrow"),
        encoding="utf-8",
    )

    answer = postgres_project.fft("run")
    rows = postgres_project.sql("select id from fct order by id")
    postgres_project.sql("drop owned by fft_narrow; drop role fft_narrow")

    assert (answer.code, rows) == (0, [(0,), (1,)]), answer.err
    assert "nothing is noted of this run" in answer.out
