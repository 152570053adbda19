"""fft replaces only what it made: models and seeds over tables and views of other people, on each engine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import ProjectFolder
from tests.histories import examples

pytestmark = pytest.mark.ledger

KEYED = "materialized='incremental', unique_key='id'"
CONFIGS = {"table": "materialized='table'", "view": "materialized='view'", "incremental": KEYED}
MINE = [(7, "mine")]


def model(config: str, select: str = "select 1 as id, 'fft' as v") -> str:
    return f"{{{{ config({config}) }}}} {select}"


def exists(project: ProjectFolder, kind: str, name: str) -> None:
    """Let the user make a table or a view."""
    project.sql(f"create {kind} {name} as select 7 as id, 'mine' as v")


def rows(project: ProjectFolder, name: str) -> list[tuple[object, ...]]:
    return project.sql(f"select id, v from {name} order by id")


COMMANDS = (("run",), ("build",), ("plan",), ("run", "--full-refresh"), ("run", "--jobs", "2"))


@pytest.mark.parametrize("kind", ["table", "view"])
@pytest.mark.parametrize("materialized", CONFIGS)
def test_a_model_over_somebody_elses_relation_is_refused_and_nothing_is_touched(
    each_project: ProjectFolder, kind: str, materialized: str
):
    exists(each_project, kind, "m")
    each_project.write(
        {"models/a.ff.sql": model("materialized='table'"), "models/m.ff.sql": model(CONFIGS[materialized])}
    )
    adopts = materialized == "incremental" and kind == "table"

    for command in COMMANDS[3:4] if adopts else COMMANDS[:4:3]:
        answer = each_project.fft(*command)

        assert (answer.code, answer.err[:4]) == (2, "M120"), answer.err
        assert f'{kind} "demo.m", which fft did not make' in answer.err
        assert answer.err.rstrip().endswith("--full-refresh") == (materialized == "incremental" and kind == "view")
        assert "m.ff.sql:1" in answer.err and '--adopt "m"' in answer.err
        assert rows(each_project, "m") == MINE


def test_all_relations_that_are_in_the_way_are_told_at_once(each_project: ProjectFolder):
    for name in "abc":
        exists(each_project, "table", name)
        each_project.write({f"models/{name}.ff.sql": model("materialized='table'")})

    answer = each_project.fft("plan")

    assert all(f'table "demo.{name}" ({name} at ' in answer.err for name in "abc")
    assert '--adopt "a b c"' in answer.err


@pytest.mark.parametrize("kind", ["table", "view"])
@pytest.mark.parametrize("materialized", ["table", "view"])
def test_a_model_that_adopts_takes_over_what_is_there_and_owns_it_from_then_on(
    each_project: ProjectFolder, kind: str, materialized: str
):
    exists(each_project, kind, "m")
    each_project.write({"models/m.ff.sql": model(CONFIGS[materialized])})

    planned = each_project.fft("plan", "--adopt", "m")
    adopting = each_project.fft("run", "--adopt", "m")
    again = each_project.fft("run")

    assert (planned.code, adopting.code, again.code) == (0, 0, 0), adopting.err + again.err
    assert f"adopt and replace {materialized}" in planned.out
    assert f'adopt m: {kind} "demo.m", which fft did not make, is taken over' in adopting.out
    assert "adopt" not in again.out
    assert rows(each_project, "m") == [(1, "fft")]


def test_a_glob_adopts_all_that_is_selected(project: ProjectFolder):
    for name in ("stg_a", "stg_b"):
        exists(project, "table", name)
        project.write({f"models/{name}.ff.sql": model("materialized='table'")})

    assert project.fft("run", "--adopt", "stg_*").code == 0
    assert rows(project, "stg_a") == rows(project, "stg_b") == [(1, "fft")]


def test_to_adopt_what_is_not_in_the_project_names_the_nearest(project: ProjectFolder):
    project.write({"models/orders.ff.sql": model("materialized='table'")})

    answer = project.fft("run", "--adopt", "ordres")

    assert (answer.code, answer.err[:4]) == (2, "S101")
    assert 'did you mean "orders"?' in answer.err


def test_an_incremental_model_adopts_a_table_whose_columns_fit_and_keeps_its_rows(each_project: ProjectFolder):
    exists(each_project, "table", "m")
    each_project.write({"models/m.ff.sql": model(KEYED)})

    planned, run = each_project.fft("plan"), each_project.fft("run")

    assert "adopt and merge by id" in planned.out, planned.err
    assert 'adopt m: table "demo.m", which fft did not make, keeps its rows, and takes up new ones' in run.out
    assert rows(each_project, "m") == [(1, "fft"), *MINE]
    assert "adopt" not in each_project.fft("run").out


@pytest.mark.parametrize("changes", ["fail", "append_new_columns", "sync_all_columns"])
def test_an_incremental_model_never_changes_the_columns_of_a_table_that_it_adopts_by_itself(
    project: ProjectFolder, changes: str
):
    project.sql("create table m as select 7 as id, 'mine' as v, true as kept")
    project.write({"models/m.ff.sql": model(f"{KEYED}, on_schema_change='{changes}'", "select 1 as id, 'fft' as w")})

    for command in ("plan", "run"):
        answer = project.fft(command)
        assert (answer.code, answer.err[:4]) == (2, "M120"), answer.err
    assert project.sql("select * from m") == [(7, "mine", True)]
    if changes != "fail":
        assert project.fft("run", "--adopt", "m").code == 0


def test_a_table_that_does_not_fit_what_this_run_makes_first_stays_as_it_is(each_project: ProjectFolder):
    each_project.sql("create table m as select 7 as id, 'mine' as v, true as kept")
    config = f"{KEYED}, on_schema_change='sync_all_columns'"
    each_project.write(
        {
            "models/up.ff.sql": model(CONFIGS["table"]),
            "models/m.ff.sql": model(config, "select id, v from {{ ref('up') }}"),
        }
    )

    assert each_project.fft("plan").code == 0
    answer = each_project.fft("run")

    assert (answer.code, "M120" in answer.err) == (1, True), answer.err
    assert each_project.sql("select id, v, kept from m") == [(7, "mine", True)]


def test_an_incremental_model_adopts_a_table_with_more_columns_where_it_ignores_them(each_project: ProjectFolder):
    each_project.sql("create table m as select 7 as id, 'mine' as v, true as kept")
    each_project.write({"models/m.ff.sql": model(f"{KEYED}, on_schema_change='ignore'")})

    assert each_project.fft("run").code == 0
    assert each_project.sql("select id, v, kept from m order by id") == [(1, "fft", None), (7, "mine", True)]


def test_a_backfill_adopts_a_table_as_a_run_does(project: ProjectFolder):
    config = f"{KEYED}, updated_at='id', on_schema_change='sync_all_columns'"
    windows = ("--from", "0", "--to", "4", "--step", "2")
    project.sql("create table m as select 7 as id, 'mine' as v")
    project.write({"models/m.ff.sql": model(config, "select i as id, true as other from range(4) t(i)")})

    refused = project.fft("run", *windows)
    assert (refused.code, refused.err[:4]) == (2, "M120"), refused.err
    assert project.sql("select * from m") == MINE

    project.write({"models/m.ff.sql": model(config, "select i::int as id, 'fft' as v from range(4) t(i)")})
    answer = project.fft("run", *windows)
    assert answer.code == 0, answer.err
    assert rows(project, "m") == [*((number, "fft") for number in range(4)), *MINE]


@pytest.mark.parametrize("option", [[], ["--no-ledger"]])
def test_a_seed_is_guarded_by_its_own_records_where_there_is_no_ledger(project: ProjectFolder, option: list[str]):
    exists(project, "table", "s")
    project.write({"seeds/s.csv": "id,v\n1,fft\n"})

    assert project.fft("build", *option).err.startswith("M120")
    assert rows(project, "s") == MINE
    assert project.fft("build", "--adopt", "s", *option).code == 0
    assert project.fft("build", *option).code == 0


def test_a_table_without_the_key_is_not_adopted(project: ProjectFolder):
    project.sql("create table m as select 7 as other")
    project.write({"models/m.ff.sql": model(KEYED)})

    assert project.fft("run").err.startswith("M120")
    assert project.sql("select * from m") == [(7,)]


@pytest.mark.parametrize("materialized", ["table", "view"])
def test_an_incremental_model_that_becomes_another_keeps_its_rows_until_a_full_refresh(
    each_project: ProjectFolder, materialized: str
):
    each_project.write({"models/m.ff.sql": model(KEYED, "select 7 as id, 'mine' as v")})
    each_project.fft("run")
    each_project.write({"models/m.ff.sql": model(CONFIGS[materialized])})

    for command in ("plan", "run", "build"):
        answer = each_project.fft(command)
        assert (answer.code, answer.err[:4]) == (2, "M121"), answer.err
        assert "--full-refresh" in answer.err
        assert rows(each_project, "m") == MINE

    assert each_project.fft("run", "--full-refresh").code == 0
    assert each_project.fft("run").code == 0
    assert rows(each_project, "m") == [(1, "fft")]


def test_a_table_of_another_project_is_not_replaced(project: ProjectFolder):
    project.write({"models/m.ff.sql": model(KEYED)})
    project.fft("run")
    project.write({"project.yml": "name: another\n", "models/m.ff.sql": model(CONFIGS["table"])})

    answer = project.fft("run")

    assert answer.err.startswith('M120 "m" would replace the table "demo.m", which the project "test" made')
    assert project.fft("run", "--adopt", "m").code == 0
    assert project.fft("run").code == 0


def test_a_view_that_the_user_replaced_with_a_table_is_not_ours_any_more(project: ProjectFolder):
    project.write({"models/m.ff.sql": model(CONFIGS["view"])})
    project.fft("run")
    project.sql("drop view m")
    exists(project, "table", "m")

    assert project.fft("run").err.startswith("M120")
    assert rows(project, "m") == MINE


@pytest.mark.parametrize("option", [[], ["--no-ledger"]])
@pytest.mark.parametrize("command", ["plan", "run", "build"])
def test_a_model_with_the_name_of_a_source_is_refused(each_project: ProjectFolder, command: str, option: list[str]):
    exists(each_project, "table", "raw")
    each_project.write(
        {
            "sources.yml": "sources: [{name: here, schema: demo, tables: [{name: r, identifier: raw}]}]\n",
            "models/raw.ff.sql": model("materialized='table'", "select * from {{ source('here', 'r') }}"),
        }
    )

    answer = each_project.fft(command, *option)

    assert (answer.code, answer.err[:4]) == (2, "M122"), answer.err
    assert 'the source "here.r" at ' in answer.err and "raw.ff.sql:1" in answer.err
    assert rows(each_project, "raw") == MINE


def test_a_model_may_take_over_a_source_that_it_reads_where_it_adopts_it(each_project: ProjectFolder):
    exists(each_project, "table", "raw")
    each_project.write(
        {
            "sources.yml": "sources: [{name: here, schema: demo, tables: [{name: raw}]}]\n",
            "models/raw.ff.sql": model(
                "materialized='table'", "select id + 1 as id, v from {{ source('here', 'raw') }}"
            ),
        }
    )

    answer = each_project.fft("run", "--adopt", "raw")

    assert answer.code == 0, answer.err
    assert rows(each_project, "raw") == [(8, "mine")]


@pytest.mark.never("duckdb", "spark", reason="it folds upper and lower case of names")
def test_a_source_of_another_case_is_another_table(each_project: ProjectFolder):
    each_project.sql('create table "Raw" as select 7 as id')
    each_project.write(
        {
            "sources.yml": "sources: [{name: here, schema: demo, tables: [{name: Raw}]}]\n",
            "models/raw.ff.sql": model("materialized='table'", "select * from {{ source('here', 'Raw') }}"),
        }
    )

    assert each_project.fft("run").code == 0


def test_without_the_ledger_fft_cannot_know_and_runs(project: ProjectFolder):
    exists(project, "table", "m")
    project.write({"models/m.ff.sql": model("materialized='table'")})

    assert project.fft("plan", "--no-ledger").code == 0
    assert project.fft("run", "--no-ledger").code == 0
    assert rows(project, "m") == [(1, "fft")]


OWN = ["fft_run", "FFT_Model_State", "fft_seeds", "__fft_x", "x__FFT_failed"]


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("kind", ["model", "seed", "source"])
def test_names_of_ffts_own_tables_are_reserved(project: ProjectFolder, name: str, kind: str):
    files = {
        "model": {f"models/{name}.ff.sql": "select 1 as id"},
        "seed": {f"seeds/{name}.csv": "id\n1\n"},
        "source": {"sources.yml": f"sources: [{{name: s, tables: [{{name: t, identifier: {name}}}]}}]\n"},
    }
    project.write(files[kind])

    answer = project.fft("plan")

    if kind == "source" and name == OWN[-1]:  # Rows that a check kept may be read as a source.
        assert answer.code == 0
        return
    assert (answer.code, answer.err[:4]) == (2, "M101"), answer.err
    assert "which fft has for itself" in answer.err


@pytest.mark.parametrize("command", [("seed",), ("seed", "--full-refresh"), ("build",), ("plan",)])
@pytest.mark.parametrize("kind", ["table", "view"])
def test_a_seed_over_somebody_elses_relation_is_refused(
    each_project: ProjectFolder, kind: str, command: tuple[str, ...]
):
    exists(each_project, kind, "s")
    each_project.write({"seeds/s.csv": "id,v\n1,fft\n"})

    answer = each_project.fft(*command)

    assert (answer.code, answer.err[:4]) == (2, "M120"), answer.err
    assert "s.csv" in answer.err
    assert rows(each_project, "s") == MINE


def test_a_seed_that_was_loaded_is_loaded_again_by_any_command(each_project: ProjectFolder):
    each_project.write({"seeds/s.csv": "id,v\n1,fft\n", "seeds/t.csv": "id,v\n1,fft\n"})
    each_project.fft("seed", "--select", "s")
    each_project.fft("build", "--select", "t")

    for command in ("build", "seed", "plan"):
        each_project.write({f"seeds/{name}.csv": f"id,v\n2,{command}\n" for name in "st"})
        assert each_project.fft(command).code == 0


def test_a_ledger_of_an_earlier_version_is_believed(each_project: ProjectFolder):
    each_project.write(
        {
            "models/t.ff.sql": model(CONFIGS["table"]),
            "models/v.ff.sql": model(CONFIGS["view"]),
            "models/i.ff.sql": model(KEYED),
        }
    )
    each_project.fft("run")
    kept = (
        "run_id, model, kind, relation, status, strategy, inserted, updated, unchanged, stale, duplicates, null_keys, "
        "null_cursors, watermark_before, watermark_after, backfill, window_from, window_to, fingerprint, inputs, "
        "state, started_at, seconds, error"
    )
    each_project.sql(f"create table older as select {kept} from fft_model_state")
    each_project.sql("drop table fft_model_state")
    each_project.sql(f"create table fft_model_state as select {kept} from older")

    assert each_project.fft("plan").code == 0
    each_project.write({"models/i.ff.sql": model(CONFIGS["table"])})
    assert each_project.fft("plan").err.startswith("M121")
    each_project.write({"models/i.ff.sql": model(KEYED)})
    answer = each_project.fft("run")

    assert answer.code == 0, answer.err
    assert "adopt" not in answer.out
    assert each_project.sql("select count(*) from fft_model_state where materialized is not null") == [(3,)]


def test_a_retry_goes_on_adopting(project: ProjectFolder):
    exists(project, "table", "m")
    project.write({"models/m.ff.sql": model("materialized='table'", "select cast('x' as integer) as id, 'fft' as v")})
    assert project.fft("run", "--adopt", "m").code == 1
    assert rows(project, "m") == MINE
    project.write({"models/m.ff.sql": model("materialized='table'")})

    assert project.fft("run").err.startswith("M120")
    assert project.fft("retry").code == 0
    assert rows(project, "m") == [(1, "fft")]


def test_the_events_of_json_tell_of_adoptions(project: ProjectFolder):
    exists(project, "table", "m")
    project.write({"models/m.ff.sql": model(KEYED)})

    events = [json.loads(line) for line in project.fft("run", "--json").out.splitlines()]

    assert {"event": "adopted", "name": "m", "relation": "demo.m", "keeps_rows": True} in events


@dataclass(frozen=True)
class Found:
    """A warehouse at first, by the names of models: their materialization, and what the user made under them."""

    materialized: Mapping[str, str]
    mine: Mapping[str, str]

    def files(self) -> dict[str, str]:
        models = {f"models/{name}.ff.sql": model(CONFIGS[kind]) for name, kind in self.materialized.items()}
        return {**models, "seeds/s.csv": "id,v\n1,fft\n"}


NAMES = ("a", "b", "s")
WAREHOUSES = st.builds(
    Found,
    st.fixed_dictionaries({name: st.sampled_from(sorted(CONFIGS)) for name in NAMES[:2]}),
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["table", "view"])),
)
CALLS = st.tuples(
    st.sampled_from([*COMMANDS, ("seed",), ("seed", "--full-refresh"), ("build", "--full-refresh")]),
    st.sets(st.sampled_from(NAMES), max_size=2),
)


@settings(
    max_examples=examples(20),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(found=WAREHOUSES, calls=st.lists(CALLS, min_size=1, max_size=3))
def test_what_fft_did_not_make_has_the_same_rows_after_any_command_unless_it_was_adopted(
    each_project: ProjectFolder, found: Found, calls: list[tuple[tuple[str, ...], set[str]]]
):
    each_project.sql("drop schema demo cascade; create schema demo")
    each_project.write(found.files())
    for name, kind in found.mine.items():
        exists(each_project, kind, name)
    adopted: set[str] = set()

    for command, told in calls:
        answer = each_project.fft(*command, *(word for name in sorted(told) for word in ("--adopt", name)))

        assert answer.code in (0, 2), answer.err
        if command[0] != "plan":
            adopted |= told
        for name, kind in found.mine.items():
            if name in adopted:
                continue
            keeps = kind == "table" and found.materialized.get(name) == "incremental"
            assert [row for row in rows(each_project, name) if not keeps or row in MINE] == MINE
        views = {name for name, kind in found.mine.items() if kind == "view" and name not in adopted - told}
        if any(found.materialized.get(name) == "incremental" for name in views):
            continue  # A view takes up no rows: that needs --full-refresh besides.
        if not found.mine.keys() - told:
            assert answer.code == 0, answer.err
