"""Python models: what their functions may take and give, and how their inputs are found."""

from __future__ import annotations

import json
import sys

import pytest

from fastflowtransform import engines
from tests.conftest import ProjectFolder

HEAD = "import ibis\nimport ibis.expr.types as ir\nfrom fastflowtransform import engine_model, model\n\n"
NUMBERS = {
    "models/numbers.ff.sql": "{{ config(materialized='table') }}\n"
    "select cast(i as bigint) as n, 'x' || i as t from (values (0), (1), (2)) r(i)"
}


@pytest.fixture
def project(each_project: ProjectFolder) -> ProjectFolder:
    """An empty project on each engine in turn."""
    return each_project


def run(project: ProjectFolder, body: str, **files: str) -> None:
    project.write({**NUMBERS, **files, "models/m.ff.py": HEAD + body})
    answer = project.fft("run")
    assert answer.code == 0, answer.err


def test_arguments_are_found_by_their_names_where_deps_are_left_out(project: ProjectFolder):
    run(project, "@model\ndef m(numbers: ir.Table) -> ir.Table:\n    return numbers.filter(numbers.n > 0)\n")

    assert project.sql("SELECT n FROM m ORDER BY n") == [(1,), (2,)]


def test_deps_give_the_arguments_in_their_order_sources_among_them(project: ProjectFolder):
    project.sql("CREATE TABLE names AS SELECT 1 AS n, 'one' AS label")
    run(
        project,
        "@model(deps=['numbers.ff', 'source:raw.labels'])\n"
        "def m(a, b):\n    return a.join(b, a.n == b.n).select(a.n, b.label)\n",
        **{"sources.yml": "sources: [{name: raw, tables: [{name: labels, identifier: names}]}]"},
    )

    assert project.sql("SELECT * FROM m") == [(1, "one")]


def test_a_join_is_a_table(project: ProjectFolder):
    run(project, "@model(deps=['numbers', 'numbers'])\ndef m(a, b):\n    return a.join(b.view(), 'n')\n")

    assert len(project.sql("SELECT * FROM m")) == 3


def test_any_number_of_arguments_is_taken(project: ProjectFolder):
    run(
        project,
        "@model(deps=['numbers', 'numbers2'])\ndef m(*tables):\n    return ibis.union(*tables)\n",
        **{"models/numbers2.ff.sql": "select 9::bigint as n, 'y' as t"},
    )

    assert len(project.sql("SELECT * FROM m")) == 4


FRAMES = {
    "pandas": "import pandas as pd\n\n@model(materialized='table')\n"
    "def m(numbers: pd.DataFrame) -> pd.DataFrame:\n    return numbers.assign(n=numbers.n * 2)\n",
    "polars": "import polars as pl\n\n@model(materialized='table')\n"
    "def m(numbers: pl.DataFrame) -> pl.DataFrame:\n    return numbers.with_columns(n=pl.col('n') * 2)\n",
    "a lazy polars frame": "import polars as pl\n\n@model(materialized='table', frame='polars')\n"
    "def m(numbers):\n    return numbers.lazy().with_columns(n=pl.col('n') * 2)\n",
    "arrow": "import pyarrow as pa\nimport pyarrow.compute as pc\n\n@model(materialized='table')\n"
    "def m(numbers: 'pa.Table') -> 'pa.Table':\n    return numbers.set_column(0, 'n', pc.multiply(numbers['n'], 2))\n",
}


@pytest.mark.parametrize("body", FRAMES.values(), ids=FRAMES)
def test_a_function_gets_and_gives_the_kind_of_table_that_it_asks_for(project: ProjectFolder, body: str):
    run(project, body)

    assert project.sql("SELECT n, t FROM m ORDER BY n") == [(0, "x0"), (2, "x1"), (4, "x2")]


def test_a_project_can_set_the_kind_for_functions_that_do_not_say(project: ProjectFolder):
    project.write({"project.yml": "name: test\ndialect: duckdb\nframe: pandas\n"})
    run(project, "@model(materialized='table')\ndef m(numbers):\n    return numbers.assign(n=numbers.n + 1)\n")

    assert len(project.sql("SELECT * FROM m")) == 3


def test_large_integers_with_nulls_keep_their_digits_in_pandas(project: ProjectFolder):
    run(
        project,
        "@model(materialized='table', frame='pandas', deps=['big'])\ndef m(big):\n    return big\n",
        **{"models/big.ff.sql": "select * from (values (9007199254740993), (null)) r(n)"},
    )

    assert project.sql("SELECT n FROM m ORDER BY n") == [(9007199254740993,), (None,)]


