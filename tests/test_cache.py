"""`fft run --cache`: what is proven unchanged is left alone, and nothing makes it lie."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping

import pytest

from fastflowtransform import proof
from tests.conftest import ProjectFolder

pytestmark = pytest.mark.ledger

MODELS = {
    "seeds/events.csv": "id,seen,v\n1,10,a\n2,20,b\n",
    "models/base.ff.sql": "{{ config(materialized='view') }} select id, seen, upper(v) as v from {{ ref('events') }}",
    "models/some.ff.sql": "{{ config(materialized='ephemeral') }}\nselect * from {{ ref('base') }} where id > 0\n",
    "models/fct.ff.sql": (
        "{{ config(materialized='incremental', unique_key='id', updated_at='seen') }} select * from {{ ref('some') }} "
    ),
    "models/total.ff.py": (
        "import ibis\nfrom fastflowtransform import model\nfrom shared.names import NAME\n\n\n"
        "@model(materialized='table', deps=['fct'])\n"
        "def total(fct):\n    return fct.agg(n=fct.count(), last=fct.seen.max()).mutate(name=ibis.literal(NAME))\n"
    ),
    "shared/names.py": "NAME = 'all'\n",
}
ALL = {"base", "fct", "total"}


@pytest.fixture
def built(project: ProjectFolder) -> ProjectFolder:
    """A project that was run, with proofs."""
    project.write(MODELS)
    project.fft("seed")
    assert run(project) == ALL
    return project


def run(project: ProjectFolder, *options: str, cache: str = "rw") -> set[str]:
    """Run the project, and return the models that were not left alone."""
    answer = project.fft("run", "--cache", cache, *options)
    assert answer.code == 0, answer.err
    return ran(project)


def ran(project: ProjectFolder) -> set[str]:
    results = json.loads((project.folder / "target" / "run_results.json").read_text())
    outcomes = {step["name"]: step["outcome"]["strategy"] for step in results["steps"]}
    return {name for name, strategy in outcomes.items() if strategy not in ("unchanged", "inline")}


def reason(project: ProjectFolder, name: str) -> str:
    """Return why the plan has a model run, or leaves it alone."""
    answer = project.fft("plan", "--cache", "rw", "--json")
    planned = [json.loads(line) for line in answer.out.splitlines()]
    return next(event["why"] for event in planned if event["event"] == "planned" and event["name"] == name)


def test_a_run_leaves_alone_what_would_give_the_rows_that_stand(each_project: ProjectFolder):
    each_project.write(MODELS)
    each_project.fft("seed")
    first = run(each_project)

    assert first == ALL
    assert run(each_project) == set()
    assert each_project.sql("select n, last from total") == [(2, 20)]


def test_nothing_is_left_alone_without_the_cache(built: ProjectFolder):
    assert run(built, cache="off") == ALL


def test_a_run_that_noted_no_proof_proves_nothing(built: ProjectFolder):
    run(built, cache="off")

    assert run(built) == ALL
    assert run(built) == set()


def test_a_cache_that_only_reads_notes_no_proof(built: ProjectFolder):
    built.sql("delete from total")

    assert run(built, cache="ro") == {"total"}
    assert run(built, cache="ro") == {"total"}


def test_a_cache_that_only_writes_leaves_nothing_alone(built: ProjectFolder):
    assert run(built, cache="wo") == ALL
    assert run(built) == set()


def test_a_full_refresh_leaves_nothing_alone(built: ProjectFolder):
    assert run(built, "--full-refresh") == ALL


BY_HAND = {
    "rows are added": "insert into fct values (9, 5, 'X')",
    "a row is changed": "update fct set v = 'other' where id = 1",
    "a row is deleted": "delete from fct where id = 1",
    "the table is dropped": "drop table fct",
    "the table is another one": "drop table fct; create table fct as select 1::bigint as id, 1::bigint as seen, 'A' v",
    "a column is added": "alter table fct add column w integer",
}


@pytest.mark.parametrize("change", BY_HAND.values(), ids=BY_HAND)
def test_a_table_that_was_changed_by_hand_is_made_again(project: ProjectFolder, change: str):
    project.write(
        MODELS | {"models/fct.ff.sql": "{{ config(materialized='table') }}\nselect * from {{ ref('some') }}\n"}
    )
    project.fft("seed")
    run(project)
    before = project.sql("select * from fct order by id")

    project.sql(change)

    assert "fct" in run(project)
    assert project.sql("select * from fct order by id") == before
    assert run(project) == set()


@pytest.mark.parametrize("change", BY_HAND.values(), ids=BY_HAND)
def test_what_reads_a_table_that_was_changed_by_hand_runs_too(built: ProjectFolder, change: str):
    built.sql(change)

    assert "fct" in run(built, "--select", "fct total", "--full-refresh")
    run(built)

    assert built.sql("select n, last from total") == built.sql("select count(*), max(seen) from fct")


def test_rows_behind_the_back_of_a_seed_are_seen(built: ProjectFolder):
    built.sql("insert into events values (3, 30, 'c')")

    assert run(built) == ALL
    assert built.sql("select n, last from total") == [(3, 30)]


def test_a_seed_that_was_loaded_anew_with_the_same_rows_changes_nothing(built: ProjectFolder):
    built.fft("seed", "--full-refresh")

    assert run(built) == set()


def test_a_seed_that_changed_is_seen_once_it_is_loaded(built: ProjectFolder):
    built.write({"seeds/events.csv": MODELS["seeds/events.csv"] + "3,30,c\n"})
    assert run(built) == set()

    built.fft("seed")

    assert run(built) == ALL


CHANGES: Mapping[str, tuple[Mapping[str, str], set[str]]] = {
    "a query": ({"models/base.ff.sql": MODELS["models/base.ff.sql"].replace("upper", "lower")}, {"base", "fct"}),
    "an ephemeral query": ({"models/some.ff.sql": MODELS["models/some.ff.sql"].replace("> 0", "> 1")}, {"fct"}),
    "a helper module": ({"shared/names.py": "NAME = 'each'\n"}, {"total"}),
    "a key": ({"models/fct.ff.sql": MODELS["models/fct.ff.sql"].replace("'id'", "['id', 'v']")}, {"fct"}),
    "a view into a table": (
        {"models/base.ff.sql": MODELS["models/base.ff.sql"].replace("'view'", "'table'")},
        {"base"},
    ),
    "a table into a view": (
        {"models/total.ff.py": MODELS["models/total.ff.py"].replace("'table'", "'view'")},
        {"total"},
    ),
    "formatting": (
        {
            "models/base.ff.sql": MODELS["models/base.ff.sql"].replace("select id,", "-- a word\nselect\n  id ,"),
            "models/total.ff.py": "# a word\n" + MODELS["models/total.ff.py"],
            "shared/names.py": '"""A word."""\n\nNAME = "all"  # and another\n',
        },
        set(),
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_of_the_project_runs_what_it_reaches(built: ProjectFolder, what: str):
    files, expected = CHANGES[what]

    built.write(files)

    assert expected <= run(built)
    assert bool(expected) or ran(built) == set()
    assert run(built) == set()


def test_configuration_alone_is_a_change(built: ProjectFolder):
    fct = MODELS["models/fct.ff.sql"].replace("updated_at='seen'", "updated_at='seen', on_schema_change='ignore'")
    built.write({"models/fct.ff.sql": fct})

    assert "fct" in run(built)


def test_a_variable_and_a_macro_are_a_part_of_the_query(project: ProjectFolder):
    project.write(
        {
            "project.yml": "name: test\ndialect: duckdb\nvars:\n  least: 1\n",
            "models/macros/m.jinja": "{% macro more() %}1{% endmacro %}",
            "models/a.ff.sql": "{{ config(materialized='table') }} select {{ var('least') }} as a, {{ more() }} as b",
        }
    )
    run(project)
    assert run(project) == set()

    assert run(project, "--vars", "least=2") == {"a"}
    project.write({"models/macros/m.jinja": "{% macro more() %}2{% endmacro %}"})
    assert run(project, "--vars", "least=2") == {"a"}


MOMENTS = {
    "the clock": "select now() as at",
    "a text that may be a moment": "select ' Today' as word",
    "chance": "select random() as r",
    "a file": "select * from read_csv('{folder}/seeds/events.csv')",
    "a file by its name": "select * from '{folder}/seeds/events.csv'",
    "a table without ref": "select * from demo.events",
    "a catalog": "select count(*) as n from duckdb_tables()",
    "a sample": "select * from {{ ref('events') }} using sample 1 rows",
    "a macro of somebody's": "select demo.mine() as m",
}


@pytest.mark.parametrize("text", MOMENTS.values(), ids=MOMENTS)
def test_what_cannot_be_known_is_never_left_alone(built: ProjectFolder, text: str):
    built.sql("create macro demo.mine() as (select max(id) from demo.events)")
    query = text.replace("{folder}", str(built.folder))
    built.write({"models/odd.ff.sql": "{{ config(materialized='table') }}\n" + query + "\n"})
    run(built)

    assert run(built) == {"odd"}


def test_what_reads_a_view_that_asks_for_the_moment_runs_each_time(built: ProjectFolder):
    built.write(
        {
            "models/moment.ff.sql": "{{ config(materialized='view') }}\nselect now() as at\n",
            "models/reader.ff.sql": "{{ config(materialized='table') }}\nselect * from {{ ref('moment') }}\n",
        }
    )
    run(built)

    assert {"moment", "reader"} <= run(built)


def test_a_model_can_promise_that_it_gives_the_same_again(built: ProjectFolder):
    built.write(
        {
            "models/odd.ff.sql": "{{ config(materialized='table', deterministic=True) }}\nselect now() as at\n",
            "models/never.ff.sql": "{{ config(materialized='table', deterministic=False) }}\nselect 1 as one\n",
        }
    )
    run(built)

    assert run(built) == {"never"}


def test_a_function_over_rows_runs_each_time_unless_it_promises(built: ProjectFolder):
    text = (
        "import pandas as pd\nfrom fastflowtransform import model\n\n\n"
        "@model(materialized='table', deps=['fct']{more})\n"
        "def {name}(fct: pd.DataFrame) -> pd.DataFrame:\n    return fct\n"
    )
    built.write(
        {
            "models/rows.ff.py": text.format(name="rows", more=""),
            "models/sure.ff.py": text.format(name="sure", more=", deterministic=True"),
        }
    )
    run(built)

    assert run(built) == {"rows"}
    built.sql("insert into fct values (3, 30, 'C')")
    assert "sure" in run(built)


SOURCES = "sources:\n  - name: raw\n    schema: demo\n    tables:\n      - name: facts\n        {version}\n"
OF_SOURCE = (
    "{{ config(materialized='incremental', unique_key='id', updated_at='seen') }}\n"
    "select * from {{ source('raw', 'facts') }}\n"
)


@pytest.fixture
def sourced(project: ProjectFolder) -> ProjectFolder:
    """A project over a table that something else fills."""
    project.write({"sources.yml": SOURCES.format(version=""), "models/fct.ff.sql": OF_SOURCE})
    project.sql("create table facts as select 1 as id, 10 as seen")
    run(project)
    return project


def test_a_source_whose_version_cannot_be_known_is_never_assumed_unchanged(sourced: ProjectFolder):
    assert run(sourced) == {"fct"}
    assert 'the version of the source "raw.facts" cannot be known' in reason(sourced, "fct")


def test_a_source_that_declares_a_version_is_unchanged_while_that_is(sourced: ProjectFolder):
    sourced.write({"sources.yml": SOURCES.format(version='version: "max(seen)"')})
    run(sourced)
    assert run(sourced) == set()

    sourced.sql("insert into facts values (2, 20)")

    assert run(sourced) == {"fct"}
    assert sourced.sql("select id from fct order by id") == [(1,), (2,)]


def test_a_source_that_a_seed_fills_has_the_version_of_the_seed(built: ProjectFolder):
    built.write(
        {
            "sources.yml": SOURCES.replace("facts", "events").format(version=""),
            "models/of.ff.sql": OF_SOURCE.replace("facts", "events"),
        }
    )
    run(built)

    assert run(built) == set()
    built.sql("insert into events values (3, 30, 'c')")
    assert "of" in run(built)


def test_a_delta_of_its_own_runs_until_it_writes_nothing_more(project: ProjectFolder):
    project.write(
        {
            "seeds/steps.csv": "id\n1\n2\n3\n",
            "models/slow.ff.sql": (
                "{{ config(materialized='incremental', unique_key='id') }}\nselect id from {{ ref('steps') }}\n"
                "{% if is_incremental() %}\nwhere id > (select max(id) from {{ this }}) order by id limit 1\n"
                "{% else %}\nwhere id = 1\n{% endif %}\n"
            ),
        }
    )
    project.fft("seed")
    run(project)

    found = [len(project.sql("select * from slow")) for _ in range(4) if run(project) is not None]

    assert found == [2, 3, 3, 3]
    assert run(project) == set()


def test_two_environments_do_not_answer_for_each_other(built: ProjectFolder):
    profiles = built.folder / "profiles.yml"
    profiles.write_text(
        profiles.read_text() + "prod:\n  engine: duckdb\n  duckdb: {path: w.duckdb, schema: prod}\n", encoding="utf-8"
    )
    built.fft("seed", "--env", "prod")

    assert run(built, "--env", "prod") == ALL
    assert run(built, "--env", "prod") == set()
    assert run(built) == set()


def test_a_failed_run_in_between_proves_nothing(built: ProjectFolder):
    good = MODELS["models/fct.ff.sql"]
    built.write({"models/fct.ff.sql": good.replace("select *", "select *, 1 / 0 as broken, id + v as x")})
    assert built.fft("run", "--cache", "rw").code == 1
    built.write({"models/fct.ff.sql": good})
    built.sql("insert into events values (3, 30, 'c')")

    assert run(built) == ALL
    assert built.sql("select n, last from total") == [(3, 30)]


def test_a_run_that_failed_below_leaves_the_rest_proven(built: ProjectFolder):
    built.write({"models/total.ff.py": MODELS["models/total.ff.py"].replace("fct.count()", "fct.no_such()")})
    built.fft("run", "--cache", "rw")
    built.write(MODELS)

    assert run(built) == set()


def test_a_restored_backup_is_as_it_was_then(built: ProjectFolder):
    file, backup = built.folder / "w.duckdb", built.folder / "backup.duckdb"
    shutil.copy(file, backup)
    built.sql("insert into events values (3, 30, 'c')")
    assert run(built) == ALL

    shutil.copy(backup, file)

    assert run(built) == set()
    built.sql("insert into events values (3, 30, 'c')")
    assert run(built) == ALL


def test_one_table_out_of_a_backup_is_seen(built: ProjectFolder):
    built.sql("create table kept as from fct")
    built.sql("insert into events values (3, 30, 'c')")
    run(built)

    built.sql("create or replace table fct as from kept")

    assert "fct" in run(built)
    assert built.sql("select n, last from total") == [(3, 30)]


def test_another_engine_or_fft_proves_nothing(built: ProjectFolder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(proof, "__version__", "9.9.9")

    assert run(built) == ALL


def test_a_view_that_was_replaced_by_hand_is_made_again(built: ProjectFolder):
    built.sql("create or replace view base as select id, seen, 'z' as v from events")

    assert "base" in run(built)
    assert built.sql("select v from base order by id") == [("A",), ("B",)]


def test_checks_are_asked_of_what_is_left_alone(built: ProjectFolder):
    built.write({"models/schema.yml": "models:\n  - name: fct\n    columns:\n      - {name: id, tests: [unique]}\n"})
    run(built)

    answer = built.fft("run", "--cache", "rw", "--audit")

    assert answer.code == 0
    assert ran(built) == set()
    results = json.loads((built.folder / "target" / "run_results.json").read_text())
    assert [check["status"] for check in results["checks"]] == ["success"]


def test_the_cache_needs_the_ledger(built: ProjectFolder):
    answer = built.fft("run", "--cache", "rw", "--no-ledger")

    assert answer.code == 2
    assert '"rw"' in answer.err


REASONS: Mapping[str, tuple[str | Mapping[str, str], str, str]] = {
    "nothing": ("", "fct", "it would give the rows that stand there"),
    "its query": ({"models/fct.ff.sql": MODELS["models/fct.ff.sql"] + "where id > 1"}, "fct", "its query changed"),
    "a seed": ("insert into events values (3, 30, 'c')", "base", '"events" changed'),
    "what is above": ("insert into events values (3, 30, 'c')", "total", '"fct" runs before it'),
    "its table": ("delete from total", "total", "its table is not as the last run left it"),
    "no table": ("drop table total", "total", "its table is not there any more"),
}


@pytest.mark.parametrize("what", REASONS)
def test_the_plan_says_why_each_model_runs_or_does_not(built: ProjectFolder, what: str):
    change, name, words = REASONS[what]
    if isinstance(change, str):
        built.sql(change or "select 1")
    else:
        built.write(change)

    assert words in reason(built, name)
