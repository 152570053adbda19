"""Whatever happens between two runs, a run with `--cache rw` leaves the tables that a run without it leaves."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastflowtransform import cli
from tests.conftest import postgres_dsn

KEYED = "{{ config(materialized='incremental', unique_key='id', updated_at='seen') }}"
TABLE = "{{ config(materialized='table') }}"
MODELS = {
    "base": "{{ config(materialized='KIND') }} select id, seen, v + NUMBER as v from {{ ref('events') }}",
    "fct": KEYED + " select * from {{ ref('base') }} where v > NUMBER",
    "own": (
        "{{ config(materialized='incremental', unique_key='id') }} select id, v from {{ ref('fct') }}"
        "{% if is_incremental() %} where id > (select coalesce(max(id), 0) from {{ this }}) order by id limit 2"
        "{% endif %}"
    ),
    "total": "{{ config(materialized='KIND') }} select count(*) as n, sum(v) as v from {{ ref('fct') }}",
    "last": TABLE + " select t.*, (select max(id) from {{ ref('own') }}) as id from {{ ref('total') }} as t",
    # A table behind the name of a CTE, a function of somebody's, and a table that reads itself.
    "odd": TABLE + " with side as (select * from side) select v from side",
    "scaled": TABLE + " select id, twice(v) as v from {{ ref('base') }}",
    "itself": TABLE + " select least(coalesce(max(n), 0) + 1, 3) as n from {{ this }}",
}
PYTHON = """
from fastflowtransform import model
from helpers_of_twin.scale import scaled


@model(materialized="table")
def python(base):
    return scaled(base)