def test_a_dataframe_model_can_be_incremental(project: ProjectFolder):
    body = (
        "@model(materialized='incremental', unique_key='n', updated_at='n2', frame='polars')\n"
        "def m(numbers):\n    return numbers.with_columns(n2=numbers['n'])\n"
    )
    run(project, body)
    answer = project.fft("run")

    assert answer.code == 0, answer.err
    assert len(project.sql("SELECT * FROM m")) == 3


def test_the_plan_shows_where_rows_leave_the_warehouse(project: ProjectFolder):
    run(project, FRAMES["polars"])

    assert "rows pass through polars" in project.fft("plan").out


@pytest.mark.never("postgres", "spark", reason="the variant is the one for DuckDB")
def test_only_the_variant_of_the_engine_at_hand_is_built(project: ProjectFolder):
    body = "\n".join(
        f"@engine_model(only={only}, name='m', materialized='table')\n"
        f"def build_{number}(numbers):\n    return numbers.mutate(engine=ibis.literal({number}))\n"
        for number, only in enumerate(["'postgres'", "['duckdb', 'sqlite']", "'databricks_spark'"])
    )
    run(project, body)

    assert project.sql("SELECT DISTINCT engine FROM m") == [(1,)]


@pytest.mark.never("spark", reason="it has no information_schema")
def test_an_ephemeral_model_stands_nowhere_and_is_taken_in_by_both_kinds(project: ProjectFolder):
    run(
        project,
        "@model(materialized='ephemeral')\ndef e(numbers): return numbers.filter(numbers.n > 0)\n\n"
        "@model(materialized='table')\ndef m(e, e2): return e.union(e2)\n",
        **{
            "models/e2.ff.sql": "{{ config(materialized='ephemeral') }} select * from {{ ref('e') }} where n > 1",
            "models/s.ff.sql": "with x as (select * from {{ ref('e2') }}) "
            "select x.n, e.t from x join {{ ref('e') }} as e on e.n = x.n",
        },
    )

    assert project.sql("SELECT n FROM m ORDER BY n") == [(1,), (2,), (2,)]
    assert project.sql("SELECT * FROM s") == [(2, "x2")]
    assert project.sql("SELECT count(*) FROM information_schema.tables WHERE table_name IN ('e', 'e2')") == [(0,)]


def test_models_share_functions_through_the_projects_folder(project: ProjectFolder):
    run(
        project,
        "from shared_functions.doubling import double\n\n@model\ndef m(numbers): return double(numbers)\n",
        **{"shared_functions/doubling.py": "def double(table):\n    return table.mutate(n=table.n * 2)\n"},
    )

    assert project.sql("SELECT max(n) FROM m") == [(4,)]


