"""A unit test over the rows of the warehouse gives what a run over them gives, whatever the query is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.conftest import ProjectFolder
from tests.histories import examples

ORDERS: list[dict[str, Any]] = [
    {"id": 1, "customer": 7, "amount": 5, "note": "x"},
    {"id": 2, "customer": 8, "amount": 6, "note": None},
    {"id": 3, "customer": 7, "amount": None, "note": "y"},
]
CUSTOMERS: list[dict[str, Any]] = [{"customer": 7, "name": "Ada"}, {"customer": 9, "name": "Grace"}]
SEEDS = {
    "seeds/orders.csv": "id,customer,amount,note,spare\n1,7,5,x,\n2,8,6,,\n3,7,,y,\n",
    # What no case gives is NULL, in columns of which a text tells nothing.
    "seeds/customers.csv": "customer,name,extra\n7,Ada,\n9,Grace,\n",
    "seeds/schema.yml": "seeds:\n- {name: orders, columns: [{name: spare, type: int64}]}\n"
    "- {name: customers, columns: [{name: extra, type: string}]}\n",
    "models/clients.ff.sql": "{{ config(materialized='ephemeral') }} "
    "select customers.customer, customers.name, customers.extra from {{ ref('customers') }}",
}

JOINS = [
    "{o} join {c} using (customer)",
    "{o} left join {c} using (customer)",
    "{o} natural join {c}",
    "{o} natural left join {c}",
    "{o} join {c} on {on}.customer = {cn}.customer",
    "{o} full join {c} on {on}.customer = {cn}.customer",
    "{o} cross join {c}",
    "{c}, {o}",
]
OF_JOIN = [
    "{on}.id, {cn}.name",
    "{on}.*",
    "{on}.id, max({cn}.name) as name ^ group by {on}.id",
    "max(amount) as amount, {cn}.extra ^ group by {cn}.extra",
    "count(*) as n, count({on}.note) as note",
    "id, name, extra, spare ^ where {on}.id > 1",
    "{on}.amount as extra, {cn}.extra as amount ^ order by {on}.id",
]
OF_ONE = [
    "*",
    "{on}.*",
    "{on}.id, amount + 1 as amount",
    "max(amount) as amount",
    "upper(note) as note, count(*) as n ^ group by upper(note)",
    "id, spare ^ where {on}.amount > 5 or {on}.note is null",
    "(select max({on}.id) from {o}) as id",
    "id, row_number() over (partition by {on}.customer order by {on}.id) as spare",
    "note ^ group by note having max({on}.amount) > 5",
]
DUCKDB = [
    "* exclude (amount)",
    "* exclude (note, spare)",
    "* replace (amount * 2 as amount)",
    "{on}.* exclude (id)",
    "columns('i|a')",
    "id, amount * 2 as twice, twice + 1 as amount",
    "note, sum(amount) as amount ^ group by all",
]
WHOLE = [
    "pivot {o} on note using sum(amount) group by customer",
    "pivot (select {on}.note, {on}.amount from {o}) on note using count(*)",
    "unpivot {o} on id, amount into name what value v",
    "from {o} select {on}.id where {on}.amount > 5",
    "select * from (unpivot {o} on id, customer)",
]
WRAPPERS = [
    "{q}",
    "{q}",
    "with orders as ({q}) select * from orders",
    "with customers as (select 1 as one), q as ({q}) select * from q",
    "with orders as (select 1 as id), q as ({q}) select q.* from q",
    "select * from ({q}) as orders",
    "{q} union all {q}",
]


@st.composite
def queries(draw: st.DrawFn, *, is_duckdb: bool) -> str:
    """Draw a SELECT over one or two inputs."""

    def table(name: str, alias: str) -> tuple[str, str]:
        named = draw(st.sampled_from(["", alias, f"as {alias}"]))
        call = f"{{{{ ref('{name}') }}}}"
        # An ephemeral model has no schema, unless one asks where it would be.
        plain = draw(st.sampled_from([name, name, f"demo.{name}"])) if not named else alias
        return f"{call} {named}".strip(), plain

    (o, on), (c, cn) = table("orders", "o"), table(draw(st.sampled_from(["customers", "clients"])), "c")
    shape = draw(st.sampled_from(["one", "join", "whole"] if is_duckdb else ["one", "join"]))
    if shape == "whole":
        query = draw(st.sampled_from(WHOLE)).format(o="{{ ref('orders') }}", on="orders")
        return query
    columns = draw(st.sampled_from([*OF_ONE, *(DUCKDB if is_duckdb else [])] if shape == "one" else OF_JOIN))
    tables = "{o}" if shape == "one" else draw(st.sampled_from(JOINS))
    selected, _, rest = columns.partition(" ^ ")
    query = f"select {selected} from {tables} {rest}".format(o=o, on=on, c=c, cn=cn)
    return draw(st.sampled_from(WRAPPERS)).format(q=query)


def means_the_same(project: ProjectFolder, engine: str, query: str) -> None:
    """Compare what a query gives in a run with what it gives in a unit test."""
    project.write({"models/m.ff.sql": "{{ config(materialized='table') }} " + query})
    assume(project.fft("run", "--select", "m").code == 0)
    names = [
        row[0]
        for row in project.sql(
            "select column_name from information_schema.columns "
            "where table_name = 'm' and table_schema = 'demo' order by ordinal_position"
        )
    ]
    assume(len(set(names)) == len(names))
    rows = [dict(zip(names, map(number, row), strict=True)) for row in project.sql("select * from m")]
    given_rows = {"orders": ORDERS, "customers": CUSTOMERS}
    reads = query.replace("'clients'", "'customers'")
    read = [name for name in given_rows if f"'{name}'" in reads]
    case = {"name": "x", "given": {name: given_rows[name] for name in read}, "expect": {"rows": rows}}
    project.write({"tests/unit/m.yml": json.dumps({"model": "m", "cases": [case]})})

    answer = project.fft("utest", "--engine", engine)

    assert answer.code == 0, f"{query}\n{answer.out}\n{answer.err}"


def number(value: Any) -> Any:
    """Return a sum as a number that YAML has."""
    return value if value is None or isinstance(value, str) else int(value)


PROPERTY = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@settings(PROPERTY, max_examples=examples(60))
@given(query=queries(is_duckdb=True))
def test_a_query_means_the_same_in_a_run_and_in_a_unit_test(project: ProjectFolder, query: str):
    prepare(project)
    means_the_same(project, "duckdb", query)


@pytest.mark.engine("postgres")
@settings(PROPERTY, max_examples=examples(30))
@given(query=queries(is_duckdb=False), dialect=st.sampled_from(["postgres", "duckdb"]))
def test_a_query_means_the_same_in_unit_tests_on_postgres(postgres_project: ProjectFolder, query: str, dialect: str):
    prepare(postgres_project)
    postgres_project.write({"project.yml": f"name: test\ndialect: {dialect}\n"})
    means_the_same(postgres_project, "postgres", query)


def prepare(project: ProjectFolder) -> None:
    """Load the seeds, the first time that a project is used."""
    if not (project.folder / "seeds").exists():
        project.write(SEEDS)
        assert project.fft("seed").code == 0
