"""Unit tests of models: what passes, what fails and how it is shown, and what is wrong before anything runs."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
import yaml

from fastflowtransform.utest.reads import columns_read
from tests.conftest import Answer, ProjectFolder
from tests.processes import process

FCT = (
    "{{ config(materialized='incremental', unique_key='id', updated_at='ts') }} "
    "select id, ts, v * 10 as w from {{ ref('base') }}"
)
MODELS = {
    "sources.yml": "sources: [{name: raw, tables: [{name: events}]}]",
    "models/base.ff.sql": "select id, ts, v from {{ source('raw', 'events') }} where v is not null",
    "models/fct.ff.sql": FCT,
}
MERGE = """
    model: fct
    cases:
      - name: late row
        given:
          base:
            rows:
              - {id: 1, ts: 2026-01-02 10:00:00, v: 3}
              - {id: 2, ts: 2026-01-01 10:00:00, v: 4}
              - {id: 3, ts: 2026-01-01 09:59:59.999999, v: 5}
        this:
          rows: [{id: 1, ts: 2026-01-01 10:00:00, w: 10}, {id: 9, w: 90}]
        expect:
          rows:
            - {id: 9, w: 90}
            - {id: 2, ts: 2026-01-01 10:00:00, w: 40}
            - {id: 1, ts: 2026-01-02 10:00:00, w: 30}