def test_nothing_is_collected_on_the_way_of_an_ibis_model(project: ProjectFolder, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise AssertionError("rows left the warehouse")

    for engine in engines.names():
        monkeypatch.setattr(engines.find(engine), "batches", refuse)

    run(project, "@model(materialized='table')\ndef m(numbers): return numbers.mutate(n=numbers.n * 2)\n")


BAD_RESULTS = {
    "mixed types": "pandas.DataFrame({'x': [1, 'a', object()]})",
    "two columns of one name": "pandas.DataFrame([[1, 2]], columns=['x', 'X'])",
    "no columns": "pandas.DataFrame()",
}


@pytest.mark.parametrize("result", BAD_RESULTS.values(), ids=BAD_RESULTS)
def test_a_dataframe_that_is_no_table_fails_its_model_only(project: ProjectFolder, result: str):
    body = f"import pandas\n\n@model(materialized='table', frame='pandas')\ndef m(numbers): return {result}\n"
    project.write({**NUMBERS, "models/m.ff.py": HEAD + body})

    answer = project.fft("run")

    assert answer.code == 1
    assert answer.err.startswith("M221 ")
    assert "1 ok, 1 failed" in answer.out


def test_rows_that_fail_on_their_way_to_a_dataframe_fail_the_model_only(project: ProjectFolder):
    body = "@model(materialized='table', frame='pandas')\ndef m(broken): return broken\n"
    late = "select case when i = 4999999 then cast('late' || i as integer) else 0 end as x from range(5000000) r(i)"
    project.write({"models/broken.ff.sql": late, "models/m.ff.py": HEAD + body})

    answer = project.fft("run")

    assert answer.err.startswith("E100 m: ")


def test_a_table_of_another_connection_is_refused(project: ProjectFolder):
    body = (
        "@model(materialized='table')\ndef m():\n    other = ibis.duckdb.connect()\n"
        "    return other.create_table('t', schema={'x': 'int'})\n"
    )
    project.write({"models/m.ff.py": HEAD + body})

    assert 'returned a table of another connection, "t"' in project.fft("run").err


def test_rows_that_python_holds_are_no_view_and_may_be_ephemeral(project: ProjectFolder):
    project.write({"models/m.ff.py": HEAD + "@model\ndef m(): return ibis.memtable({'x': [1]})\n"})
    assert "M221 " in project.fft("run").err

    run(
        project,
        "@model(materialized='ephemeral')\ndef m(): return ibis.memtable({'x': [1]})\n",
        **{"models/s.ff.sql": "{{ config(materialized='table') }} select * from {{ ref('m') }}"},
    )
    assert project.sql("SELECT * FROM s") == [(1,)]


def test_an_own_cte_does_not_hide_an_ephemeral_model_of_its_name(project: ProjectFolder):
    run(
        project,
        "@model(materialized='ephemeral')\ndef e(numbers): return numbers\n\n@model\ndef m(numbers): return numbers\n",
        **{
            "models/s.ff.sql": "with e as (select 100 as n), g as (select * from {{ ref('e') }}) "
            "select max(n) as n from g"
        },
    )

    assert project.sql("SELECT * FROM s") == [(2,)]


def test_what_is_below_a_failed_model_by_way_of_an_ephemeral_one_is_skipped(project: ProjectFolder):
    project.write(
        {
            "models/a.ff.sql": "{{ config(materialized='table') }} select cast('no' || (select 1) as integer) as x",
            "models/e.ff.sql": "{{ config(materialized='ephemeral') }} select * from {{ ref('a') }}",
            "models/c.ff.sql": "select * from {{ ref('e') }}",
        }
    )

    assert 'skipped because "a" failed: c' in project.fft("run", "--select", "a c").out


@pytest.mark.never("spark", reason="Spark's analyser copies a WITH for each of its readers", run=False)
def test_ephemeral_models_that_read_each_other_twice_stay_small(project: ProjectFolder):
    files = {
        f"models/e{n}.ff.sql": "{{ config(materialized='ephemeral') }} "
        f"select a.n from {{{{ ref('e{n - 1}') }}}} a join {{{{ ref('e{n - 1}') }}}} b on a.n = b.n"
        for n in range(1, 30)
    }
    files["models/e0.ff.sql"] = "{{ config(materialized='ephemeral') }} select 1 as n"
    files["models/top.ff.sql"] = "{{ config(materialized='view') }} select * from {{ ref('e29') }} limit 0"
    project.write(files)

    assert project.fft("compile", "--select", "top").code == 0
    assert len((project.folder / "target/compiled/top.sql").read_text()) < 10_000


def test_what_pandas_groups_by_is_a_column(project: ProjectFolder):
    # issue 18: the index was dropped, without a word.
    run(
        project,
        "@model(materialized='table', frame='pandas')\ndef m(numbers): return numbers.groupby('t')[['n']].sum()\n",
    )

    assert project.sql("SELECT t, n FROM m ORDER BY t") == [("x0", 0), ("x1", 1), ("x2", 2)]


PRICES = "{{ config(materialized='table') }} select cast('1.5' as decimal(10, 2)) as price, 'x' as label, 1 as id"


@pytest.mark.parametrize("above", [0, 1])
def test_columns_have_the_types_of_the_input_whether_there_are_rows_or_not(project: ProjectFolder, above: int):
    # issue 18: on a day without rows, text became an integer, and a decimal's digits were those of the day.
    run(
        project,
        "@model(materialized='table', frame='pandas')\n"
        f"def m(prices): return prices[prices.id > {above}].astype(object)\n",
        **{
            "models/prices.ff.sql": PRICES,
            "models/same.ff.sql": "select upper(label) as t from {{ ref('m') }} where label like 'x%' "
            "union all select upper(label) from {{ ref('prices') }}",
            "models/m.yml": "models: [{name: m, contract: warn, columns: [{name: price, type: 'decimal(10, 2)'}, "
            "{name: label, type: string}, {name: id, type: [int32, int64]}]}]",
        },
    )

    assert "contract" not in project.fft("run", "--select", "m").out


def test_a_quiet_day_does_not_change_a_type_of_the_table(project: ProjectFolder):
    body = (
        "import pandas as pd\nfrom decimal import Decimal\n\n"
        "@model(materialized='incremental', unique_key='n', frame='pandas', deps=['numbers'])\n"
        "def m(numbers):\n"
        "    return pd.DataFrame({'n': numbers.n, 'cost': [%s] * 3, 'day': pd.Series([%s] * 3, dtype=object)})\n"
    )
    run(project, body % ("Decimal('12345.25')", "pd.Timestamp('2026-01-01').date()"))
    run(project, body % ("Decimal('1')", "None"))
    run(project, body % ("None", "None"))

    assert project.sql("SELECT n, cost, day FROM m ORDER BY n") == [(0, None, None), (1, None, None), (2, None, None)]


MISSING = {
    "M223": "@model(materialized='table', frame='polars')\ndef m(numbers): return numbers\n",
    "M102": "import polars\n\n@model(materialized='table')\ndef m(numbers): return numbers\n",
    "M220": "@model(materialized='table', frame='pandas')\ndef m(numbers):\n    import polars\n",
}


@pytest.mark.parametrize(("code", "body"), MISSING.items(), ids=["asked for", "imported above", "imported inside"])
def test_a_package_that_is_not_installed_is_named(
    project: ProjectFolder, monkeypatch: pytest.MonkeyPatch, code: str, body: str
):
    monkeypatch.setitem(sys.modules, "polars", None)
    project.write({**NUMBERS, "models/m.ff.py": HEAD + body})

    answer = project.fft("run")

    assert answer.err.startswith(f"{code} ")
    assert "polars" in answer.err
    assert "pip install polars" in answer.err
    assert "models/m.ff.py:" in answer.err


ODD_DECORATORS = {
    "@model('x')\ndef m(): pass\n": 'takes its settings by name, and is given "x"',
    "@model('x', 'y')\ndef m(): pass\n": 'takes its settings by name, and is given "x"',
    "@model(name=3)\ndef m(): pass\n": 'the name of a model is "3"',
    "@model(name=' ')\ndef m(): pass\n": 'the name of a model is " "',
    "@model\nclass M: pass\n": 'is "M", a class, and should be a function',
    "m = model(print)\n": 'is "print", of the type "builtin_function_or_method"',
    "m = model(lambda: None)\n": "is marked as a model without a name",
    "@model\nasync def m(): pass\n": 'is "m", a coroutine',
    "@model\ndef m(): yield 1\n": 'is "m", a generator',
    "@model(name='n')\n@model\ndef m(): pass\n": "is marked as a model twice",
    "@engine_model\ndef m(): pass\n": "@engine_model needs only",
    "@engine_model(only=3)\ndef m(): pass\n": 'and has "3"',
    "@engine_model(only='duckbd')\ndef m(): pass\n": 'names the engine "duckbd"',
}


@pytest.mark.parametrize(("body", "message"), ODD_DECORATORS.items())
def test_a_decorator_that_cannot_be_meant_is_told_with_its_line(project: ProjectFolder, body: str, message: str):
    project.write({"models/m.ff.py": HEAD + body})

    answer = project.fft("list")

    assert answer.code == 2
    assert answer.err.startswith("M102 ")
    assert message in answer.err
    assert "models/m.ff.py:5" in answer.err


def test_what_a_model_prints_is_no_event(project: ProjectFolder):
    body = "print('read')\n\n@model(materialized='table')\ndef m(numbers):\n    print('run')\n    return numbers\n"
    project.write({**NUMBERS, "models/m.ff.py": HEAD + body})

    answer = project.fft("run", "--json")

    assert [json.loads(line)["event"] for line in answer.out.splitlines()][-1] == "finished"
    assert answer.err == "read\nrun\n"


def test_a_column_that_a_library_cannot_take_is_no_defect(project: ProjectFolder):
    body = "@model(materialized='table', frame='polars', deps=['spans'])\ndef m(spans): return spans\n"
    project.write({"models/spans.ff.sql": "select interval '1' month as span", "models/m.ff.py": HEAD + body})

    answer = project.fft("run")

    # Spark has no equal of DuckDB's intervals, and is not asked.
    assert answer.code in (0, 1) or answer.err.startswith("M130 ")
    assert "C900" not in answer.err
