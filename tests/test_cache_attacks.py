"""What somebody changes beside the rows of a table: `--cache rw` leaves what a run without it leaves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.conftest import ProjectFolder

pytestmark = pytest.mark.ledger

TABLE = "{{ config(materialized='table') }}\n"
RAW = "sources: [{name: raw, schema: demo, tables: [{name: TABLE}]}]"
IBIS = "from pathlib import Path\nimport ibis\nfrom fastflowtransform import model\n\n"


@dataclass(frozen=True)
class Attack:
    """A project, what is done to its warehouse before it runs, and what changes after it has run twice.

    Parameters
    ----------
    model
        The text of the table model `t`; or of a Python file that has it.
    before, change
        Statements. In a text of the project or of files, `{folder}` is its folder.
    files, changed
        Files beside it, and those that change with `change`.
    seed
        The rows of the seed `up`.
    """

    model: str
    before: str = ""
    change: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    changed: Mapping[str, str] = field(default_factory=dict)
    seed: str = "k,v\n1,10\n2,20\n"


UP = "{{ ref('up') }}"
VIEW = "{{ config(materialized='view') }}\n"
EVERYWHERE = {
    "a view is replaced by hand over another table": Attack(
        "select * from {{ ref('w') }}",
        files={
            "models/w.ff.sql": VIEW + f"select k, v from {UP}",
            "models/other.ff.sql": TABLE + "select cast(3 as bigint) as k, cast(4 as bigint) as v",
        },
        change="create or replace view w as select k, v from other",
    ),
    "a view below a view is replaced by hand": Attack(
        "select * from {{ ref('x') }}",
        files={
            "models/w.ff.sql": VIEW + f"select k, v from {UP}",
            "models/x.ff.sql": VIEW + "select k, v from {{ ref('w') }}",
        },
        change="create or replace view w as select k, v + 1 as v from up",
    ),
    "a view is replaced by hand over a table of nobody's, which changes": Attack(
        "select * from {{ ref('w') }}",
        files={"models/w.ff.sql": VIEW + f"select k, v from {UP}"},
        before="create table theirs as select cast(1 as bigint) as k, cast(2 as bigint) as v",
        change="create or replace view w as select k, v from theirs",
    ),
    "a table behind the name of a CTE": Attack(
        "with hidden as (select v from hidden) select v from hidden",
        before="create table hidden as select 1 as v",
        change="update hidden set v = 2",
    ),
    "a table behind the name of a CTE of an inner query": Attack(
        "select h.v from hidden as h where exists (with hidden as (select 1 as x) select * from hidden)",
        before="create table hidden as select 1 as v",
        change="update hidden set v = 2",
    ),
    "a table behind a CTE that comes later": Attack(
        "with a as (select * from hidden), hidden as (select 5 as v) select a.v from a, hidden",
        before="create table hidden as select 1 as v",
        change="update hidden set v = 2",
    ),
    "a seed whose rows change": Attack(f"select sum(v) as v from {UP}", change="update up set v = 5 where k = 1"),
}
ON_DUCKDB = {
    "a macro is replaced whose name the parser knows": Attack(
        f"select safe_divide(v, 3) as v from {UP}",
        before="create macro safe_divide(a, b) as a / b",
        change="create or replace macro safe_divide(a, b) as a // b",
    ),
    "a macro is replaced that is called as a method": Attack(
        f"select k.nvl(v) as v from {UP}",
        before="create macro nvl(a, b) as a",
        change="create or replace macro nvl(a, b) as b",
    ),
    "a macro takes the name of an operator": Attack(
        f"select v + 1 as v from {UP}", change='create macro demo."+"(a, b) as 42'
    ),
    "a macro takes the name of what brackets call": Attack(
        f"select [v, 1]::varchar as v from {UP}", change="create macro demo.list_value(a, b) as 'x'"
    ),
    "a macro takes the name of an aggregate": Attack(
        f"select sum(v) as v from {UP}", change="create macro demo.sum(a) as 42"
    ),
    "a macro takes the name of an operator in a PIVOT": Attack(
        f"pivot (select k, v + 1 as v from {UP}) on k in (1, 2) using sum(v)",
        change='create macro demo."+"(a, b) as 42',
    ),
    "a macro that gives a table is replaced": Attack(
        "select * from demo.given()",
        before="create macro demo.given() as table select 1 as v",
        change="create or replace macro demo.given() as table select 2 as v",
    ),
    "a view calls a macro that is replaced": Attack(
        "select * from {{ ref('w') }}",
        files={"models/w.ff.sql": VIEW + f"select demo.twice(v) as v from {UP}"},
        before="create macro demo.twice(a) as a * 2",
        change="create or replace macro demo.twice(a) as a * 3",
    ),
    "0.0 becomes -0.0": Attack(
        f"select v::varchar as v from {UP}", seed="k,v\n1,0.0\n", change="update up set v = -0.0::double"
    ),
    "0.0 becomes -0.0 in a struct in a list": Attack(
        f"select x::varchar as v from {UP}",
        before="create table demo.up as select 1 as k, [{'a': 0.0::double}] as x",
        change="update up set x = [{'a': -0.0::double}]",
    ),
    "30 days become a month": Attack(
        f"select date '2026-01-31' + x as v from {UP}",
        before="create table demo.up as select 1 as k, interval '30 days' as x",
        change="update up set x = interval '1 month'",
    ),
    "24 hours become a day, in a list": Attack(
        f"select x::varchar as v from {UP}",
        before="create table demo.up as select 1 as k, [interval '24 hours'] as x",
        change="update up set x = [interval '1 day']",
    ),
    "1 becomes 1.0 in a union": Attack(
        f"select x::varchar as v, union_tag(x)::varchar as tag from {UP}",
        before="create table demo.up as select 1 as k, union_value(a := 1)::union(a int, b double) as x",
        change="update up set x = union_value(b := 1.0::double)",
    ),
    "a letter changes its case in a column that does not look at it": Attack(
        f"select x || '' as v from {UP}",
        before="create table demo.up (k int, x varchar collate nocase); insert into demo.up values (1, 'a')",
        change="update up set x = 'A'",
    ),
    "a decimal has another scale": Attack(
        f"select x::varchar as v from {UP}",
        before="create table demo.up as select 1 as k, 1.0::decimal(9, 1) as x",
        change="alter table up alter x type decimal(9, 2)",
    ),
    "values of a type are made anew in another order": Attack(
        f"select max(x::mood)::varchar as v from (select case when k = 1 then 'a' else 'b' end as x from {UP})",
        before="create type mood as enum ('a', 'b')",
        change="drop type mood; create type mood as enum ('b', 'a')",
    ),
    "a table by the name of its database": Attack(
        "select v from w.demo.hidden",
        before="create table demo.hidden as select 1 as v",
        change="update demo.hidden set v = 2",
    ),
    "a table of an ephemeral model's name": Attack(
        "select e.v, x.v as x from {{ ref('e') }} as e, demo.e as x",
        files={"models/e.ff.sql": "{{ config(materialized='ephemeral') }}\nselect 1 as v"},
        before="create table demo.e as select 1 as v",
        change="update demo.e set v = 2",
    ),
    "a source that is pointed at another table of the same version": Attack(
        "select v from {{ source('raw', 'facts') }}",
        before="create table one as select 1 as v, 1 as loaded; create table two as select 2 as v, 1 as loaded",
        files={"sources.yml": RAW.replace("TABLE", "facts, identifier: one, version: max(loaded)")},
        changed={"sources.yml": RAW.replace("TABLE", "facts, identifier: two, version: max(loaded)")},
    ),
    "an Ibis model reads a file as it is built": Attack(
        IBIS + "@model(materialized='table')\ndef t(up):\n"
        "    return up.mutate(w=up.v * int(Path('{folder}/n.txt').read_text()))\n",
        files={"n.txt": "2"},
        changed={"n.txt": "3"},
    ),
    "an Ibis model holds rows of a file": Attack(
        IBIS + "@model(materialized='table')\ndef t(up):\n    n = int(Path('{folder}/n.txt').read_text())\n"
        "    return up.cross_join(ibis.memtable({'n': [n]}))\n",
        files={"n.txt": "2"},
        changed={"n.txt": "3"},
    ),
    "an ephemeral Ibis model calls a function of Python's": Attack(
        "select v from {{ ref('e') }}",
        files={
            "models/e.ff.py": IBIS + "@ibis.udf.scalar.python\ndef scaled(x: int) -> float:\n"
            "    return x * float(Path('{folder}/n.txt').read_text())\n\n\n"
            "@model(materialized='ephemeral')\ndef e(up):\n    return up.mutate(v=scaled(up.v))\n",
            "n.txt": "2",
        },
        changed={"n.txt": "3"},
    ),
    "an Ibis model calls a macro as a function of the engine's": Attack(
        IBIS + "@ibis.udf.scalar.builtin\ndef thrice(x: int) -> int: ...\n\n\n"
        "@model(materialized='table')\ndef t(up):\n    return up.mutate(v=thrice(up.v))\n",
        before="create macro demo.thrice(a) as a * 3",
        change="create or replace macro demo.thrice(a) as a * 4",
    ),
}
ON_POSTGRES = {
    "a column is dropped and added with another default": Attack(
        f"select k, x from {UP}",
        before="alter table up add column x int default 1",
        change="alter table up drop column x; alter table up add column x int default 2",
    ),
    "a column of a part is dropped and added while the part is away": Attack(
        "select x from {{ source('raw', 'parted') }}",
        files={"sources.yml": RAW.replace("TABLE", "parted, version: sum(x)")},
        before="create table parted (k int, x int) partition by list (k); create table part1 (k int); "
        "insert into part1 values (1); alter table part1 add column x int default 1; "
        "alter table parted attach partition part1 for values in (1)",
        change="alter table parted detach partition part1; alter table part1 drop column x; "
        "alter table part1 add column x int default 2; alter table parted attach partition part1 for values in (1)",
    ),
    "an enum's value has another name": Attack(
        f"select x::text as x from {UP}",
        before="create type demo.mood as enum ('a', 'b'); alter table up add column x demo.mood default 'a'",
        change="alter type demo.mood rename value 'a' to 'c'",
    ),
    "an enum's value has another name, and stands in the text alone": Attack(
        "select enum_first(null::demo.mood)::text as x",
        before="create type demo.mood as enum ('a', 'b')",
        change="alter type demo.mood rename value 'a' to 'c'",
    ),
    "a part of a type has another name": Attack(
        f"select to_json(x)::text as x from {UP}",
        before="create type demo.pair as (a int, b int); alter table up add column x demo.pair default row(1, 2)",
        change="alter type demo.pair rename attribute a to c",
    ),
    "a virtual column has another expression": Attack(
        f"select x from {UP}",
        before="alter table up add column x bigint generated always as (v + 1) virtual",
        change="alter table up alter column x set expression as (v + 2)",
    ),
    "a column has another collation": Attack(
        f"select upper(x) as x from {UP}",
        before="alter table up add column x text collate \"C\" default 'ä'",
        change="alter table up alter column x type text collate pg_c_utf8",
    ),
    "a function has the name of a builtin": Attack(
        f"select initcap(v) as x from {UP}",
        before="create function demo.initcap(a bigint) returns bigint language sql as 'select a + 1'",
        change="create or replace function demo.initcap(a bigint) returns bigint language sql as 'select a + 2'",
    ),
    "a function takes a call from a builtin": Attack(
        f"select abs(v) as x from {UP}",
        change="create function demo.abs(a bigint) returns bigint language sql immutable as 'select a + 2'",
    ),
    "a view calls a function of somebody's": Attack(
        "select * from {{ ref('w') }}",
        files={"models/w.ff.sql": VIEW + f"select demo.more(v) as v from {UP}"},
        before="create function demo.more(a bigint) returns bigint language sql as 'select a + 1'",
        change="create or replace function demo.more(a bigint) returns bigint language sql as 'select a + 2'",
    ),
    "an operator of somebody's is another one": Attack(
        f"select v operator(demo.+) 'x'::text as x from {UP}",
        before="create function demo.plus(a bigint, b text) returns bigint language sql as 'select a + 1'; "
        "create operator demo.+ (leftarg = bigint, rightarg = text, function = demo.plus)",
        change="create or replace function demo.plus(a bigint, b text) returns bigint language sql as 'select a + 2'",
    ),
    "a table takes the place of one that was written with it": Attack(
        f"select x from {UP}",
        before="create table demo.up as select 1 as x, 2 as y; drop table up; "
        "do $$ begin create table demo.up as select 1 as x@ create table demo.two as select 2 as x@ end $$",
        change="alter table up rename to three; alter table two rename to up",
    ),
    "a name in quotes is another table": Attack(
        "select t.v from demo.\"Up\" as t, {{ ref('up') }} as u where u.k = 1",
        before='create table demo."Up" as select 1 as v',
        change='update demo."Up" set v = 2',
    ),
    "a table that inherits has more rows": Attack(
        f"select count(*) as n from {UP}",
        before="create table child () inherits (up)",
        change="insert into child values (9, 9)",
    ),
    "an object's number is another one": Attack(
        "select 'demo.numbered'::regclass::oid::bigint as x",
        before="create table numbered (a int)",
        change="drop table numbered; create table numbered (a int)",
    ),
}
UNKNOWABLE_ON_POSTGRES = {
    "a moment in a longer text": "select 'yesterday 04:00'::timestamp as x",
    "a moment in a type's own text": "select timestamp 'tomorrow 1:00' as x",
    "a moment without a space": "select cast('today04:00' as timestamp) as x",
    "a moment whose letters are spelt by codes": r"select E'tod\x61y'::date as x",
    "a moment between dollars": "select $$now$$::timestamp as x",
    "a moment in a seed": f"select s::timestamp as x from {UP}",
    "a moment in a seed, by another name": f"with a as (select s as m from {UP}) select max(m)::date as x from a",
    "a moment in parts": f"select ('to' || right(s, 3))::date as x from {UP}",
    "the day": "select current_date as x",
    "the user": "select current_user::text as x",
    "a function that is not steady": "select clock_timestamp() as x",
    "a place": f"select ctid::text as x from {UP}",
    "a setting": "select current_setting('TimeZone') as x",
    "the age of a day": "select age(timestamp '2026-01-01') as x",
}


def built(project: ProjectFolder, attack: Attack) -> None:
    """Make the project, and run it twice with the cache."""
    name = "models/t.ff.py" if attack.model.startswith("from pathlib") else "models/t.ff.sql"
    text = attack.model if name.endswith(".py") else TABLE + attack.model
    files = {"seeds/up.csv": attack.seed, name: text, **attack.files}
    project.write({path: content.replace("{folder}", str(project.folder)) for path, content in files.items()})
    if "create table demo.up" not in attack.before:
        assert project.fft("seed").code == 0
    for statement in filter(None, attack.before.split("; ")):
        project.sql(statement.replace("@", ";"))
    for _ in range(2):
        answer = project.fft("run", "--cache", "rw")
        assert answer.code == 0, answer.err


def holds(project: ProjectFolder, cache: str) -> list[tuple[Any, ...]]:
    answer = project.fft("run", "--cache", cache)
    assert answer.code == 0, answer.err
    return sorted(project.sql("select * from t"), key=repr)


def attacked(project: ProjectFolder, attack: Attack) -> None:
    built(project, attack)
    # The view stays as somebody has left it: only the table that reads it is made again.
    project.write(attack.changed)
    for statement in filter(None, attack.change.split("; ")):
        project.sql(statement)

    cached = holds(project, "rw")

    assert cached == holds(project, "off")


@pytest.mark.parametrize("attack", EVERYWHERE.values(), ids=EVERYWHERE)
def test_a_change_beside_the_rows_is_seen(each_project: ProjectFolder, attack: Attack):
    each_project.write({"project.yml": "name: test\n"})
    attacked(each_project, attack)


@pytest.mark.parametrize("attack", ON_DUCKDB.values(), ids=ON_DUCKDB)
def test_a_change_beside_the_rows_is_seen_on_duckdb(project: ProjectFolder, attack: Attack):
    attacked(project, attack)


@pytest.mark.engine("postgres")
@pytest.mark.parametrize("attack", ON_POSTGRES.values(), ids=ON_POSTGRES)
def test_a_change_beside_the_rows_is_seen_on_postgres(postgres_project: ProjectFolder, attack: Attack):
    postgres_project.write({"project.yml": "name: test\n"})
    attacked(postgres_project, attack)


@pytest.mark.engine("postgres")
@pytest.mark.parametrize("text", UNKNOWABLE_ON_POSTGRES.values(), ids=UNKNOWABLE_ON_POSTGRES)
def test_what_postgres_may_answer_otherwise_is_never_left_alone(postgres_project: ProjectFolder, text: str):
    postgres_project.write({"project.yml": "name: test\n"})
    built(postgres_project, Attack(text, seed="k,v,s\n1,10,today\n"))

    postgres_project.fft("run", "--cache", "rw")

    assert strategy(postgres_project) != "unchanged"


@pytest.mark.parametrize("select", ["t", "w t"])
def test_a_table_over_a_view_that_was_replaced_by_hand_holds_what_the_view_gives(project: ProjectFolder, select: str):
    built(project, EVERYWHERE["a view is replaced by hand over another table"])
    project.sql("create or replace view w as select k, v from other")
    project.fft("run", "--cache", "rw", "--select", select)
    project.sql("update other set v = 7")

    project.fft("run", "--cache", "rw", "--select", select)

    assert project.sql("select * from t order by k") == project.sql("select * from w order by k")


def test_a_view_that_was_edited_and_not_run_yet_counts_as_it_stands(project: ProjectFolder):
    built(
        project,
        Attack(
            "select * from {{ ref('w') }}",
            files={
                "models/a.ff.sql": TABLE + "select 1 as v",
                "models/b.ff.sql": TABLE + "select 2 as v",
                "models/w.ff.sql": VIEW + "select v from {{ ref('a') }}",
            },
        ),
    )
    project.write({"models/w.ff.sql": VIEW + "select v from {{ ref('b') }}"})
    project.fft("run", "--cache", "rw", "--select", "t")
    project.write({"models/a.ff.sql": TABLE + "select 7 as v"})
    project.fft("run", "--cache", "rw", "--select", "a")

    project.fft("run", "--cache", "rw", "--select", "t")

    assert project.sql("select v from t") == project.sql("select v from w") == [(7,)]


def test_a_table_that_reads_itself_runs_as_it_would_without_the_cache(each_project: ProjectFolder):
    each_project.write({"models/t.ff.sql": TABLE + "select 1 as n"})
    each_project.fft("run")
    each_project.write({"models/t.ff.sql": TABLE + "select least(max(n) + 1, 3) as n from {{ this }}"})

    assert [holds(each_project, "rw")[0][0] for _ in range(4)] == [2, 3, 3, 3]


def test_a_table_that_reads_itself_is_left_alone_once_it_stays_as_it_is(project: ProjectFolder):
    built(project, Attack("select 1 as n"))
    project.write({"models/t.ff.sql": TABLE + "select least(max(n) + 1, 2) as n from {{ this }}"})
    for _ in range(3):
        project.fft("run", "--cache", "rw")

    assert strategy(project) == "unchanged"


def test_a_table_that_names_itself_runs_too(project: ProjectFolder):
    project.write({"models/t.ff.sql": TABLE + "select 1 as n"})
    project.fft("run")
    project.write({"models/t.ff.sql": TABLE + "select max(n) + 1 as n from demo.t"})

    assert [holds(project, "rw")[0][0] for _ in range(3)] == [2, 3, 4]


SETTINGS = {"datestyle": "German, DMY", "intervalstyle": "iso_8601", "extra_float_digits": "-10", "my.rate": "2"}


@pytest.mark.engine("postgres")
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_of_the_database_is_a_part_of_the_proof(postgres_project: ProjectFolder, setting: str):
    postgres_project.write({"project.yml": "name: test\n"})
    built(postgres_project, Attack("select '01/02/2026'::date as d, interval '90 min'::text as i"))
    ((database,),) = postgres_project.sql("select current_database()")
    postgres_project.sql(f"alter database {database} set {setting} = '{SETTINGS[setting]}'")
    try:
        cached = holds(postgres_project, "rw")
        plain = holds(postgres_project, "off")
    finally:
        postgres_project.sql(f"alter database {database} reset {setting}")

    assert cached == plain


@pytest.mark.parametrize(
    "text", ["rand()", "input_file_name()", "current_date", "uuid()", "monotonically_increasing_id()"]
)
@pytest.mark.engine("spark")
def test_what_spark_may_answer_otherwise_is_never_left_alone(spark_project: ProjectFolder, text: str):
    spark_project.write({"project.yml": "name: test\n"})
    built(spark_project, Attack(f"select v, {text} as x from {UP}"))

    spark_project.fft("run", "--cache", "rw")

    assert strategy(spark_project) != "unchanged"


EVERYDAY = """
with named as (select k, v, case when v > 10 then 'many' else 'few' end as kind from {{ ref('up') }}),
counted as (select kind, count(*) as n, sum(v) as total, min(v) as least, avg(v) as mean from named group by kind)
select upper(kind) as kind, n, cast(total as decimal(18, 2)) as total, coalesce(least, 0) as least,
    round(cast(mean as decimal(18, 4)), 2) as mean, row_number() over (order by kind) as place,
    concat(kind, '-', n) as label, extract(year from date '2026-01-01') as year, substring(kind, 1, 2) as short,
    date_trunc('month', timestamp '2026-01-15 10:00:00') as month, replace(kind, 'a', 'b') as other,
    nullif(n, 1) as few,
    lag(n) over (partition by kind order by n) as before, greatest(n, 1) as most, trim(kind) as trimmed
from counted where kind in ('many', 'few') and total between 0 and 100 and kind like '%e%'
"""


@pytest.mark.engine("postgres")
@pytest.mark.parametrize(
    "text", ["d::date", "max(d)::timestamp", "(d + interval '1 day')::date", "to_date(s::text, 'YYYY')"]
)
def test_a_cast_of_what_is_no_text_is_left_alone(postgres_project: ProjectFolder, text: str):
    postgres_project.write({"project.yml": "name: test\n"})
    seed = "k,d,s\n1,2026-01-01 10:00:00,2026\n"
    built(postgres_project, Attack(f"select {text} as x from {UP} group by d, s", seed=seed))

    assert strategy(postgres_project) == "unchanged"


def test_everyday_sql_is_left_alone(each_project: ProjectFolder):
    each_project.write({"project.yml": "name: test\n"})
    built(each_project, Attack(EVERYDAY))

    assert strategy(each_project) == "unchanged"


def strategy(project: ProjectFolder) -> str:
    results = json.loads((project.folder / "target" / "run_results.json").read_text())
    (found,) = (step["outcome"]["strategy"] for step in results["steps"] if step["name"] == "t")
    return str(found)