"""


@pytest.fixture
def events(project: ProjectFolder) -> ProjectFolder:
    """A project with a view and an increment over a source, and no profile."""
    project.write(MODELS)
    (project.folder / "profiles.yml").unlink()
    return project


def utest(project: ProjectFolder, text: str, *arguments: str) -> Answer:
    """Run the unit tests of one file."""
    project.write({"tests/unit/a.yml": text})
    return project.fft("utest", *arguments)


def differing(project: ProjectFolder) -> list[tuple[object, ...]]:
    """Return what the results say is different, as key, column, expected and actual."""
    results = json.loads((project.folder / "target" / "run_results.json").read_text())
    return [tuple(cell.values()) for check in results["checks"] for cell in check.get("sample", ())]


def base(case: str) -> str:
    """Return a file with one case of the view `base`."""
    return f"model: base\ncases:\n  - name: a case\n    {case}\n"


def table(project: ProjectFolder, sql: str) -> None:
    """Make the model `base` a table of a SELECT."""
    project.write({"models/base.ff.sql": "{{ config(materialized='table') }} " + sql})


def test_a_merge_is_tested_without_a_parent_a_warehouse_or_a_profile(events: ProjectFolder):
    answer = utest(events, MERGE)

    assert (answer.code, answer.err) == (0, "")
    assert "1 ok" in answer.out
    assert not list(events.folder.glob("*.duckdb*"))


@pytest.mark.parametrize(
    ("old", "new", "cell"),
    [
        ("v * 10", "v * 11", ("id = 2", "w", "40", "44")),
        ("updated_at='ts'", "updated_at='ts', lookback='1 hour'", ("id = 3", "(row)", "no such row")),
        ("unique_key='id', ", "", ("id = 2", "(row)", "id = 2, w = 40, ts = 2026-01-01 10:00:00", "no such row")),
    ],
)
def test_a_merge_that_is_changed_fails_with_the_cell(events: ProjectFolder, old: str, new: str, cell: tuple[str, ...]):
    events.write({"models/fct.ff.sql": FCT.replace(old, new)})

    answer = utest(events, MERGE)

    assert answer.code == 1
    assert 'D310 "fct: late row" gives other rows than it expects' in answer.err
    assert re.search(r"at .*a\.yml:4\n", answer.err)
    assert cell in [found[: len(cell)] for found in differing(events)]


def test_a_failure_shows_each_cell_with_its_key_in_a_table(events: ProjectFolder):
    answer = utest(events, MERGE.replace("w: 30", "w: 31"))

    assert "key     column  expected  actual\nid = 1  w       31        30\n" in answer.out


def test_missing_and_unexpected_rows_are_shown(events: ProjectFolder):
    utest(events, base("given: {raw.events: [{id: 1, v: 1}]}\n    expect: [{id: 2, v: 5}]"))

    assert differing(events) == [
        ("id = 2", "(row)", "id = 2, v = 5", "no such row"),
        ("id = 1", "(row)", "no such row", "id = 1, v = 1"),
    ]


def test_without_a_key_rows_belong_together_by_a_column_that_could_be_one(events: ProjectFolder):
    table(events, "select v % 2 as odd, id, v, upper(ts) as t from {{ source('raw', 'events') }}")
    given = "given: {raw.events: [{id: 1, v: 1, ts: a}, {id: 2, v: 3, ts: b}, {id: 3, v: 5, ts: c}]}"
    expect = "expect: [{odd: 1, id: 1, v: 2, t: a}, {odd: 1, id: 4, v: 4, t: b}, {odd: 1, id: 3, v: 5, t: c}]"

    utest(events, base(f"{given}\n    {expect}"))

    assert differing(events) == [
        ("id = 4", "(row)", "odd = 1, id = 4, v = 4, t = b", "no such row"),
        ("id = 1", "v", "2", "1"),
        ("id = 1", "t", "a", "A"),
        ("id = 3", "t", "c", "C"),
        ("id = 2", "(row)", "no such row", "odd = 1, id = 2, v = 3, t = B"),
    ]


def test_a_row_that_stands_twice_is_expected_twice(events: ProjectFolder):
    given = "given: {raw.events: [{id: 1, v: 1}, {id: 1, v: 1}]}\n    expect: [{id: 1, v: 1}"

    assert utest(events, base(f"{given}]")).code == 1
    assert utest(events, base(f"{given}, {{id: 1, v: 1}}]")).code == 0


@pytest.mark.parametrize(
    ("dtype", "given", "right", "wrong"),
    [
        ("timestamp", "2026-01-01 10:00:00.000001", "2026-01-01 10:00:00.000001", "2026-01-01 10:00:00"),
        ("timestamp('UTC')", "2026-01-01 10:00:00+02:00", "2026-01-01 08:00:00Z", "2026-01-01 10:00:00Z"),
        ("decimal(20, 10)", '"0.1000000001"', '"0.1000000001"', '"0.1"'),
        ("float64", "0.30000000000000004", "0.30000000000000004", "0.3"),
        ("float64", ".nan", ".nan", "0"),
        ("float32", ".nan", ".nan", "0"),
        ("string", '"7"', '"7"', "7"),
        ("int64", "1", "1", "1.25"),
        ("int64", "1", "1", "true"),
        ("date", "2026-01-01", "2026-01-01", "2026-01-01 00:00:01"),
        ("array<int64>", "[1, 2]", "[1, 2]", "[2, 1]"),
        ("boolean", "false", "false", "null"),
        ("binary", '"00ff"', '"00ff"', '"00fe"'),
    ],
)
def test_values_are_compared_exactly(events: ProjectFolder, dtype: str, given: str, right: str, wrong: str):
    rows = f'{{columns: {{id: "{dtype}"}}, rows: [{{id: {given}, v: 1}}]}}'
    case = f"given: {{raw.events: {rows}}}\n    expect: [{{id: %s}}]"

    assert utest(events, base(case % right)).err == ""
    assert utest(events, base(case % wrong)).code == 1


def test_a_tolerance_holds_for_its_column_only(events: ProjectFolder):
    case = "given: {raw.events: [{id: 1.0, v: 1.0}]}\n    tolerance: {v: 0.1}\n    expect: [{id: %s, v: %s}]"

    assert utest(events, base(case % (1.0, 1.1))).code == 0
    assert utest(events, base(case % (1.05, 1.1))).code == 1
    assert utest(events, base(case % (1.0, 1.11))).code == 1


def test_order_by_compares_rows_in_their_order(events: ProjectFolder):
    case = "given: {raw.events: [{id: 2, v: 1}, {id: 1, v: 1}]}\n    expect: {order_by: id, rows: [{id: %s}, {id: %s}]}"

    assert utest(events, base(case % (1, 2))).code == 0
    assert utest(events, base(case % (2, 1))).code == 1


def test_a_column_that_no_row_gives_is_null(events: ProjectFolder):
    assert utest(events, base("given: {raw.events: [{v: 1}]}\n    expect: [{id: null, ts: null, v: 1}]")).code == 0


def test_a_column_that_no_row_gives_has_the_type_of_its_seed(events: ProjectFolder):
    events.write(
        {
            "seeds/events.csv": "id,ts,v\n",
            "seeds/schema.yml": "seeds: [{name: events, columns: [{name: ts, type: timestamp}]}]",
            "models/base.ff.sql": "select date_trunc('day', ts) as day from {{ source('raw', 'events') }}",
        }
    )

    assert utest(events, base("given: {raw.events: [{id: 1}]}\n    expect: [{day: null}]")).err == ""


@pytest.mark.parametrize(
    "case",
    [
        "this: [{id: 1, ts: 2026-01-01, w: 5}], given: {base: [{id: 1}]}, expect: [{id: 1, w: 5}]",
        "this: [{id: 1, ts: 2026-01-01, w: 5}], given: {base: [{id: 1, ts: null}]}, expect: [{id: 1, w: 5}]",
        "this: {columns: {id: string, ts: timestamp, day: timestamp, w: int64}}, given: {base: [{id: a, v: 1}]}, "
        "expect: [{id: a, w: 10}]",
        "given: {base: [{ts: null}]}, expect: {error: D200, rows: [{ts: 2026-01-01 10:00:00}]}",
    ],
)
def test_nulls_have_the_type_that_the_case_says_of_the_target(events: ProjectFolder, case: str):
    events.write({"models/fct.ff.sql": FCT.replace(" ts,", " ts, date_trunc('day', ts) as day,")})

    assert utest(events, f"model: fct\ncases: [{{name: x, {case}}}]").err == ""


SEED = {"seeds/events.csv": "id,ts,v\n1,2026-01-01 10:00:00,3\n"}
KEYED = "{{ config(materialized='incremental', unique_key='id') }} "
DAY = "select id, date_trunc('day', ts) as day, v + 1 as w from {{ ref('base') }}"


@pytest.mark.parametrize(
    "base_model",
    [
        {"models/base.ff.sql": "select *, ts > now() as late from {{ source('raw', 'events') }}"},
        {"models/base.ff.sql": KEYED + "select * from {{ ref('raw') }}",
         "models/raw.ff.sql": "{{ config(materialized='ephemeral') }} select * from {{ ref('events') }}"},
        {"models/base.ff.py": """
            from fastflowtransform import model

            @model(deps=["events"])
            def base(events):
                return events.filter(events.v > 0)
            """},
    ],
)  # fmt: skip
def test_a_column_that_no_row_gives_has_the_type_that_the_models_above_say(events: ProjectFolder, base_model):
    (events.folder / "models" / "base.ff.sql").unlink()
    events.write({**SEED, **base_model, "models/fct.ff.sql": DAY})

    case = "given: {base: [{id: 1}, {id: 2, v: 3}]}, expect: [{id: 1, w: null}, {id: 2, w: 4}]"

    assert utest(events, f"model: fct\ncases: [{{name: x, {case}}}]").err == ""


def test_a_star_and_a_python_model_see_all_columns_of_their_input(events: ProjectFolder):
    case = "given: {base: [{id: 1}]}, expect: [{last: null, v: null}]"
    events.write(
        {
            **SEED,
            "models/fct.ff.sql": "select * from {{ ref('base') }} union all select 7, null, 7",
            "models/sums.ff.py": """
                from fastflowtransform import model

                @model(materialized="table")
                def sums(base):
                    return base.group_by("id").agg(last=base.ts.max(), v=base.v.sum())
                """,
            "tests/unit/sums.yml": f"model: sums\ncases: [{{name: y, {case}}}]",
        }
    )
    text = (
        "model: fct\ncases: [{name: x, given: {base: [{v: 3}]}, expect: [{id: null, ts: null, v: 3}, {id: 7, v: 7}]}]"
    )

    assert utest(events, text).err == ""


def test_a_column_whose_type_nothing_tells_is_named_where_the_engine_asks_for_it(events: ProjectFolder):
    events.write({"models/fct.ff.sql": DAY})

    answer = utest(events, "model: fct\ncases: [{name: x, given: {base: [{id: 1, v: 2}]}, expect: [{w: 3}]}]")

    assert answer.err.startswith("E100 fct: x: ")
    assert 'hint say the type of "ts" of "base", as in columns: {ts: timestamp}' in answer.err


def test_the_runs_of_a_case_tell_the_types_of_an_input_together(events: ProjectFolder):
    first, second = "{base: [{id: a, ts: 2026-01-01, v: 1}]}", "{base: [{id: null}, {id: b, v: 1.5, ts: 2026-01-02}]}"
    settings = "updated_at='ts', on_null_key='drop'"
    events.write({"models/fct.ff.sql": FCT.replace("updated_at='ts'", settings)})
    runs = f"[{{given: {first}, expect: [{{w: 10}}]}}, {{given: {second}, expect: [{{w: 10}}, {{w: 15}}]}}]"

    assert utest(events, f"model: fct\ncases: [{{name: x, runs: {runs}}}]").err == ""


def test_an_alias_does_not_become_a_column_of_the_input(events: ProjectFolder):
    table(events, "select upper(id) as name, count(*) as n from {{ source('raw', 'events') }} group by name")
    case = "given: {raw.events: [{id: a}, {id: A}, {id: b}]}\n    expect: [{name: A, n: 2}, {name: B, n: 1}]"

    assert utest(events, base(case)).err == ""


READ = {
    "select id, max(amount) as amount from t group by id": {"amount", "id"},
    "select t.id from t left join u using (id)": {"id"},
    "select * exclude (amount) from t": {"*", "amount"},
    "select t.* replace (b + 1 as a) from t join u on t.id = u.id": {"*", "b", "a", "id"},
    "pivot t on note using sum(amount) group by id": {"*", "note", "amount", "id"},
    "unpivot t on a, b into name n value v": {"*", "a", "b"},
    "select id as x, x + amount as amount from t": {"id", "amount"},
    "select note as note, sum(v) over w as v from t window w as (partition by k)": {"note", "v", "k"},
    "with c as (select *, 1 as one from t) select max(amount) as amount, one from c": {"*", "amount"},
    "select id from t qualify row_number() over (partition by k order by v) = 1": {"id", "k", "v"},
    "select upper(id) as name from t group by name": {"id"},
}


@pytest.mark.parametrize(("sql", "columns"), READ.items())
def test_the_columns_that_a_text_names_are_those_of_the_table(sql: str, columns: set[str]):
    # issue 18: max(amount) as amount, USING, EXCLUDE and PIVOT were not seen.
    assert columns_read(sql, "duckdb", ["t", "u"])["t"] == columns


def test_columns_that_nothing_tells_are_taken_from_the_text_and_told(events: ProjectFolder):
    answer = utest(events, base("given: {raw.events: [{id: 1, v: 2}]}\n    expect: [{id: 1, v: 2, ts: null}]"))

    note = 'the columns of "raw.events" are not known: "ts" is taken from the model\'s text'
    assert answer.code == 0
    assert f"note base: a case: {note}" in answer.out
    results = json.loads((events.folder / "target" / "run_results.json").read_text())
    assert results["checks"][0]["notes"] == [note]


def test_columns_are_those_of_the_table_in_the_warehouse_where_nothing_else_tells(project: ProjectFolder):
    project.write(
        {
            "sources.yml": "sources: [{name: raw, schema: raw, tables: [{name: events}]}]",
            "models/m.ff.sql": "select max(v) as v, * exclude (v) from {{ source('raw', 'events') }} group by all",
        }
    )
    text = "model: m\ncases: [{name: x, given: {raw.events: [{id: a}]}, expect: [{id: a, v: null, ts: null}]}]"
    project.sql("CREATE SCHEMA raw; CREATE TABLE raw.events (id VARCHAR, ts TIMESTAMP, v DECIMAL(9, 2))")

    answer = utest(project, text)

    assert (answer.code, answer.err) == (0, "")
    assert "note" not in answer.out


def test_a_model_has_the_columns_that_it_selects_of_a_source_that_nothing_tells_of(events: ProjectFolder):
    events.write({"models/fct.ff.sql": "select * exclude (v), v is null as is_new from {{ ref('base') }}"})
    case = "given: {base: [{id: 1}]}, expect: [{id: 1, ts: null, is_new: true}]"

    answer = utest(events, f"model: fct\ncases: [{{name: x, {case}}}]")

    assert answer.err == ""
    assert "note" not in answer.out


def test_a_column_that_an_input_does_not_have_is_an_error(events: ProjectFolder):
    events.write({**SEED, "models/base.ff.sql": "select * from {{ ref('events') }}"})

    answer = utest(events, "model: fct\ncases:\n- name: x\n  given: {base: [{id: 1, vv: 2}]}\n  expect: []")

    assert answer.err.startswith('M224 fct: x: the case gives "vv" of "base", which has no such column')
    assert 'a.yml:4\n  hint did you mean "v"?' in answer.err


def test_a_column_has_the_type_that_it_has_in_a_run_and_not_that_of_the_values(events: ProjectFolder):
    events.write(
        {
            "seeds/events.csv": "id,v,code\n1,2.5,007\n",
            "models/base.ff.sql": "select id, typeof(v) as t, typeof(code) as c from {{ ref('events') }}",
        }
    )

    case = "given: {events: [{id: 1, v: 2, code: '2026-01-01'}]}\n    expect: [{id: 1, t: DOUBLE, c: VARCHAR}]"

    assert utest(events, base(case)).err == ""


def test_rows_can_be_csv_and_sql(events: ProjectFolder):
    text = 'given: {raw.events: {csv: "id,ts,v\\n007,2026-01-01 10:00,1.5\\n,,2\\n"}}\n    expect: {sql: "%s"}'
    sql = "select '007' as id, timestamp '2026-01-01 10:00:00' as ts, 1.5::double as v union all select null, null, 2"

    assert utest(events, base(text % sql)).err == ""


def test_a_quoted_field_of_a_csv_can_have_lines(events: ProjectFolder):
    events.write({"tests/unit/rows.csv": 'id,v\n"a\nb",1\n'})
    case = "given: {raw.events: {csv: rows.csv}}\n    expect: [{id: %s, v: 1}]"

    assert utest(events, base(case % '"a\\nb"')).err == ""


@pytest.mark.engine("postgres")
def test_a_decimal_that_is_no_number_equals_itself(postgres_project: ProjectFolder):
    postgres_project.write({**MODELS, "project.yml": "name: test\n"})
    table(postgres_project, "select 'NaN'::numeric as n from {{ source('raw', 'events') }}")
    text = base("given: {raw.events: [{id: 1}]}\n    expect: [{n: %s}]")

    assert utest(postgres_project, text % ".nan", "--engine", "postgres").err == ""
    assert utest(postgres_project, text % "1", "--engine", "postgres").code == 1


def test_data_is_not_a_template(events: ProjectFolder):
    case = "given: {raw.events: [{id: '{{ x }}; --', v: 1}]}\n    expect: [{id: '{{ x }}; --'}]"

    assert utest(events, base(case)).err == ""


def test_an_ephemeral_parent_is_taken_in_and_its_input_given(events: ProjectFolder):
    events.write({"models/base.ff.sql": "{{ config(materialized='ephemeral') }} " + MODELS["models/base.ff.sql"]})
    given = "{raw.events: [{id: 1, ts: 2026-01-01, v: 1}, {id: 2}]}"
    text = f"model: fct\ncases: [{{name: x, given: {given}, expect: [{{w: 10}}]}}]"

    assert utest(events, text).err == ""


def test_runs_follow_each_other_on_one_table(events: ProjectFolder):
    first, second = "{base: [{id: 1, ts: 2026-01-01, v: 1}]}", "{base: [{id: 2, ts: 2026-01-02, v: 2}]}"
    text = (
        f"model: fct\ncases:\n  - name: x\n    runs:\n      - {{given: {first}, expect: [{{id: 1}}]}}\n"
        f"      - {{given: {second}, expect: [{{id: 1}}, {{id: %s}}]}}\n"
    )

    assert utest(events, text % 2).err == ""
    assert '"fct: x" gives other rows than it expects: 2 rows differ in run 2' in utest(events, text % 3).err


def test_expect_delta_is_what_the_increment_takes_up(events: ProjectFolder):
    text = (
        "model: fct\ncases: [{name: x, given: {base: [{id: 1, ts: 2026-01-01, v: 1}, {id: 2, ts: 2026-01-03, v: 2}]}, "
        "this: [{id: 1, ts: 2026-01-02, w: 5}], expect: {delta: {rows: [{id: %s}]}}}]"
    )

    assert utest(events, text % 2).err == ""
    assert "takes up another delta than it expects" in utest(events, text % 1).err


def test_order_by_is_about_the_table_and_not_the_delta(events: ProjectFolder):
    text = (
        "model: fct\ncases: [{name: x, given: {base: [{id: 2, ts: 2026-01-01, v: 1}, {id: 1, ts: 2026-01-03, v: 2}]}, "
        "expect: {order_by: id, rows: [{id: 1}, {id: 2}], delta: [{id: 1}, {id: 2}]}}]"
    )

    assert utest(events, text).err == ""


def test_an_expected_error_has_to_come(events: ProjectFolder):
    text = "model: fct\ncases: [{name: x, given: {base: [{id: %s, ts: 2026-01-01, v: 1}]}, expect: {error: %s}}]"

    assert utest(events, text % ("null", "D200")).err == ""
    assert 'expects the error "D200", and the model runs' in utest(events, text % (1, "D200")).err
    assert "D200 " in utest(events, text % ("null", "D201")).err


def test_a_model_that_is_not_idempotent_fails_unless_the_case_says_so(events: ProjectFolder):
    table(events, "select id, uuid() as u from {{ source('raw', 'events') }}")
    case = "given: {raw.events: [{id: 1}]}\n    expect: [{id: 1}]"

    answer = utest(events, base(case))

    assert answer.code == 1
    assert '"base: a case" is not idempotent' in answer.err
    assert utest(events, base(f"{case}\n    idempotent: false")).code == 0


def test_rows_that_nothing_recognises_again_are_not_run_twice(events: ProjectFolder):
    config = "{{ config(materialized='incremental', incremental={'delta_sql': \"select id from {{ ref('base') }}\"}) }}"
    events.write({"models/fct.ff.sql": config + " select id from {{ ref('base') }}"})

    assert utest(events, "model: fct\ncases: [{name: x, given: {base: [{id: 1}]}, expect: [{id: 1}]}]").err == ""


@pytest.mark.parametrize("word", ["now()", "current_timestamp", "get_current_timestamp()"])
def test_the_clock_stands_where_now_says(events: ProjectFolder, word: str):
    table(events, f"select id, 'now()' as t, {word} as at, current_date as d from {{{{ source('raw', 'events') }}}}")
    now = "now: 2026-01-02 03:04:05.000006"
    case = f"given: {{raw.events: [{{id: 1}}]}}\n    {now}\n    expect: [{{t: now(), at: %s, d: 2026-01-02}}]"

    assert utest(events, base(case % "2026-01-02 03:04:05.000006Z")).err == ""
    assert utest(events, base(case % "2026-01-02 03:04:05.000007Z")).code == 1


def test_vars_of_a_case_win(events: ProjectFolder):
    events.write({"models/base.ff.sql": "select id * {{ var('factor', 2) }} as id from {{ source('raw', 'events') }}"})

    assert utest(events, base("given: {raw.events: [{id: 1}]}\n    vars: {factor: 3}\n    expect: [{id: 3}]")).err == ""


def test_python_models_are_tested_and_their_clock_stands(events: ProjectFolder):
    (events.folder / "models/base.ff.sql").unlink()
    events.write(
        {
            "models/base.ff.py": """
                import ibis
                from fastflowtransform import model

                @model(deps=["source:raw.events"], materialized="table")
                def base(events):
                    return events.mutate(w=events.v * 2, at=ibis.now())
                """
        }
    )
    case = "given: {raw.events: [{v: 1}]}\n    now: 2026-01-01\n    expect: [{w: %s, at: 2026-01-01}]"

    assert utest(events, base(case % 2)).err == ""
    assert utest(events, base(case % 3)).code == 1


def test_a_unit_test_can_be_a_function(events: ProjectFolder):
    events.write(
        {
            "tests/unit/b.ff.py": """
                from fastflowtransform import unit_test

                @unit_test("base")
                def rows_without_a_value_are_left_out():
                    rows = [{"id": n, "v": n or None} for n in range(3)]
                    return {"given": {"raw.events": rows}, "expect": [{"id": 1}]}
                """
        }
    )

    answer = events.fft("utest")

    assert '"base: rows_without_a_value_are_left_out" gives other rows than it expects: 1 row differs' in answer.err
    assert "b.ff.py:4" in answer.err


@pytest.mark.parametrize(
    ("text", "message", "line", "hint"),
    [
        ("model: bas\ncases: []", 'G101 "bas" is not a model of this project', ":1", 'did you mean "base"?'),
        ("", 'P103 a.yml has no "model"', ":1", 'add the key "model"'),
        ("model: base\ncase: []", 'P103 a.yml has no "cases"', ":1", 'did you mean "case"?'),
        ("model: base\ncases:", 'P103 a.yml has no "cases"', ":1", 'add the key "cases"'),
        ("model: base\ncases:\n  - given: {}", 'P103 case of "base" 1 has no "name"', ":3", 'add the key "name"'),
        (base("given: []"), '"given" of case "a case" is "[]"', ":4", "write it as key: value"),
        (
            base("given: {raw.events: {}}\n    expect: []"),
            'P103 "raw.events" has no rows',
            ":4",
            "add rows, csv or sql",
        ),
        (base('given: {raw.events: {csv: "id,v,id\\n1,2,3"}}\n    expect: []'), 'two columns "id"', ":4", "rename one"),
        (
            "model: base\ncases:\n  - name: x\n    given: {raw.evnts: []}\n    expect: []",
            "G101 ",
            ":4",
            'n "raw.events"?',
        ),
        ("model: base\ncases:\n  - name: x\n    expect: []", 'gives no rows of "raw.events"', ":3", "rows: []"),
        (base("givn: {raw.events: []}\n    expect: []"), 'gives no rows of "raw.events"', ":3", 'mean "givn"?'),
        (base("given: {raw.events: []}\n    expct: []"), 'P103 case "a case" has no "expect"', ":3", 'mean "expct"?'),
        (base("given: {raw.events: []}\n    expect: []\n    tolerence: 1"), '"tolerence"', ":6", 'mean "tolerance"?'),
        (base("given: {raw.events: {rws: []}}\n    expect: []"), 'unknown key "rws"', ":4", 'did you mean "rows"?'),
        (base("given: {raw.events: []}\n    expect: {rows: [], orderby: id}"), "unknown key", ":5", '"order_by"?'),
        (base("given: {raw.events: {columns: {id: int46}, rows: []}}\n    expect: []"), '"int46"', ":4", '"int64"?'),
        (base("given: {raw.events: []}\n    now: noon\n    expect: []"), 'is "noon"', ":5", "give a timestamp"),
        (base("given: {raw.events: []}\n    this: []\n    expect: []"), 'has "this"', ":5", "take it away"),
        (base("given: {raw.events: []}\n    expect: {delta: []}"), "is not incremental", ":5", "expect rows"),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_line(
    events: ProjectFolder, text: str, message: str, line: str, hint: str
):
    answer = utest(events, text)

    assert answer.code == 2
    assert message in answer.err
    assert f"a.yml{line}\n" in answer.err
    assert hint in answer.err


@pytest.mark.parametrize(
    ("case", "message", "line"),
    [
        (
            "given: {raw.events: [{v: 1}]}\n    expect:\n      - {v: 1}\n      - {valu: 1}",
            'M210 base: a case: the case names a column "valu"',
            7,
        ),
        (
            "given: {raw.events: []}\n    key: idd\n    expect: []",
            'M210 base: a case: the case names a column "idd"',
            6,
        ),
        (
            "given:\n      raw.events:\n        rows:\n          - {id: 1}\n          - {id: a}\n    expect: []",
            'P104 base: a case: the column "id" of "raw.events" holds int64 and string',
            7,
        ),
        (
            "given: {raw.events: {columns: {id: int64}, rows: [{id: 1.5}]}}\n    expect: []",
            'P104 base: a case: "1.5" in the column "id"',
            4,
        ),
        (
            "given: {raw.events: [{id: 1, v: 1}, {id: 2, tss: 2026-01-01}]}\n    expect: []",
            'M210 base: a case: the case gives "tss" of "raw.events", which the model does not read',
            4,
        ),
        ('given:\n      raw.events: {sql: "selct 1"}\n    expect: []', "E100 base: a case: Parser Error", 5),
    ],
)
def test_a_column_or_value_that_does_not_fit_is_told_with_its_line(events: ProjectFolder, case, message, line):
    answer = utest(events, base(case))

    assert answer.code == 1
    assert message in answer.err
    assert f"a.yml:{line}\n" in answer.err


def test_cases_are_selected_by_model_and_by_name(events: ProjectFolder):
    events.write({"tests/unit/b.yml": base("given: {raw.events: []}\n    expect: []")})

    assert "1 ok" in utest(events, MERGE, "--select", "base").out
    assert "fct: late row" in events.fft("utest", "-k", "LATE").out
    assert events.fft("utest", "-k", "lte").code == 2
    assert "2 ok" in events.fft("utest").out


def test_two_cases_of_one_name_are_refused(events: ProjectFolder):
    events.write({"tests/unit/b.yml": MERGE})

    assert "M101 two cases of" in utest(events, MERGE).err


def test_json_has_an_event_for_each_case(events: ProjectFolder):
    answer = utest(events, MERGE.replace("w: 30", "w: 31"), "--json")

    found = [event for event in map(json.loads, answer.out.splitlines()) if event["event"] == "check_finished"]
    assert [(event["name"], event["type"], event["status"]) for event in found] == [("fct: late row", "unit", "error")]
    assert found[0]["sample"] == [{"key": "id = 1", "column": "w", "expected": "31", "actual": "30"}]


SCHEMAS = "select nspname from pg_namespace where nspname = 'demo' or nspname like 'fft_scratch%'"


@pytest.mark.engine("postgres")
def test_cases_run_on_another_engine_and_leave_nothing_there(postgres_project: ProjectFolder):
    postgres_project.write(MODELS)
    postgres_project.sql("create table base (id int); create table fct as select 7 as id")

    assert utest(postgres_project, MERGE, "--engine", "postgres").err == ""
    assert utest(postgres_project, MERGE.replace("w: 30", "w: 31"), "--engine", "postgres").code == 1
    assert postgres_project.sql(SCHEMAS) == [("demo",)]
    assert postgres_project.sql("select * from fct") == [(7,)]


def test_cases_mean_the_same_on_every_engine_and_touch_no_table(each_project: ProjectFolder):
    each_project.write({**MODELS, **SEED})
    each_project.write(
        {"tests/unit/day.yml": "model: day\ncases: [{name: x, given: {base: [{id: 1}]}, expect: [{w: null}]}]"}
    )
    each_project.write({"models/day.ff.sql": "{{ config(materialized='table') }} " + DAY})
    each_project.sql("CREATE TABLE fct AS SELECT 7 AS id")
    engine = yaml.safe_load((each_project.folder / "profiles.yml").read_text())["dev"]["engine"]

    assert utest(each_project, MERGE, "--engine", engine).err == ""
    assert utest(each_project, MERGE.replace("w: 30", "w: 31"), "--engine", engine).code == 1
    assert differing(each_project) == [("id = 1", "w", "31", "30")]
    assert each_project.sql("SELECT * FROM fct") == [(7,)]


@pytest.mark.engine("postgres")
def test_cases_on_another_engine_do_not_make_the_profiles_schema(postgres_project: ProjectFolder):
    postgres_project.write(MODELS)
    postgres_project.sql("drop schema demo")

    assert utest(postgres_project, MERGE, "--engine", "postgres").err == ""
    assert postgres_project.sql(SCHEMAS) == []


@pytest.fixture
def endless(postgres_project: ProjectFolder) -> Iterator[subprocess.Popen[str]]:
    """A process that waits in the midst of a case on PostgreSQL, with `-v`."""
    postgres_project.write({"project.yml": "name: test\n", "sources.yml": MODELS["sources.yml"]})
    table(postgres_project, "select id, pg_sleep(60)::text as s from {{ source('raw', 'events') }}")
    postgres_project.write({"tests/unit/a.yml": base("given: {raw.events: [{id: 1}]}\n    expect: []")})
    command = [sys.executable, "-m", "fastflowtransform", "utest", str(postgres_project.folder), "-v"]
    with process([*command, "--engine", "postgres"]) as started:
        next(line for line in started.stdout if "> CREATE TABLE" in line)
        yield started


@pytest.mark.timeout(120)
@pytest.mark.engine("postgres")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_cases_that_are_interrupted_leave_nothing_behind(endless, postgres_project: ProjectFolder, ending):
    endless.send_signal(ending)
    endless.communicate(timeout=10)

    assert endless.returncode == 130
    assert postgres_project.sql(SCHEMAS) == [("demo",)]


@pytest.mark.timeout(120)
@pytest.mark.engine("postgres")
def test_cases_whose_reader_goes_away_leave_nothing_behind(endless, postgres_project: ProjectFolder):
    endless.stdout.close()
    endless.send_signal(signal.SIGINT)
    endless.wait(timeout=10)

    assert postgres_project.sql(SCHEMAS) == [("demo",)]


def test_another_engine_needs_its_profile(project: ProjectFolder):
    project.write(MODELS)

    assert 'P110 the profile "dev" is for the engine "duckdb"' in utest(project, MERGE, "--engine", "postgres").err
    assert 'hint did you mean "postgres"?' in utest(project, MERGE, "--engine", "postgers").err


def test_record_writes_cases_that_pass_and_overwrites_none(project: ProjectFolder):
    project.write(MODELS)
    project.sql("create table events as select i as id, timestamp '2026-01-01' as ts, i / 3 as v from range(100) t(i)")
    assert project.fft("run").code == 0

    assert "wrote tests/unit/fct.yml" in project.fft("utest", "--record", "fct", "--rows", "3").out
    assert "wrote tests/unit/fct_2.yml" in project.fft("utest", "--record", "fct", "--rows", "3", "--seed", "1").out

    first, second = [(project.folder / "tests/unit" / name).read_text() for name in ("fct.yml", "fct_2.yml")]
    assert first.count("- {id:") == second.count("- {id:") == 6
    assert first.splitlines()[6:] != second.splitlines()[6:]
    assert "2 ok" in project.fft("utest").out


def test_record_takes_the_same_rows_for_the_same_seed(project: ProjectFolder):
    project.write(MODELS)
    project.sql("create table events as select i as id, null::timestamp as ts, i as v from range(100) t(i)")
    file = project.folder / "tests/unit/base.yml"
    project.fft("utest", "--record", "base")
    first = file.read_text()
    file.unlink()
    project.sql("create or replace table events as from events order by id desc")

    project.fft("utest", "--record", "base")

    assert sorted(file.read_text().splitlines()) == sorted(first.splitlines())


@pytest.mark.parametrize(
    "value",
    [
        "time '10:00:00.5'",
        "timestamptz '2026-01-01 10:00:00.000001+02'",
        "timestamp_ns '2026-01-01 10:00:00.123456789'",
        "date '2026-01-01'",
        "map {'a': 1}",
        "{'x': 1, 'y': 'b'}",
        "[1.5, null]",
        "'\\xFF'::blob",
        "uuid()",
        "12345678901234567890123::hugeint",
        "1.25::decimal(10, 4)",
        "'nan'::float",
        "'x'::enum('x', 'y')",
        """'{"a": [1]}'::json""",
        "'007'",
        "'it''s: {{ x }} # \\n y'",
        "true",
        "null",
    ],
)
def test_a_recorded_value_is_read_again_as_it_was(project: ProjectFolder, value: str):
    project.write({"sources.yml": MODELS["sources.yml"]})
    table(project, "select * from {{ source('raw', 'events') }}")
    project.sql(f"create table events as select {value} as v")

    assert project.fft("utest", "--record", "base").err == ""
    assert project.fft("utest").err == ""
