"""SQL models: what their templates see, which dialects they may be written in, and how errors find their line."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastflowtransform.errors import Location
from fastflowtransform.template import compile_template
from tests.conftest import ProjectFolder


def value(project: ProjectFolder, text: str, **files: str) -> object:
    """Run a model of one row and one column, and return the value."""
    project.write({**files, "models/m.ff.sql": text})
    answer = project.fft("run")
    assert answer.code == 0, answer.err
    ((found,),) = project.sql("FROM m")
    return found


def test_var_reads_the_projects_variables_and_a_default(project: ProjectFolder):
    files = {"project.yml": "name: test\nvars: {day: 7}\n"}

    assert value(project, "select {{ var('day') + var('other', 1) }}", **files) == 8


def test_vars_of_the_command_line_win(project: ProjectFolder):
    project.write({"project.yml": "name: test\nvars: {day: 7}\n", "models/m.ff.sql": "select {{ var('day') }}"})

    assert project.fft("run", "--vars", "day=8").code == 0
    assert project.sql("FROM m") == [(8,)]


def test_env_reads_the_environment(project: ProjectFolder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LIMIT", "3")

    assert value(project, "select {{ env('LIMIT') }} + {{ env('NOT_SET', '1') }}") == 4


def test_engine_is_a_name_and_a_question(project: ProjectFolder):
    text = "select '{{ engine }}{{ engine() }}{{ engine('duckdb', 'x') }}{{ engine == 'postgres' }}'"

    assert value(project, text) == "duckdbduckdbTrueFalse"


def test_this_knows_its_parts(project: ProjectFolder):
    assert value(project, "select '{{ this.schema }}/{{ this.name }}/{{ this }}'") == 'demo/m/"demo"."m"'


def test_macros_are_seen_everywhere_and_may_call_each_other_and_ref(project: ProjectFolder):
    macros = {
        "models/macros/a.sql": "{% macro twice(x) %}{{ once(x) }} + {{ once(x) }}{% endmacro %}",
        "models/macros/b.jinja": "{% macro once(x) %}{{ x }}{% endmacro %}"
        "{% macro from_base() %}from {{ ref('base') }}{% endmacro %}",
        "models/base.ff.sql": "select 4 as n",
    }

    assert value(project, "select {{ twice('n') }} {{ from_base() }}", **macros) == 8


def test_an_input_in_a_branch_that_is_not_taken_counts(project: ProjectFolder):
    project.write(
        {"models/a.ff.sql": "select 1", "models/m.ff.sql": "select 2 {% if false %}{{ ref('a') }}{% endif %}"}
    )

    assert '"upstream": ["a"]' in project.fft("list", "--json").out


def test_a_semicolon_and_comments_at_the_end_are_allowed(project: ProjectFolder):
    assert value(project, "select 1 -- one\n;\n  ;\n") == 1


def test_a_comment_on_the_last_line_is_allowed(project: ProjectFolder):
    assert value(project, "select 1 -- one") == 1


@pytest.mark.parametrize(
    ("dialect", "select"),
    [
        ("bigquery", "select array_length(split('a,b', ',')) as `n`"),
        ("postgres", "select (date_part('year', timestamp '2002-01-01') - 2000)::int as n"),
        ("snowflake", "select iff(1 = 1, 2, 3) as n"),
        ("spark", "select size(split('a,b', ',')) as n"),
        ("tsql", "select len('ab') as n"),
    ],
)
def test_a_model_may_be_written_in_another_dialect(project: ProjectFolder, dialect: str, select: str):
    assert value(project, f"{{{{ config(dialect='{dialect}') }}}} {select}") == 2


def test_a_project_may_be_written_in_another_dialect_and_its_names_are_quoted_in_it(project: ProjectFolder):
    files = {"project.yml": "name: test\ndialect: bigquery\n", "models/a.ff.sql": "select 2 as `the n`"}

    assert value(project, "select `the n` from {{ ref('a') }}", **files) == 2


OWN = {
    "from first": "from t select a",
    "pivot": "pivot t on b using sum(a)",
    "unpivot": "unpivot t on a, c into name n value v",
    "group by all": "select b, sum(a) as a from t group by all",
    "qualify": "select * from t qualify row_number() over (partition by b order by a) = 1",
    "columns": "select max(columns('a|c')) from t",
    "exclude and replace": "select * exclude (c) replace (a + 1 as a) from t",
    "lambda": "select list_transform([1, 2], lambda x: x + 1) as l",
    "struct": "select {'x': a, 'y': [a]} as s from t",
    "asof": "select t.a, u.c from t asof join t u on t.a >= u.c",
    "recursive": "with recursive r as (select 1 as n union all select n + 1 from r where n < 3) select * from r",
    "division": "select 7 / 2 as x, 7 // 2 as y, -7 % 3 as z, 2 ** 3 as w",
    "sample of all": "select count(*) as n from t using sample 100%",
    "order and limit": "select * from t order by a desc limit 1 -- the last",
    "values": "values (1, 'x'), (2, 'y')",
    "comprehension": "select [x * 2 for x in [1, 2, 3] if x > 1] as l",
    "positional": "select * from t positional join (select c as d from t)",
}


@pytest.mark.parametrize("kind", ["table", "view", "incremental"])
@pytest.mark.parametrize("select", OWN.values(), ids=OWN)
def test_the_engines_own_sql_gives_what_the_engine_gives_for_it(project: ProjectFolder, select: str, kind: str):
    project.sql("CREATE TABLE t AS SELECT * FROM (VALUES (1, 'x', 1), (2, 'y', 1), (3, 'x', 2)) v(a, b, c)")
    own = ", delta_sql='from t where false'" if kind == "incremental" else ""
    project.write({"models/m.ff.sql": f"{{{{ config(materialized='{kind}'{own}) }}}}\n{select}"})

    answer = project.fft("run")

    if kind == "view" and select.startswith("pivot"):
        # https://duckdb.org/docs/stable/sql/statements/pivot: not in a view, where the pivoted values are not named.
        assert "cannot be used in views" in answer.err
        return
    assert answer.code == 0, answer.err
    assert project.sql("SELECT * FROM m ORDER BY ALL") == project.sql(f"SELECT * FROM ({select}\n) ORDER BY ALL")


def test_a_schema_spelt_like_the_database_is_no_ambiguity(project: ProjectFolder):
    project.write(
        {
            "profiles.yml": "dev:\n  engine: duckdb\n  duckdb: {path: demo.duckdb, schema: demo}\n",
            "models/a.ff.sql": "{{ config(materialized='table') }} select 1 as n",
            "models/m.ff.sql": "select * from {{ ref('a') }}",
            "models/p.ff.py": "from fastflowtransform import model\n@model\ndef p(m): return m\n",
        }
    )

    answers = [project.fft("run").code for _ in range(2)]

    assert answers == [0, 0]


def test_an_error_in_an_expression_names_its_line():
    template = compile_template("line one\n{{ 1 + missing.part }}", Location(Path("m.ff.sql"), 10))

    with pytest.raises(Exception, match='"missing" is undefined') as caught:
        template.render({})

    assert caught.value.at == Location(Path("m.ff.sql"), 11)


def test_a_text_without_jinja_is_left_as_it_is():
    assert (
        compile_template("select '}' || '%' -- no braces", Location(Path("m"))).render({})
        == "select '}' || '%' -- no braces"
    )
