"""Contracts: what a model promises of its columns, where it says so, and what happens when it is not so."""

from __future__ import annotations

import json
from pathlib import Path

import ibis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflowtransform.contract import differences, fits
from fastflowtransform.errors import Location
from fastflowtransform.model import Contract, ContractColumn, Enforcement
from tests.conftest import ProjectFolder

AT = Location(Path("schema.yml"), 1)
TYPES = ["int64", "string", "float64", "boolean", "date", "timestamp", "decimal(10, 2)", "array<int64>"]
ORDERS = """
version: 2
models:
  - name: orders
    contract: {contract}
    columns:
      - {{name: id, type: int64}}
      - {{name: amount, type: "decimal(10, 2)"}}
      - {{name: note, type: string}}
    description: As they came.
"""
RIGHT = "select 1::bigint as id, 2.5::decimal(10, 2) as amount, 'x'::varchar as note"
WRONG = "select 1::bigint as id, 2.5::double as amount, date '2026-01-01' as day"


def orders(project: ProjectFolder, select: str, contract: str = "enforced", kind: str = "table") -> ProjectFolder:
    project.write(
        {
            "models/orders.ff.sql": f"{{{{ config(materialized='{kind}') }}}}\n{select}",
            "models/below.ff.sql": "select * from {{ ref('orders') }}",
            "models/schema.yml": ORDERS.format(contract=contract),
        }
    )
    return project


def step(project: ProjectFolder, name: str = "orders") -> dict[str, object]:
    results = json.loads((project.folder / "target" / "run_results.json").read_text())
    return next(step for step in results["steps"] if step["name"] == name)


schemas = st.dictionaries(st.sampled_from("abcde"), st.sampled_from(TYPES), min_size=1)


@given(schemas, schemas)
def test_a_schema_differs_from_a_contract_in_each_column_that_is_not_in_both_with_one_type(promised, found):
    columns = tuple(ContractColumn(name, (type_,), AT) for name, type_ in promised.items())

    words = differences(Contract(Enforcement.ENFORCED, columns, (), AT), ibis.schema(found))

    differing = {name for name in {*promised, *found} if promised.get(name) != found.get(name)}
    assert {word.words.split('"')[1] for word in words} == differing
    assert len(words) == len(differing)


@pytest.mark.parametrize(
    ("wanted", "found", "fitting"),
    [
        ("timestamp", "timestamp(6)", True),
        ("timestamp", "timestamp('UTC', 6)", False),
        ("timestamp('UTC')", "timestamp('UTC', 6)", True),
        ("decimal", "decimal(38, 0)", True),
        ("decimal(10, 2)", "decimal(12, 2)", False),
        ("array<decimal>", "array<decimal(10, 2)>", True),
        ("struct<a: int64>", "struct<a: int32>", False),
        ("map<string, timestamp>", "map<string, timestamp(3)>", True),
        ("!int64", "int64", True),
    ],
)
def test_what_a_type_leaves_open_may_be_any(wanted, found, fitting):
    assert fits(ibis.dtype(wanted), ibis.dtype(found)) is fitting


@pytest.mark.parametrize("kind", ["table", "view", "ephemeral"])
def test_a_model_that_keeps_its_contract_is_built(each_project, kind):
    answer = orders(each_project, RIGHT, kind=kind).fft("run")

    assert answer.code == 0, answer.err
    assert each_project.sql("SELECT id, note FROM below") == [(1, "x")]


@pytest.mark.parametrize("kind", ["table", "view", "ephemeral"])
def test_a_broken_contract_names_each_column_and_nothing_is_written(each_project, kind):
    answer = orders(each_project, WRONG, kind=kind).fft("run")

    assert answer.code == 1
    assert answer.err.splitlines()[:3] == [
        'M214 "orders" breaks its contract: "amount" is "float64" and should be "decimal(10, 2)"; '
        '"note", a "string", is missing; "day", a "date", is not in the contract',
        f"  at {each_project.folder / 'models' / 'schema.yml'}:8",
        "  hint mend the model, or change the contract",
    ]
    assert step(each_project, "below")["status"] == "skipped"