"""
TABLES = ("base", "fct", "own", "total", "last", "odd", "scaled", "itself", "python")
KINDS = st.sampled_from(["table", "view", "ephemeral"])
ROW = st.tuples(st.integers(1, 6), st.integers(1, 9), st.integers(-2, 9))
SMALL = st.integers(0, 3)


def actions() -> st.SearchStrategy[tuple[object, ...]]:
    return st.one_of(
        st.tuples(st.just("insert"), ROW),
        st.tuples(st.just("delete"), st.sampled_from(["events", "fct", "last"]), st.integers(1, 6)),
        st.tuples(st.just("update"), st.sampled_from(["events", "fct", "last", "side"]), SMALL),
        st.tuples(st.just("drop"), st.sampled_from(["fct", "last"])),
        st.tuples(st.just("edit"), st.sampled_from(["base", "fct", "python"]), st.integers(0, 1)),
        st.tuples(st.just("kind"), st.sampled_from(["base", "total"]), KINDS),
        st.tuples(st.just("view"), SMALL),
        st.tuples(st.just("function"), SMALL),
        st.tuples(st.just("run"), st.sampled_from(["", "fct", "total+", "scaled python"])),
    )


class Twin:
    """A project on a warehouse of its own; the same is done to both, and only one of them has the cache."""

    def __init__(self, folder: Path, cache: str, engine: str) -> None:
        self.folder, self.cache, self.engine = folder, cache, engine
        self.schema = f"twin_{cache}"
        self.code = 0
        self.numbers = {"base": 0, "fct": 0, "python": 0}
        self.kinds = {"base": "view", "total": "table"}
        (folder / "models").mkdir(parents=True)
        (folder / "project.yml").write_text("name: twin\n")
        where = f"duckdb: {{path: w.duckdb, schema: {self.schema}}}"
        if engine == "postgres":
            where = f"postgres: {{dsn: '{postgres_dsn()}', schema: {self.schema}}}"
            self.sql(f"drop schema if exists {self.schema} cascade")
        (folder / "profiles.yml").write_text(f"dev:\n  engine: {engine}\n  {where}\n")
        self.sql(f"create schema {self.schema}")
        self.sql("create table events (id integer, seen integer, v integer)")
        self.sql("create table side as select 1 as v")
        self.does(("function", 2))
        (folder / "seeds").mkdir()
        (folder / "seeds" / "events.csv").write_text("id,seen,v\n")
        (folder / "models" / "python.ff.py").write_text(PYTHON)
        (folder / "helpers_of_twin").mkdir()
        (folder / "helpers_of_twin" / "__init__.py").write_text("")
        helper = "from .number import NUMBER\n\n\ndef scaled(t):\n    return t.mutate(v=t.v * NUMBER)\n"
        (folder / "helpers_of_twin" / "scale.py").write_text(helper)
        self.write()
        # Made by a run, which a later one may replace.
        (folder / "models" / "itself.ff.sql").write_text(TABLE + " select 0 as n")
        assert cli.call(["run", str(folder), "-q", "--select", "itself"]) == 0
        self.write()

    def write(self) -> None:
        for name, text in MODELS.items():
            text = text.replace("KIND", self.kinds.get(name, "")).replace("NUMBER", str(self.numbers.get(name, 0)))
            (self.folder / "models" / f"{name}.ff.sql").write_text(text)
        (self.folder / "helpers_of_twin" / "number.py").write_text(f"NUMBER = {self.numbers['python'] + 2}\n")

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        if self.engine == "postgres":
            options = f"-c search_path={self.schema}"
            with psycopg.connect(postgres_dsn(), autocommit=True, options=options) as server:
                cursor = server.execute(statement)
                return cursor.fetchall() if cursor.description else []
        with duckdb.connect(str(self.folder / "w.duckdb")) as connection:
            if not statement.startswith("create schema"):
                connection.execute(f"set search_path = '{self.schema}'")
            return connection.execute(statement).fetchall()

    def does(self, action: tuple[object, ...]) -> None:
        match action:
            case ("insert", (id, seen, v)):
                self.sql(f"insert into events values ({id}, {seen}, {v})")
            case ("delete", table, id):
                self.if_there(str(table), "BASE TABLE", f"delete from {table} where id = {id}")
            case ("update", table, v):
                self.if_there(str(table), "BASE TABLE", f"update {table} set v = {v}")
            case ("drop", table):
                self.sql(f"drop table if exists {table} cascade")
            case ("view", number):
                self.if_there(
                    "base", "VIEW", f"create or replace view base as select id, seen, v - {number} as v from events"
                )
            case ("function", number):
                macro = f"macro twice(v) as v * {number}"
                function = f"function twice(v integer) returns integer language sql as 'select v * {number}'"
                self.sql(f"create or replace {macro if self.engine == 'duckdb' else function}")
            case ("run", select):
                chosen = ["--select", str(select)] if select else []
                self.code = cli.call(["run", str(self.folder), "-q", "--cache", self.cache, *chosen])
            case _:
                self.edits(action)

    def edits(self, action: tuple[object, ...]) -> None:
        match action:
            case ("edit", name, number):
                self.numbers[str(name)] = int(str(number))
            case ("kind", name, kind):
                self.kinds[str(name)] = str(kind)
        self.write()

    def if_there(self, table: str, kind: str, statement: str) -> None:
        if self.kind_of(table) == kind:
            self.sql(statement)

    def kind_of(self, table: str) -> str | None:
        where = f"table_schema = '{self.schema}' and table_name = '{table}'"
        found = self.sql(f"select table_type from information_schema.tables where {where}")
        return found[0][0] if found else None

    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        stand = [name for name in TABLES if self.kind_of(name) is not None]
        return {name: sorted(self.sql(f"select * from {name}"), key=repr) for name in stand}


@pytest.fixture
def folder() -> Iterator[Path]:
    found = Path(tempfile.mkdtemp(prefix="fft-twins-"))
    yield found
    shutil.rmtree(found)


def agree(folder: Path, engine: str, rows: list[Any], then: list[tuple[object, ...]]) -> None:
    """Do the same to both, and compare their tables after each run."""
    shutil.rmtree(folder)
    cached, plain = Twin(folder / "cached", "rw", engine), Twin(folder / "plain", "off", engine)
    for action in [*(("insert", row) for row in rows), ("run", ""), ("run", ""), *then, ("run", ""), ("run", "")]:
        cached.does(action)
        plain.does(action)
        if action[0] == "run":
            assert (cached.code, cached.tables()) == (plain.code, plain.tables()), action


HISTORY = given(st.lists(ROW, min_size=1, max_size=5), st.lists(actions(), min_size=1, max_size=6))
FEW = settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FEW
@HISTORY
def test_a_run_with_the_cache_leaves_what_one_without_it_leaves(folder: Path, rows, then):
    agree(folder, "duckdb", rows, then)


@pytest.mark.engine("postgres")
@FEW
@HISTORY
def test_a_run_with_the_cache_leaves_what_one_without_it_leaves_on_postgres(folder: Path, rows, then):
    agree(folder, "postgres", rows, then)
