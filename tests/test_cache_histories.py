"""Whatever happens between two runs, a run with `--cache rw` leaves the tables that a run without it leaves."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastflowtransform import cli

KEYED = "{{ config(materialized='incremental', unique_key='id', updated_at='seen') }}"
MODELS = {
    "base": "{{ config(materialized='KIND') }} select id, seen, v + NUMBER as v from {{ ref('events') }}",
    "fct": KEYED + " select * from {{ ref('base') }} where v > NUMBER",
    "own": (
        "{{ config(materialized='incremental', unique_key='id') }} select id, v from {{ ref('fct') }}"
        "{% if is_incremental() %} where id > (select coalesce(max(id), 0) from {{ this }}) order by id limit 2"
        "{% endif %}"
    ),
    "total": "{{ config(materialized='KIND') }} select count(*) as n, sum(v) as v from {{ ref('fct') }}",
    "last": "{{ config(materialized='table') }} select t.*, (select max(id) from {{ ref('own') }}) as id "
    "from {{ ref('total') }} as t",
}
TABLES = ("base", "fct", "own", "total", "last")
KINDS = st.sampled_from(["table", "view", "ephemeral"])
ROW = st.tuples(st.integers(1, 6), st.integers(1, 9), st.integers(-2, 9))


def actions() -> st.SearchStrategy[tuple[object, ...]]:
    return st.one_of(
        st.tuples(st.just("insert"), ROW),
        st.tuples(st.just("delete"), st.sampled_from(["events", "fct", "last"]), st.integers(1, 6)),
        st.tuples(st.just("update"), st.sampled_from(["events", "fct", "last"]), st.integers(0, 3)),
        st.tuples(st.just("drop"), st.sampled_from(["fct", "last"])),
        st.tuples(st.just("edit"), st.sampled_from(["base", "fct"]), st.integers(0, 1)),
        st.tuples(st.just("kind"), st.sampled_from(["base", "total"]), KINDS),
        st.tuples(st.just("run"), st.sampled_from(["", "fct", "total+"])),
    )


class Twin:
    """A project on a file of its own; the same is done to both, and only one of them has the cache."""

    def __init__(self, folder: Path, cache: str) -> None:
        self.folder, self.cache = folder, cache
        self.code = 0
        self.numbers = {"base": 0, "fct": 0}
        self.kinds = {"base": "view", "total": "table"}
        (folder / "models").mkdir(parents=True)
        (folder / "project.yml").write_text("name: twin\n")
        (folder / "profiles.yml").write_text("dev:\n  engine: duckdb\n  duckdb: {path: w.duckdb, schema: demo}\n")
        (folder / "sources.yml").write_text("sources: []\n")
        self.sql("create schema demo; create table demo.events (id integer, seen integer, v integer)")
        (folder / "seeds").mkdir()
        (folder / "seeds" / "events.csv").write_text("id,seen,v\n")
        self.write()

    def write(self) -> None:
        for name, text in MODELS.items():
            text = text.replace("KIND", self.kinds.get(name, "")).replace("NUMBER", str(self.numbers.get(name, 0)))
            (self.folder / "models" / f"{name}.ff.sql").write_text(text)

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        with duckdb.connect(str(self.folder / "w.duckdb")) as connection:
            return connection.execute(statement).fetchall()

    def does(self, action: tuple[object, ...]) -> None:
        match action:
            case ("insert", (id, seen, v)):
                self.sql(f"insert into demo.events values ({id}, {seen}, {v})")
            case ("delete", table, id):
                self.if_there(str(table), f"delete from demo.{table} where id = {id}")
            case ("update", table, v):
                self.if_there(str(table), f"update demo.{table} set v = {v}")
            case ("drop", table):
                self.sql(f"drop table if exists demo.{table}")
            case ("edit", name, number):
                self.numbers[str(name)] = int(str(number))
                self.write()
            case ("kind", name, kind):
                self.kinds[str(name)] = str(kind)
                self.write()
            case ("run", select):
                chosen = ["--select", str(select)] if select else []
                self.code = cli.call(["run", str(self.folder), "-q", "--cache", self.cache, *chosen])

    def if_there(self, table: str, statement: str) -> None:
        if self.sql(f"select 1 from duckdb_tables() where table_name = '{table}'"):
            self.sql(statement)

    def tables(self) -> dict[str, list[tuple[object, ...]]]:
        stand = {name for (name,) in self.sql("select table_name from information_schema.tables")}
        return {name: sorted(self.sql(f"select * from demo.{name}"), key=repr) for name in TABLES if name in stand}


@pytest.fixture
def folder() -> Iterator[Path]:
    found = Path(tempfile.mkdtemp(prefix="fft-twins-"))
    yield found
    shutil.rmtree(found)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ROW, min_size=1, max_size=5), st.lists(actions(), min_size=1, max_size=6))
def test_a_run_with_the_cache_leaves_what_one_without_it_leaves(folder: Path, rows, then):
    shutil.rmtree(folder)
    cached, plain = Twin(folder / "cached", "rw"), Twin(folder / "plain", "off")
    for action in [*(("insert", row) for row in rows), ("run", ""), ("run", ""), *then, ("run", ""), ("run", "")]:
        cached.does(action)
        plain.does(action)
        if action[0] == "run":
            assert (cached.code, cached.tables()) == (plain.code, plain.tables()), action
