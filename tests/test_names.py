"""Names that differ in case only are one where the engine takes them for one; columns without a type are texts."""

from __future__ import annotations

import pytest

from tests.conftest import ProjectFolder

FOLDS = pytest.mark.never("postgres", reason="it keeps names apart that differ in case only")
MODEL = """\
{{ config(materialized='incremental', unique_key='ID', updated_at='TS', on_schema_change='MODE') }}
select 1 as id, 1 as ts, 5 as "COLUMN", 'x' as w
"""


def written(mode: str, column: str) -> dict[str, str]:
    return {"models/m.ff.sql": MODEL.replace("MODE", mode).replace("COLUMN", column)}


@FOLDS
@pytest.mark.everywhere
@pytest.mark.parametrize("mode", ["fail", "append_new_columns", "sync_all_columns", "ignore"])
def test_a_column_of_another_case_is_the_table_s_in_every_mode(each_project: ProjectFolder, mode: str):
    each_project.write(written(mode, "v"))
    assert each_project.fft("run").code == 0
    each_project.write(written(mode, "V"))

    answer = each_project.fft("run")

    assert (answer.code, answer.err) == (0, "")
    assert each_project.sql("select id, ts, v from m") == [(1, 1, 5)]
    assert "V" not in each_project.fft("show", "m", "--json").out


@FOLDS
@pytest.mark.everywhere
def test_contracts_and_checks_name_a_column_in_any_case(each_project: ProjectFolder):
    each_project.write(
        {
            "models/m.ff.sql": "select 1 as id, 'a' as name, 2 as amount",
            "models/other.ff.sql": "select 1 as Id",
            "models/schema.yml": """\
                models:
                  - name: m
                    contract: enforced
                    columns:
                      - {name: ID, type: int32, constraints: [not_null, unique]}
                      - {name: Name, type: string, tests: [{accepted_values: {values: [a, b]}}]}
                      - {name: AMOUNT, type: int32}
                    tests:
                      - relationships: {column: Id, to: other, field: iD}
                      - between: {column: Amount, min: 1}
                      - expression: {column: Amount, expression: "> 1"}
                """,
        }
    )

    answer = each_project.fft("build")

    assert (answer.code, answer.err) == (0, "")


@pytest.mark.engine("postgres")
def test_postgres_keeps_names_apart_that_differ_in_case_only(postgres_project: ProjectFolder):
    postgres_project.write(written("append_new_columns", "v"))
    postgres_project.write(
        {
            "models/m.ff.sql": written("append_new_columns", "v")["models/m.ff.sql"]
            .replace("ID", "id")
            .replace("TS", "ts")
        }
    )
    assert postgres_project.fft("run").code == 0
    postgres_project.write(
        {
            "models/m.ff.sql": written("append_new_columns", "V")["models/m.ff.sql"]
            .replace("ID", "id")
            .replace("TS", "ts")
        }
    )

    assert postgres_project.fft("run").code == 0

    assert postgres_project.sql('select v, "V" from m') == [(None, 5)]


@FOLDS
@pytest.mark.everywhere
def test_show_and_required_columns_name_a_column_in_any_case(each_project: ProjectFolder):
    each_project.write(
        {
            "models/a.ff.sql": "select 1 as id, 2 as v",
            "models/m.ff.py": """\
                from fastflowtransform import model


                @model(materialized="view", requires={"a": ["ID"]})
                def m(a):
                    return a.select("id")
                """,
        }
    )

    assert each_project.fft("run").code == 0

    answer = each_project.fft("show", "a", "--order-by", "V")
    assert (answer.code, answer.err) == (0, "")


def test_unit_tests_and_seeds_name_a_column_in_any_case(project: ProjectFolder):
    project.write(
        {
            "seeds/src.csv": "id,Amount\n1,10\n",
            "seeds/schema.yml": "seeds:\n  - {name: src, columns: [{name: AMOUNT, type: 'decimal(10, 2)'}]}\n",
            "models/m.ff.sql": "select ID, amount * 2 as Twice from {{ ref('src') }}",
            "tests/unit/m.yml": """\
                model: m
                cases:
                  - name: twice
                    given: {src: [{ID: 1, amount: 2}, {id: 2, AMOUNT: 3}]}
                    expect: [{id: 1, twice: 4}, {Id: 2, TWICE: 6}]
                """,
        }
    )

    assert project.fft("seed").code == 0
    answer = project.fft("utest")

    assert (answer.code, answer.err) == (0, "")
    assert project.sql("select typeof(amount) from src") == [("DECIMAL(10,2)",)]


