"""Columns that are called after the table that they are of, wherever its rows come from."""

from __future__ import annotations

import pytest

from fastflowtransform.own_names import StandIn, with_own_names
from fastflowtransform.relation import Relation
from tests.conftest import ProjectFolder

ORDERS = StandIn(("__x_orders",), Relation("demo", "orders"))
OTHERS = StandIn(("__x_raw.orders",), Relation("raw", "orders"))

TEXTS = {
    'select orders.id from "__x_orders" where orders.id > 1': 'select orders.id from "__x_orders" AS "orders" where '
    "orders.id > 1",
    'select o.id as orders from "__x_orders" o': 'select o.id as orders from "__x_orders" o',
    'select id from "__x_orders"': 'select id from "__x_orders"',
    'select demo.orders.id from "__x_orders"': 'select "orders".id from "__x_orders" AS "orders"',
    'with orders as (select orders.* from "__x_orders"), b as (select orders.id from "__x_orders") select * from b': (
        'with orders as (select orders.* from "__x_orders" AS "orders"), '
        'b as (select orders.id from "__x_orders" AS "orders") select * from b'
    ),
    'select orders.id from a, "__x_orders" where f(a, orders.b)': 'select orders.id from a, "__x_orders" AS "orders" '
    "where f(a, orders.b)",
    'from "__x_orders" join b using (id) select orders.id': 'from "__x_orders" AS "orders" join b using (id) '
    "select orders.id",
    'pivot "__x_orders" on orders.a': 'pivot "__x_orders" AS "orders" on orders.a',
    "select 'orders', extract(day from demo.orders.at) from \"__x_orders\"": (
        'select \'orders\', extract(day from "orders".at) from "__x_orders" AS "orders"'
    ),
    'select raw.orders.a, demo.orders.b from "__x_orders" join "__x_raw.orders" using (id)': (
        'select "raw.orders".a, "demo.orders".b from "__x_orders" AS "demo.orders" '
        'join "__x_raw.orders" AS "raw.orders" using (id)'
    ),
    'select "__x_orders".id, orders.v from "__x_orders"': 'select "orders".id, orders.v from "__x_orders" AS "orders"',
    "select 'orders": "select 'orders",
}


@pytest.mark.parametrize(("text", "named"), TEXTS.items())
def test_a_stand_in_bears_the_name_of_its_relation_and_the_rest_stays(text: str, named: str):
    assert with_own_names(text, [ORDERS, OTHERS], "duckdb") == named


PROJECT = {
    "seeds/raw_orders.csv": "id,amount\n1,5\n2,-3\n",
    "models/priced.ff.sql": "{{ config(materialized='ephemeral') }} "
    "select raw_orders.id, demo.raw_orders.amount from {{ ref('raw_orders') }}",
    "models/orders.ff.sql": "{{ config(materialized='table') }} "
    "select priced.id, demo.priced.amount from {{ ref('priced') }} where priced.amount > -10",
    "models/sums.ff.sql": "{{ config(materialized='incremental', unique_key='id') }} "
    "select orders.id, sum(orders.amount) as total from {{ ref('orders') }} "
    "{% if is_incremental() %} left join {{ this }} on demo.sums.id = orders.id {% endif %} group by orders.id",
    "tests/orders_are_small.ff.sql": "select orders.id from {{ ref('orders') }} where demo.orders.amount > 100",
    "tests/unit/sums.yml": "model: sums\ncases: [{name: x, given: {orders: [{id: 1, amount: 5}]}, "
    "this: [{id: 1, total: 4}, {id: 2, total: 2}], expect: [{id: 1, total: 5}, {id: 2, total: 2}]}]",
    "tests/unit/orders.yml": "model: orders\ncases: [{name: y, given: {raw_orders: [{id: 1, amount: 5}]}, "
    "expect: [{id: 1, amount: 5}]}]",
}


@pytest.mark.parametrize("command", ["seed", "build", "run", "test", "build", "utest"])
def test_columns_are_called_after_their_table_in_every_command(each_project: ProjectFolder, command: str):
    # issue 18: unit tests, builds that hold rows back and ephemeral models had other names for the tables.
    each_project.write(PROJECT)
    before = () if command in ("seed", "utest") else ("seed",) if command == "build" else ("seed", "run")
    assert [each_project.fft(each).code for each in before] == [0] * len(before)

    answer = each_project.fft(command)

    assert (answer.code, answer.err) == (0, "")


@pytest.mark.engine("postgres")
def test_columns_are_called_after_their_table_in_unit_tests_on_postgres(postgres_project: ProjectFolder):
    postgres_project.write(PROJECT)

    answer = postgres_project.fft("utest", "--engine", "postgres")

    assert (answer.code, answer.err) == (0, "")


def test_a_model_of_another_environment_is_called_by_the_names_of_this_one(project: ProjectFolder):
    project.write(
        {
            **PROJECT,
            "profiles.yml": "".join(
                f"{name}:\n  engine: duckdb\n  duckdb: {{path: w.duckdb, schema: {schema}}}\n"
                for name, schema in (("prod", "prod"), ("dev", "demo"))
            ),
            "tests/orders_are_small.ff.sql": "select orders.id from {{ ref('orders') }} where orders.amount > 100",
            "models/priced.ff.sql": "select raw_orders.id, amount from {{ ref('raw_orders') }}",
            "models/orders.ff.sql": "select priced.id, amount from {{ ref('priced') }}",
            "models/sums.ff.sql": "select orders.id from {{ ref('orders') }}",
        }
    )
    assert project.fft("build", "--env", "prod").code == 0
    (project.folder / "target").rename(project.folder / "prod")
    project.write({"models/sums.ff.sql": "select orders.id, demo.orders.amount from {{ ref('orders') }}"})

    answer = project.fft("run", "--select", "sums", "--defer", "--state", str(project.folder / "prod"))

    assert (answer.code, answer.err) == (0, "")