def test_an_increment_that_breaks_its_contract_leaves_the_table(each_project):
    config = "{{ config(materialized='incremental', unique_key='id', on_schema_change='append_new_columns') }}\n"
    each_project.write(
        {"models/orders.ff.sql": config + RIGHT, "models/schema.yml": ORDERS.format(contract="enforced")}
    )
    each_project.fft("run")
    each_project.write({"models/orders.ff.sql": config + RIGHT + ", 3 as extra"})

    answer = each_project.fft("run")

    assert '"extra", a "int32", is not in the contract' in answer.err
    assert each_project.sql("SELECT * FROM orders")[0][-1] == "x"


def test_a_contract_that_warns_is_reported_and_stops_nothing(each_project):
    answer = orders(each_project, WRONG, contract="warn").fft("run")

    assert answer.code == 0
    assert 'note orders: breaks its contract: "amount" is "float64" and should be "decimal(10, 2)"' in answer.out
    assert step(each_project)["status"] == "warn"
    assert step(each_project)["outcome"]["contract"][1] == '"note", a "string", is missing'


def test_a_dataframe_model_keeps_its_contract_by_the_rows_that_it_gives(each_project):
    each_project.write(
        {
            "models/frames.ff.py": """
            import pyarrow as pa
            from fastflowtransform import model

            @model(materialized="table", contract="enforced", columns=[{"name": "id", "type": "int64"}])
            def frames() -> pa.Table:
                return pa.table({"id": ["a"]})
            """
        }
    )

    answer = each_project.fft("run")

    assert '"id" is "string" and should be "int64"' in answer.err
    assert answer.code == 1


def test_config_and_yaml_share_a_contract(project):
    project.write(
        {
            "models/orders.ff.sql": "{{ config(materialized='table', contract='enforced') }}\n" + WRONG,
            "models/schema.yml": ORDERS.replace("    contract: {contract}\n", "").format(),
        }
    )

    assert project.fft("run").err.startswith('M214 "orders" breaks its contract')


def test_a_contract_holds_where_another_file_says_more_of_its_model(project):
    orders(project, WRONG)
    project.write({"models/z.yml": "models: [{name: orders, tags: [late], tests: [row_count_between: {min: 1}]}]"})

    assert project.fft("run").err.startswith('M214 "orders" breaks its contract')
    assert project.fft("plan", "--select", "tag:late").code == 0


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ("contract: warn", 'the contract of "orders" is declared at'),
        ("columns: [{name: id, type: int64}]", 'the contract of "orders" is declared at'),
        ("description: Others.", '"orders" is described at'),
    ],
)
def test_what_two_files_say_of_one_model_may_not_differ(project, other, message):
    orders(project, RIGHT)
    project.write({"models/z.yml": f"models: [{{name: orders, {other}}}]"})

    answer = project.fft("run")

    assert answer.code == 2
    assert message in answer.err
    assert "z.yml:1" in answer.err


@pytest.mark.parametrize(
    ("config", "schema", "message"),
    [
        ("contract='warn'", "{name: orders, contract: enforced, columns: [{name: id}]}", "is declared at"),
        (
            "contract='warn', columns=[{'name': 'id', 'type': 'int64'}]",
            "{name: orders, columns: [{name: id, type: string}]}",
            "is declared at",
        ),
        ("", "{name: orders, columns: [{name: id, type: string}]}", "and it has no contract"),
        ("", "{name: orders, columns: [{name: id, nullable: false}]}", "and it has no contract"),
        ("", "{name: orders, contract: enforced}", 'P104 "orders" has a contract and no columns'),
        ("", "{name: orders, contract: enforcd, columns: [{name: id}]}", '"contract" of model "orders" is "enforcd"'),
        ("", "{name: orders, contract: {enforced: true}, columns: [{name: id}]}", "did you mean"),
        ("", "{name: orders, contract: warn, columns: [{name: id}, {name: id}]}", 'has "id" twice'),
        (
            "",
            "{name: orders, contract: warn, columns: [{name: id, constraints: [uniq]}]}",
            'there is no constraint "uniq"',
        ),
        (
            "",
            "{name: orders, contract: warn, columns: [{name: id, constraints: [{type: check, expresion: a}]}]}",
            'has no "expression"',
        ),
    ],
)
def test_a_contract_that_cannot_be_meant_is_an_error_with_its_place(project, config, schema, message):
    project.write(
        {
            "models/orders.ff.sql": f"{{{{ config({config}) }}}} select 1 as id",
            "models/schema.yml": f"models: [{schema}]",
        }
    )

    answer = project.fft("run")

    assert (answer.code, message in answer.err, "  at " in answer.err) == (2, True, True), answer.err