def test_two_columns_of_one_name_are_refused_before_they_meet(project: ProjectFolder):
    project.write(
        {
            "models/base.ff.sql": "select 1 as id, 2 as v",
            "models/m.ff.py": """\
                from fastflowtransform import model


                @model(materialized="incremental", unique_key="id")
                def m(base):
                    return base.mutate(V=base.v + 1)
                """,
        }
    )

    answer = project.fft("run")

    assert 'M215 the query of "m" has two columns of one name to the warehouse, "v" and "V"' in answer.err


@pytest.mark.parametrize("column", ["__fft_rank", "__fft_stale", "__FFT_old_w"])
def test_a_column_named_as_those_of_the_rule_is_refused(project: ProjectFolder, column: str):
    project.write(written("fail", column))

    assert f'M216 the query of "m" has a column "{column}"' in project.fft("run").err


UNTYPED = "{{ config(materialized='incremental', unique_key='id') }}\nselect 1 as id, NOTE as note"


@pytest.mark.everywhere
def test_a_column_without_a_type_is_text_and_takes_texts_later(each_project: ProjectFolder):
    each_project.write(
        {
            "models/m.ff.sql": UNTYPED.replace("NOTE", "null"),
            "models/t.ff.sql": "select 1 as id, null as note",
            "models/v.ff.sql": "{{ config(materialized='view') }}\nselect id, null as note from {{ ref('t') }}",
            "models/schema.yml": """\
                models:
                  - name: v
                    contract: enforced
                    columns: [{name: id}, {name: note, type: string}]
                """,
        }
    )
    assert each_project.fft("run").code == 0
    assert each_project.fft("run").code == 0
    each_project.write({"models/m.ff.sql": UNTYPED.replace("NOTE", "'text'")})

    answer = each_project.fft("run")

    assert (answer.code, answer.err) == (0, "")
    assert each_project.sql("select id, note from m") == [(1, "text")]
    assert each_project.sql("select coalesce(t.note, 'a') || coalesce(v.note, 'b') as found from t, v") == [("ab",)]


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        ("[]", "VARCHAR[]"),
        ("{'a': null, 'b': 1}", "STRUCT(a VARCHAR, b INTEGER)"),
        ("max(null)", "VARCHAR"),
        ("case when 1 is not null then null end", "VARCHAR"),
        ("null::date", "DATE"),
    ],
)
def test_duckdb_has_texts_in_what_has_no_type(project: ProjectFolder, value: str, dtype: str):
    project.write({"models/t.ff.sql": f"select {value} as v"})
    assert project.fft("run").code == 0

    assert project.sql("select typeof(v) from t") == [(dtype,)]


def test_a_delta_of_the_user_s_own_and_a_python_model_may_spell_columns_otherwise(project: ProjectFolder):
    project.write(
        {
            "models/base.ff.sql": "select range as id, range as ts, range as v from range(4)",
            "models/a.ff.sql": """\
                {{ config(materialized='incremental', unique_key='Id', updated_at='TS',
                          delta_sql="select ID, Ts, V from {{ ref('base') }} where id > 1") }}
                select id, ts, v from {{ ref('base') }}
                """,
            "models/b.ff.py": """\
                import ibis
                from fastflowtransform import model


                @model(materialized="incremental", unique_key="ID", updated_at="TS")
                def b(base):
                    return base.mutate(note=ibis.null())
                """,
        }
    )
    assert project.fft("run").code == 0

    answer = project.fft("run", "-v")

    assert (answer.code, project.sql("select count(*) from a"), project.sql("select count(*) from b")) == (
        0,
        [(4,)],
        [(4,)],
    )
    assert project.sql("select distinct typeof(note) from b") == [("VARCHAR",)]
