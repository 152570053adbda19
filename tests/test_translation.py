"""A model with a dialect on another engine: what is refused, where that is told, and the names of what comes out."""

from __future__ import annotations

import pytest

from tests.conftest import ProjectFolder

TABLE = "{{ config(materialized='table') }}\n"
MANY = {
    "models/a.ff.sql": TABLE + "select 1 as id,\n  1.5::double as share",
    "models/b.ff.sql": "select id,\n\n  histogram(id) as h\nfrom {{ ref('a') }}\ngroup by id",
    "models/c.ff.sql": "select id\nfrom {{ ref('a') }}\n"
    "group by id having mode(id) > 1 and list_aggregate([id], 'sum') > 0",
}


@pytest.mark.engine("postgres")
@pytest.mark.parametrize("command", ["compile", "plan", "run"])
def test_all_that_has_no_translation_is_told_at_once_with_its_word_and_line(
    postgres_project: ProjectFolder, command: str
):
    postgres_project.write(MANY)

    answer = postgres_project.fft(command)

    places = answer.err.replace(f"{postgres_project.folder}/", "")
    assert answer.code == 2
    assert 'M130 no translation from "duckdb" into "postgres" is known for "histogram"' in places
    assert "at models/b.ff.sql:3" in places
    assert 'also "mode" at models/c.ff.sql:3' in places
    assert 'also "list_aggregate" at models/c.ff.sql:3' in places
    assert postgres_project.sql("SELECT count(*) FROM pg_class WHERE relname = 'a'") == [(0,)]


@pytest.mark.parametrize("dialect", ["postgres", "spark"])
def test_compile_for_another_engine_refuses_the_same_without_a_connection(project: ProjectFolder, dialect: str):
    project.write(MANY)

    answer = project.fft("compile", "--engine", dialect)

    assert answer.code == 2
    assert f'M130 no translation from "duckdb" into "{dialect}" is known for "histogram"' in answer.err
    assert 'also "mode"' in answer.err


def test_types_of_a_model_that_is_not_built_yet_are_those_of_its_text(project: ProjectFolder):
    project.write(
        {
            "models/a.ff.sql": TABLE + "select 2.50 as price, 'x' as label",
            "models/b.ff.sql": "select price / 3 as third, max(label) as label from {{ ref('a') }} group by price",
        }
    )

    answer = project.fft("compile", "--engine", "postgres")

    assert answer.code == 0, answer.err
    compiled = (project.folder / "target" / "compiled" / "b.sql").read_text()
    assert 'CAST("a"."price" AS DOUBLE PRECISION) / CAST(3 AS DOUBLE PRECISION)' in compiled
    assert 'MAX("a"."label" COLLATE "C")' in compiled


def test_what_is_not_sql_of_its_dialect_is_told_in_the_dialects_words(project: ProjectFolder):
    project.write({"models/a.ff.sql": TABLE + "select 1 as id,\n  nothing_like_it(2) as x"})

    answer = project.fft("compile", "--engine", "postgres")

    assert answer.code == 2
    assert answer.err.startswith('M132 this is not SQL of "duckdb": ') and "nothing_like_it" in answer.err
    assert "a.ff.sql:3" in answer.err


def test_columns_have_the_names_that_duckdb_gives_them(each_project: ProjectFolder):
    each_project.write(
        {
            "models/a.ff.sql": TABLE + 'select 1 as OrderId, 2 as "Group Name"',
            "models/b.ff.sql": TABLE + "select orderid, OrderId + 1 as NextOne from {{ ref('a') }}",
        }
    )
    # Delta takes no space in a name.
    if "databricks" in (each_project.folder / "profiles.yml").read_text():
        each_project.write({"models/a.ff.sql": TABLE + "select 1 as OrderId"})

    answer = each_project.fft("run")
    shown = each_project.fft("show", "b")

    assert answer.code == 0, answer.err
    assert shown.out.split()[:2] == ["OrderId", "NextOne"]


@pytest.mark.engine("postgres")
def test_a_column_without_a_name_is_told(postgres_project: ProjectFolder):
    postgres_project.write({"models/a.ff.sql": TABLE + "select count(*), 1.5::double::varchar as text"})

    answer = postgres_project.fft("run")

    assert answer.code == 0, answer.err
    assert 'a: column 1 has no name: it is called "count_star()"' in answer.out
    assert "a: a double is printed in other words than DuckDB's" in answer.out


@pytest.mark.engine("postgres")
def test_an_increment_reads_its_own_table_in_the_dialect(postgres_project: ProjectFolder):
    config = "{{ config(materialized='incremental', unique_key='id', updated_at='seen') }}\n"
    text = "select n as id, timestamp '2026-01-01' + n * interval 1 day as seen from range(1, {{ var('most') }}) r(n)\n"
    text += "{% if is_incremental() %}where n > (select max(id) from {{ this }}){% endif %}"
    postgres_project.write({"models/a.ff.sql": config + text})

    answers = [postgres_project.fft("run", "--vars", f"most={most}") for most in (3, 5)]

    assert [answer.code for answer in answers] == [0, 0], [answer.err for answer in answers]
    assert postgres_project.sql("SELECT id FROM a ORDER BY id") == [(1,), (2,), (3,), (4,)]
