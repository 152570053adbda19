"""What a user can get wrong: each mistake is one short block with a code, the value, the place and a hint."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from tests.conftest import PROFILES, ProjectFolder

SELECT = "select 1 as id, timestamp '2026-01-01' as ts"
KEYED = "materialized='incremental', unique_key='id', updated_at='ts'"


def sql(config: str = "", select: str = SELECT) -> str:
    return f"{{{{ config({config}) }}}}\n{select}\n"


def python(body: str, decorator: str = "@model(materialized='table')") -> str:
    return f"import ibis\nfrom fastflowtransform import engine_model, model\n\n{decorator}\n{body}\n"


# Each case: files, the code, a part of the message, the place, and a part of the hint.
CASES: dict[str, tuple[dict[str, str], str, str, str, str]] = {
    "an unknown profile": (
        {"profiles.yml": "dve: {engine: duckdb}"},
        "P110",
        'there is no profile "dev"',
        "profiles.yml:1",
        'did you mean "dve"?',
    ),
    "a profile without an engine": (
        {"profiles.yml": "dev:\n  engin: duckdb\n"},
        "P103",
        'profile "dev" has no "engine"',
        "profiles.yml:2",
        'rename "engin" to "engine"',
    ),
    "an engine that is not installed": (
        {"profiles.yml": "dev:\n  engine: duckbd\n"},
        "P113",
        'there is no engine "duckbd"',
        "profiles.yml:2",
        'did you mean "duckdb"?',
    ),
    "a path that is missing": (
        {"profiles.yml": "dev:\n  engine: duckdb\n  duckdb: {schema: x}\n"},
        "P103",
        'has no "path"',
        "profiles.yml:3",
        "",
    ),
    "an unknown key of the engine": (
        {"profiles.yml": "dev:\n  engine: duckdb\n  duckdb:\n    path: w.duckdb\n    thread: 2\n"},
        "P102",
        'unknown key "thread"',
        "profiles.yml:5",
        'did you mean "threads"?',
    ),
    "an unset variable of the environment": (
        {"profiles.yml": "dev:\n  engine: duckdb\n  duckdb:\n    path: \"{{ env('NOT_SET') }}\"\n"},
        "P111",
        '"NOT_SET" is not set',
        "profiles.yml:4",
        "give a default",
    ),
    "Jinja in YAML without quotes": (
        {"profiles.yml": "dev:\n  engine: {{ env('E') }}\n"},
        "P101",
        "not valid YAML",
        "profiles.yml:2",
        "into quotes",
    ),
    "an unknown key of project.yml": (
        {"project.yml": "name: x\nvar: {a: 1}\n"},
        "P102",
        'project.yml has an unknown key "var"',
        "project.yml:2",
        'did you mean "vars"?',
    ),
    "a YAML syntax error": (
        {"project.yml": "name: x\nvars: [1, 2\n"},
        "P101",
        "not valid YAML",
        "project.yml:3",
        "",
    ),
    "a key that stands twice": (
        {"project.yml": "name: x\nname: y\n"},
        "P101",
        '"name" stands here twice',
        "project.yml:2",
        "",
    ),
    "a project without a name": ({"project.yml": ""}, "P103", 'project.yml has no "name"', "project.yml:1", ""),
    "a wrong kind of value": (
        {"project.yml": "name: x\nvars: 3\n"},
        "P104",
        '"3", which is not a mapping',
        "project.yml:2",
        "",
    ),
    "a line of .env that is no assignment": (
        {".env": "A=1\nwhat is this\n"},
        "P112",
        "not an assignment",
        ".env:2",
        "NAME=value",
    ),
    "a file that is not UTF-8": ({"models/a.ff.sql": ""}, "P114", '"0xff" is not UTF-8', "models/a.ff.sql:2", "UTF-8"),
    "an unknown key of sources.yml": (
        {"sources.yml": "sources:\n  - name: raw\n    table: []\n"},
        "P102",
        'unknown key "table"',
        "sources.yml:3",
        'did you mean "tables"?',
    ),
    "a ref to a file that is no model": (
        {"models/b.sql": "select 1", "models/a.ff.sql": "select * from {{ ref('b') }}"},
        "G101",
        '"a" refers to "b", which is not in this project',
        "models/a.ff.sql:1",
        '"models/b.sql" is no model: rename it to "b.ff.sql"',
    ),
    "a Python file that ends the process": (
        {"models/a.ff.py": "raise SystemExit(0)\n"},
        "M102",
        'loading the file raised SystemExit: "0"',
        "models/a.ff.py:1",
        "",
    ),
    "a timeout that never comes": (
        {"models/a.ff.sql": sql("timeout=1e400")},
        "P104",
        "more than 0 seconds",
        "models/a.ff.sql:1",
        "",
    ),
    "an unknown key of a model's YAML": (
        {"models/a.ff.sql": sql(), "models/m.yml": "models:\n  - name: a\n    colums: []\n"},
        "P102",
        'unknown key "colums"',
        "models/m.yml:3",
        'did you mean "columns"?',
    ),
    "YAML for a model that is not there": (
        {"models/events.ff.sql": sql(), "models/m.yml": "models:\n  - name: event\n"},
        "G101",
        '"event" is not in this project',
        "models/m.yml:2",
        'did you mean "events"?',
    ),
    "an unknown check": (
        {"models/a.ff.sql": sql(), "project.yml": "name: x\ntests:\n  - {type: uniqe, model: a, column: id}\n"},
        "P104",
        'there is no check "uniqe"',
        "project.yml:3",
        'did you mean "unique"?',
    ),
    "a check that names no model": (
        {
            "models/a.ff.sql": sql(),
            "project.yml": "name: x\ntests:\n  - {type: relationships, model: a, column: id, to: b, field: id}\n",
        },
        "G101",
        'names "b", which is not in this project',
        "project.yml:3",
        "",
    ),
    "a typo in meta": (
        {"models/a.ff.sql": sql("meta={'incremental': True, 'uniqe_key': ['id'], 'updated_at': 'ts', 'owner': 'x'}")},
        "P102",
        'has an unknown key "uniqe_key"',
        "models/a.ff.sql:1",
        'did you mean "unique_key"?',
    ),
    "a lookback beside an own delta": (
        {"models/a.ff.sql": sql(KEYED + ", lookback='1 day'", "select 1 as id, {{ is_incremental() }} as ts")},
        "P104",
        '"a" has a lookback, and a delta of its own',
        "models/a.ff.sql:1",
        "",
    ),
    "one macro twice": (
        {
            "models/macros/a.sql": "{% macro m() %}{% endmacro %}",
            "models/macros/b.sql": "{% macro m() %}{% endmacro %}",
        },
        "M101",
        'the macro "m" is defined twice',
        "models/macros/b.sql:1",
        "",
    ),
    "a macro with the name of a function": (
        {"models/macros/a.sql": "{% macro ref() %}{% endmacro %}"},
        "M101",
        'a macro is called "ref"',
        "models/macros/a.sql:1",
        "",
    ),
    "one source table twice": (
        {"sources.yml": "sources:\n  - name: raw\n    tables:\n      - name: a\n      - {name: a, identifier: b}\n"},
        "M101",
        '"raw.a" is defined twice',
        "sources.yml:5",
        "",
    ),
    "a seed that is the table of a model": (
        {
            "models/m.ff.sql": sql(),
            "seeds/s.csv": "a\n1\n",
            "seeds/schema.yml": "seeds: [{name: s, table: M}]",
        },
        "M101",
        'would both be the table "demo.M"',
        "seeds/s.csv",
        "",
    ),
    "settings of config() without names": (
        {"models/a.ff.sql": "\n{{ config('table') }} select 1"},
        "M100",
        "config() takes its settings by name",
        "models/a.ff.sql:2",
        "",
    ),
    "a ref() of nothing": ({"models/a.ff.sql": "{{ ref() }}"}, "M100", "ref() takes the name", "models/a.ff.sql:1", ""),
    "a macro without an end": (
        {"models/macros/a.sql": "{% macro m() %}{{ m() }}{% endmacro %}", "models/a.ff.sql": "select {{ m() }}"},
        "M100",
        "called at ",
        "models/macros/a.sql:1",
        "",
    ),
    "settings for a model that is not there": (
        {
            "models/events.ff.sql": sql(),
            "project.yml": "name: x\nmodels:\n  incremental:\n    event: {unique_key: id}\n",
        },
        "G101",
        '"event" is not in this project',
        "project.yml:4",
        'did you mean "events"?',
    ),
    "Jinja that cannot be parsed": (
        {"models/a.ff.sql": "select 1\n{% if %}\n"},
        "M100",
        "not valid Jinja",
        "models/a.ff.sql:2",
        "",
    ),
    "a name that Jinja does not know": (
        {"models/a.ff.sql": "select 1\nfrom {{ reff('a') }}\n"},
        "M100",
        '"reff" is undefined',
        "models/a.ff.sql:2",
        'did you mean "ref"?',
    ),
    "an unknown variable": (
        {"models/a.ff.sql": "select {{ var('dya') }}", "project.yml": "name: x\nvars: {day: 1}\n"},
        "P111",
        'the variable "dya" is not set',
        "models/a.ff.sql:1",
        'did you mean "day"?',
    ),
    "an unknown key of config()": (
        {"models/a.ff.sql": "\n" + sql("materialised='table'")},
        "P102",
        'config() of "a" has an unknown key "materialised"',
        "models/a.ff.sql:2",
        'did you mean "materialized"?',
    ),
    "an unknown materialization": (
        {"models/a.ff.sql": sql("materialized='tabel'")},
        "P104",
        '"materialized" of config() of "a" is "tabel"',
        "models/a.ff.sql:1",
        'did you mean "table"?',
    ),
    "a misspelt mode": (
        {"models/a.ff.sql": sql(KEYED + ", on_schema_change='append_columns'")},
        "P104",
        'is "append_columns"',
        "models/a.ff.sql:1",
        "append_new_columns",
    ),
    "a lookback that is no duration": (
        {"models/a.ff.sql": sql(KEYED + ", lookback='soon'")},
        "P104",
        '"soon", which is not a duration',
        "models/a.ff.sql:1",
        "1 hour",
    ),
    "a lookback without a key": (
        {"models/a.ff.sql": sql("materialized='incremental', updated_at='ts', lookback='1 day'")},
        "P104",
        "without updated_at and unique_key",
        "models/a.ff.sql:1",
        "",
    ),
    "an incremental setting on a table": (
        {"models/a.ff.sql": sql("materialized='table', unique_key='id'")},
        "P104",
        '"a" sets "unique_key", but is materialized as "table"',
        "models/a.ff.sql:1",
        "incremental",
    ),
    "nothing that makes a model incremental": (
        {"models/a.ff.sql": sql("materialized='incremental'")},
        "P104",
        "neither unique_key nor updated_at",
        "models/a.ff.sql:1",
        "set",
    ),
    "two spellings that disagree": (
        {
            "models/a.ff.sql": sql(KEYED),
            "project.yml": "name: x\nmodels:\n  incremental:\n    a:\n      unique_key: idd\n",
        },
        "M103",
        '"a" has "unique_key" as "id" at',
        "project.yml:5",
        "keep one of the two",
    ),
    "a missing delta file": (
        {"models/a.ff.sql": sql(KEYED + ", delta_config='config/a.yml'")},
        "M104",
        '"config/a.yml", which is not a file',
        "models/a.ff.sql:1",
        "relative to the project's folder",
    ),
    "an unknown ref": (
        {"models/events.ff.sql": sql(), "models/b.ff.sql": "select *\nfrom {{ ref('evnts') }}"},
        "G101",
        '"b" refers to "evnts", which is not in this project',
        "models/b.ff.sql:2",
        'did you mean "events"?',
    ),
    "an unknown ref in a delta": (
        {"models/a.ff.sql": "{{ config(" + KEYED + ",\n  delta_sql=\"select *\n from {{ ref('b') }}\") }}\n" + SELECT},
        "G101",
        '"a" refers to "b"',
        "models/a.ff.sql:3",
        "",
    ),
    "an unknown source": (
        {
            "sources.yml": "sources: [{name: raw, tables: [{name: events}]}]",
            "models/b.ff.sql": "select * from {{ source('raw', 'event') }}",
        },
        "G102",
        '"b" reads the source "raw.event"',
        "models/b.ff.sql:1",
        'did you mean "raw.events"?',
    ),
    "a model that is for other engines": (
        {
            "models/a.ff.py": python("def a(): return ibis.memtable({'x': [1]})", "@engine_model(only='postgres')"),
            "models/b.ff.sql": "select * from {{ ref('a') }}",
        },
        "G101",
        '"b" refers to "a", which is for other engines: postgres',
        "models/b.ff.sql:1",
        "",
    ),
    "a cycle": (
        {
            "models/a.ff.sql": "select * from {{ ref('b') }}",
            "models/b.ff.sql": "select * from {{ ref('c') }}",
            "models/c.ff.sql": "select * from {{ ref('a') }}",
        },
        "G103",
        "a -> b -> c -> a",
        "models/a.ff.sql:1",
        "",
    ),
    "two models of one name": (
        {"models/x/a.ff.sql": sql(), "models/y/A.ff.sql": sql()},
        "M101",
        "is defined twice",
        "models/y/A.ff.sql:1",
        "rename",
    ),
    "a Python file that is not Python": (
        {"models/a.ff.py": "def a(:\n"},
        "M102",
        "not valid Python",
        "models/a.ff.py:1",
        "",
    ),
    "a Python file that raises": (
        {"models/a.ff.py": "import no_such_module\n"},
        "M102",
        "No module named 'no_such_module'",
        "models/a.ff.py:1",
        "",
    ),
    "a Python file without a model": (
        {"models/a.ff.py": "x = 1\n"},
        "M102",
        "no function in this file",
        "models/a.ff.py:1",
        "@model",
    ),
    "deps that do not fit the function": (
        {"models/a.ff.py": python("def a(x, y): return x", "@model(deps=['b'])")},
        "M102",
        '"a" takes 2 tables, and deps names 1',
        "models/a.ff.py:4",
        "one argument",
    ),
    "annotations of two kinds": (
        {
            "models/a.ff.py": "import pandas as pd\nimport polars as pl\n"
            + python("def a(x: pd.DataFrame) -> pl.DataFrame: ...")
        },
        "M102",
        "several kinds of table: pandas, polars",
        "models/a.ff.py:6",
        "",
    ),
}


@pytest.mark.parametrize(("files", "code", "message", "place", "hint"), CASES.values(), ids=CASES)
def test_a_mistake_is_told_with_its_code_value_place_and_hint(
    project: ProjectFolder, files: dict[str, str], code: str, message: str, place: str, hint: str
):
    project.write(files)
    if code == "P114":
        (project.folder / "models/a.ff.sql").write_bytes(b"select 1\n-- \xff\n")

    answer = project.fft("plan")

    first, at, *rest = answer.err.splitlines()
    assert answer.code == 2
    assert first.startswith(code)
    assert message in answer.err
    assert at.endswith(place)
    assert hint in "".join(rest)


# What can only be seen once the warehouse is asked: the model fails with exit code 1, and the rest is told.
FAILURES: dict[str, tuple[dict[str, str], str, str, str, str]] = {
    "SQL that the engine cannot parse": (
        {"models/a.ff.sql": "select 1 as x,\n  2 as y\nfrom from b\n"},
        "E100",
        "Parser Error",
        "models/a.ff.sql:3",
        "",
    ),
    "a column that is not there": (
        {"models/a.ff.sql": "select 1 as x", "models/b.ff.sql": "select\n  y\nfrom {{ ref('a') }}\n"},
        "E100",
        '"y" not found',
        "models/b.ff.sql:2",
        "",
    ),
    "a model of comments": (
        {"models/a.ff.sql": "-- select 1 as x\n"},
        "M105",
        "empty but for comments",
        "models/a.ff.sql:1",
        "write a SELECT",
    ),
    "an empty model": (
        {"models/a.ff.sql": "{# nothing #}\n;"},
        "M105",
        'the SQL of "a" is empty',
        "models/a.ff.sql:1",
        "",
    ),
    "a table that is not there": (
        {
            "sources.yml": "sources: [{name: raw, tables: [{name: e}]}]",
            "models/a.ff.py": python("def a(e): return e", "@model(deps=['source:raw.e'])"),
        },
        "E110",
        'there is no table or view "demo.e"',
        "models/a.ff.py:4",
        "",
    ),
    "a seed that is not loaded yet": (
        {"seeds/s.csv": "id\n1\n", "models/a.ff.sql": "select * from {{ ref('s') }}"},
        "E110",
        "s",
        "models/a.ff.sql:1",
        '"s" is a seed of this project: fft seed --select s',
    ),
    "a source that is not there": (
        {
            "sources.yml": "sources: [{name: raw, tables: [{name: gone}]}]",
            "models/a.ff.sql": "select * from {{ source('raw', 'gone') }}",
        },
        "E110",
        "gone",
        "models/a.ff.sql:1",
        '"raw.gone" is a source, declared at ',
    ),
    "a Python model that ends the process": (
        {"models/a.ff.py": python("def a():\n    raise SystemExit(0)")},
        "M220",
        '"a" raised SystemExit: "0"',
        "models/a.ff.py:6",
        "",
    ),
    "an error that cannot say what it is": (
        {
            "models/a.ff.py": "class Mute(Exception):\n    def __str__(self): raise ValueError\n"
            + python("def a(): raise Mute")
        },
        "M220",
        '"a" raised Mute: "<exception str() failed>"',
        "models/a.ff.py:7",
        "",
    ),
    "a key that the query does not have": (
        {
            "models/a.ff.sql": sql(
                "materialized='incremental', unique_key='evnt_id', updated_at='ts'", "select 1 as event_id, now() as ts"
            )
        },
        "M210",
        'unique_key names "evnt_id"',
        "models/a.ff.sql:1",
        'did you mean "event_id"?',
    ),
    "a cursor that the query does not have": (
        {"models/a.ff.sql": sql("materialized='incremental', unique_key='id', updated_at='tss'")},
        "M210",
        'updated_at names "tss"',
        "models/a.ff.sql:1",
        'did you mean "ts"?',
    ),
    "a cursor without an order": (
        {"models/a.ff.sql": sql(KEYED, "select 1 as id, [1, 2] as ts")},
        "M213",
        'updated_at names "ts", which is of type "array<int32>"',
        "models/a.ff.sql:1",
        "",
    ),
    "a Python model that raises": (
        {"models/a.ff.py": python("def a():\n    return {}['x']")},
        "M220",
        '"a" raised KeyError',
        "models/a.ff.py:6",
        "",
    ),
    "a Python model that returns no table": (
        {"models/a.ff.py": python("def a(): return 7")},
        "M221",
        '"a" returned "builtins.int", and should return an Ibis table',
        "models/a.ff.py:4",
        "",
    ),
    "a Python model that returns another kind": (
        {
            "models/a.ff.py": "import pandas as pd\n"
            + python("def a() -> 'pd.DataFrame': return ibis.memtable({'x': [1]})")
        },
        "M221",
        "should return a pandas DataFrame",
        "models/a.ff.py:5",
        "",
    ),
    "a DataFrame as a view": (
        {
            "models/a.ff.py": python(
                "def a() -> 'pandas.DataFrame':\n    import pandas\n    return pandas.DataFrame({'x': [1]})", "@model"
            )
        },
        "M221",
        "is a view, and its function gives rows",
        "models/a.ff.py:4",
        "materialized='table'",
    ),
}


@pytest.mark.parametrize(("files", "code", "message", "place", "hint"), FAILURES.values(), ids=FAILURES)
def test_a_failing_model_is_told_with_its_code_value_place_and_hint(
    project: ProjectFolder, files: dict[str, str], code: str, message: str, place: str, hint: str
):
    project.write(files)

    answer = project.fft("run")

    first, at, *rest = answer.err.splitlines()
    assert answer.code == 1
    assert first.startswith(code)
    assert message in answer.err
    assert at.endswith(place)
    assert hint in "".join(rest)


UNTRANSLATABLE: dict[str, tuple[dict[str, str], str, str, str, str]] = {
    "SQL of another dialect that cannot be parsed": (
        {"models/a.ff.sql": sql("dialect='postgres'", "select x\nfrom where")},
        "M105",
        'cannot parse the SQL as "postgres"',
        "models/a.ff.sql:3",
        "",
    ),
    "SQL that has no translation": (
        {"models/a.ff.sql": sql("dialect='bigquery'", "select from where")},
        "M105",
        'cannot parse the SQL as "bigquery"',
        "models/a.ff.sql:2",
        "",
    ),
    "two statements in one model": (
        {"models/a.ff.sql": sql("dialect='postgres'", "select 1; drop table a")},
        "M105",
        "one SELECT",
        "models/a.ff.sql:1",
        "",
    ),
}


@pytest.mark.parametrize(("files", "code", "message", "place", "hint"), UNTRANSLATABLE.values(), ids=UNTRANSLATABLE)
def test_sql_of_another_dialect_that_cannot_run_is_told_before_anything_runs(
    project: ProjectFolder, files: dict[str, str], code: str, message: str, place: str, hint: str
):
    project.write({**files, "models/other.ff.sql": "select 1 as x"})

    answer = project.fft("run")

    first, at, *rest = answer.err.splitlines()
    assert answer.code == 2
    assert first.startswith(code)
    assert message in answer.err
    assert at.endswith(place)
    assert hint in "".join(rest)
    assert project.sql("SELECT view_name FROM duckdb_views() WHERE NOT internal") == []


@pytest.mark.parametrize(
    "text", ["select 1 as x; drop table keep", "drop table keep", "insert into keep values (2)", "from keep; from keep"]
)
def test_only_one_select_is_run_and_nothing_else_is_even_sent(project: ProjectFolder, text: str):
    project.sql("CREATE TABLE keep AS SELECT 1 AS x")
    project.write({"models/a.ff.sql": text})

    answers = [project.fft("run"), project.fft("show", "a")]

    assert [answer.err.split()[0] for answer in answers] == ["M105", "M105"]
    assert project.sql("FROM keep") == [(1,)]


def test_a_delta_whose_columns_differ_is_told(project: ProjectFolder):
    project.write({"models/a.ff.sql": sql(KEYED + ", delta_sql='select 1 as id, 2 as x'")})
    project.fft("run")

    answer = project.fft("run")

    assert answer.code == 1
    assert 'M211 the delta of "a" differs from its query: lacks "ts", has "x" besides' in answer.err


def test_a_database_that_another_process_holds_is_told(project: ProjectFolder):
    project.write({"models/a.ff.sql": sql()})
    holder = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", holder, project.folder / "w.duckdb"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        answer = project.fft("run")
        process.communicate("")

    assert answer.code == 2
    assert answer.err.startswith("E102 ")
    assert f"in use by process {process.pid}" in answer.err


def test_a_file_that_is_no_database_is_told(project: ProjectFolder):
    (project.folder / "w.duckdb").write_text("not a database" * 1000)

    answer = project.fft("run")

    assert answer.code == 2
    assert answer.err.startswith("E103 ")


def test_a_path_that_cannot_be_a_database_is_told(project: ProjectFolder):
    (project.folder / "file").write_text("")
    project.write({"profiles.yml": PROFILES.replace("w.duckdb", "file/w.duckdb")})

    answer = project.fft("run")

    assert answer.code == 2
    assert answer.err.startswith("E101 ")


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/proc/sys").exists(), reason="root writes everywhere here")
def test_a_folder_that_cannot_be_written_to_is_told_before_anything_runs(project: ProjectFolder):
    project.write({"models/a.ff.sql": sql("materialized='table'"), "target": "a file where the folder should be"})

    answer = project.fft("run")

    assert answer.code == 2
    assert answer.err.startswith("P115 ")
    assert not (project.folder / "w.duckdb").exists()


def test_what_came_of_a_run_is_told_where_it_cannot_be_written(project: ProjectFolder):
    project.write({"models/a.ff.sql": "select 1 as x, from from", "target/manifest.json/in_the_way": ""})

    answer = project.fft("run")

    assert answer.code == 2
    assert answer.err.startswith("E100 ")
    assert 'P115 cannot write "manifest.json": "' in answer.err
    assert "1 failed" in answer.out


def test_a_file_whose_name_is_no_text_is_told(project: ProjectFolder):
    project.write({"models/a.ff.sql": "select 1 as x"})
    Path(os.fsdecode(os.fsencode(project.folder) + b"/models/lat\xe9.ff.sql")).write_text("select 1 as x")

    answer = project.fft("run")

    assert answer.code == 2
    assert answer.err.startswith('P114 the name "lat\\udce9.ff.sql" is not UTF-8\n')


def test_a_project_without_models_is_told_what_one_is(project: ProjectFolder):
    project.write({"models/orders.sql": "select 1 as x"})

    answer = project.fft("run")

    assert (answer.code, answer.err) == (0, "")
    assert "a model is a file such as models/orders.ff.sql" in answer.out


def test_a_folder_without_a_project_is_told(project: ProjectFolder):
    (project.folder / "project.yml").unlink()

    answer = project.fft("run")

    assert answer.code == 2
    assert answer.err.startswith("P100 there is no project.yml")


def test_a_name_that_is_too_long_for_a_file_still_fails_in_words(project: ProjectFolder):
    project.write({"models/a.ff.py": python("def a(): return 1", f"@model(name={'x' * 300!r})")})

    answer = project.fft("run")

    assert answer.code == 1
    assert answer.err.startswith("M221 ")


NASTY = ["a b", 'say "hi"', "O'Hara", "select", "Ünï-cödé", "x" * 200, "semi;colon", "per%cent", "{curly}", "a.b.c"]


@pytest.mark.parametrize("name", NASTY)
def test_any_name_can_be_a_model_and_a_column(project: ProjectFolder, name: str):
    project.write(
        {
            "models/nasty.ff.py": python(
                f"def build(): return ibis.memtable({{{name!r}: [1, 2], 'ts': [1, 2]}})",
                f"@model(name={name!r}, materialized='incremental', unique_key={name!r}, updated_at='ts')",
            ),
            "models/reader.ff.sql": f"select * from {{{{ ref({name!r}) }}}}",
        }
    )

    first, second = project.fft("run"), project.fft("run")

    assert (first.code, second.code) == (0, 0), first.err + second.err
    with duckdb.connect(str(project.folder / "w.duckdb")) as connection:
        assert connection.execute("SELECT count(*) FROM demo.reader").fetchone() == (2,)
