"""A model, a seed or a schema whose name changes in upper and lower case only, on each engine."""

from __future__ import annotations

import json

import pytest

from tests.conftest import ProjectFolder

pytestmark = pytest.mark.ledger

CONFIGS = {
    "table": "materialized='table'",
    "view": "materialized='view'",
    "incremental": "materialized='incremental', unique_key='id', updated_at='seen'",
}
READER = "{{{{ config(materialized='table') }}}} select max(id) as id from {{{{ ref('{name}') }}}}"


def define(project: ProjectFolder, name: str, materialized: str) -> None:
    for old in (project.folder / "models").glob("*.sql"):
        old.unlink()
    select = "select id, seen from events"
    project.write(
        {
            f"models/{name}.ff.sql": f"{{{{ config({CONFIGS[materialized]}) }}}} {select}",
            "models/reader.ff.sql": READER.format(name=name),
        }
    )


def spell_schema(project: ProjectFolder, name: str) -> None:
    path = project.folder / "profiles.yml"
    text = path.read_text().replace("schema: demo", f"schema: {name}").replace("database: demo", f"database: {name}")
    path.write_text(text)


@pytest.mark.never("postgres", reason="names of another case are other tables there")
@pytest.mark.parametrize("materialized", CONFIGS)
def test_a_name_of_another_case_is_the_same_relation_and_keeps_its_rows(each_project: ProjectFolder, materialized: str):
    each_project.sql("create table events as select 1 as id, 10 as seen")
    define(each_project, "Orders", materialized)
    assert each_project.fft("run").code == 0
    each_project.sql("create or replace table events as select 2 as id, 20 as seen")
    define(each_project, "orders", materialized)
    spell_schema(each_project, "Demo")

    planned, answer = each_project.fft("plan"), each_project.fft("run")

    assert (planned.code, answer.code) == (0, 0), planned.err + answer.err
    assert "create" not in planned.out and "adopt" not in planned.out + answer.out
    rows = [(1,), (2,)] if materialized == "incremental" else [(2,)]
    assert each_project.sql("select id from orders order by id") == rows
    assert each_project.sql("select id from reader") == [(2,)]
    history = each_project.fft("history", "orders", "--json")
    made = [event for line in history.out.splitlines() if (event := json.loads(line))["event"] == "made"]
    assert [row["status"] for row in made] == ["success", "success"], history.err


@pytest.mark.never("postgres", reason="names of another case are other tables there")
def test_an_incremental_model_of_another_case_still_keeps_its_rows_from_a_view(each_project: ProjectFolder):
    each_project.sql("create table events as select 1 as id, 10 as seen")
    define(each_project, "Orders", "incremental")
    each_project.fft("run")
    define(each_project, "orders", "view")

    assert each_project.fft("run").err.startswith("M121")


def test_a_seed_of_another_case_is_loaded(each_project: ProjectFolder):
    each_project.write({"seeds/Codes.csv": "id\n1\n"})
    assert each_project.fft("seed").code == 0
    (each_project.folder / "seeds/Codes.csv").unlink()
    each_project.write({"seeds/codes.csv": "id\n2\n"})

    answer = each_project.fft("seed")

    assert answer.code == 0, answer.err
    assert each_project.sql("select id from codes") == [(2,)]


@pytest.mark.never("duckdb", "spark", reason="names of another case are the same table there")
def test_a_name_of_another_case_is_another_relation_where_case_counts(each_project: ProjectFolder):
    each_project.sql("create table events as select 1 as id, 10 as seen")
    define(each_project, "Orders", "incremental")
    each_project.fft("run")
    each_project.sql("update events set id = 2, seen = 20")
    define(each_project, "orders", "incremental")

    assert each_project.fft("run").code == 0
    assert each_project.sql('select id from "Orders"') == [(1,)]
    assert each_project.sql("select id from orders") == [(2,)]