def test_a_type_that_is_none_is_an_error_with_its_place(project):
    orders(project, RIGHT)
    project.write({"models/schema.yml": "models: [{name: orders, contract: warn, columns: [{name: id, type: texts}]}]"})

    answer = project.fft("run")

    assert 'P104 the type of "id" is "texts", which is none' in answer.err
    assert "schema.yml:1" in answer.err
    assert answer.code == 2


def test_a_seed_has_no_contract(project):
    project.write(
        {
            "seeds/s.csv": "id\n1\n",
            "models/schema.yml": "models: [{name: s, contract: warn, columns: [{name: id, type: int64}]}]",
        }
    )

    answer = project.fft("run")

    assert 'P104 "s" is a seed, and a contract is for models' in answer.err


CONSTRAINED = """
models:
  - name: orders
    contract: enforced
    constraints: [{type: unique, columns: [id, day]}, {type: check, expression: id > 0}]
    columns:
      - {name: id, type: [int32, int64], nullable: false, constraints: [primary_key, {type: check, expression: "< 9"}]}
      - {name: day, constraints: [{type: foreign_key, to: days, field: day}]}
"""


def test_what_no_schema_shows_becomes_a_check(project):
    project.write(
        {
            "models/orders.ff.sql": "select 1 as id, 2 as day",
            "models/days.ff.sql": "select 2 as day",
            "models/schema.yml": CONSTRAINED,
        }
    )
    assert project.fft("run").code == 0

    assert project.fft("test").code == 0

    checks = json.loads((project.folder / "target" / "run_results.json").read_text())["checks"]
    assert [check["name"] for check in checks] == [
        "not_null_orders_id",
        "unique_orders_id",
        "expression_orders_id",
        "relationships_orders_day",
        "unique_orders_id_day",
        "expression_orders",
    ]


@pytest.mark.parametrize("row", ["NULL::int, 2", "1, 3", "10, 2", "-1, 2"])
def test_a_run_publishes_no_rows_that_break_an_enforced_contract(each_project, row):
    model = "{{{{ config(materialized='table') }}}} select * from (values ({})) t(id, day)"
    each_project.write(
        {
            "models/orders.ff.sql": model.format("1, 2"),
            "models/days.ff.sql": "select 2 as day",
            "models/schema.yml": CONSTRAINED,
        }
    )
    assert each_project.fft("run").code == 0
    each_project.write({"models/orders.ff.sql": model.format(row)})

    answer = each_project.fft("run")

    assert answer.code == 1
    assert 'D301 "orders" is not published: ' in answer.err
    assert each_project.sql("SELECT id, day FROM orders") == [(1, 2)]


def test_the_manifest_shows_the_contract(project):
    orders(project, RIGHT).fft("run")

    manifest = json.loads((project.folder / "target" / "manifest.json").read_text())

    contract = manifest["nodes"]["orders"]["contract"]
    assert contract["enforcement"] == "enforced"
    assert contract["columns"][1] == {"name": "amount", "types": ["decimal(10, 2)"]}


def test_a_model_does_not_run_where_an_input_lacks_what_it_requires(each_project):
    config = "{{ config(materialized='table', requires={'orders': ['id', 'amont']}) }}"
    orders(each_project, RIGHT)
    each_project.write({"models/below.ff.sql": f"{config}\nselect * from {{{{ ref('orders') }}}}"})

    answer = each_project.fft("run")

    assert answer.code == 1
    assert 'M210 "below" requires the column "amont" of "orders", which does not have it' in answer.err
    assert 'hint did you mean "amount"?' in answer.err


def test_columns_can_be_required_of_inputs_only(project):
    project.write({"models/m.ff.sql": "{{ config(requires={'orders': ['id']}) }} select 1 as id"})

    assert 'G101 "m" requires columns of "orders", which it does not read' in project.fft("run").err
