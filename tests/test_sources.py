"""Sources: how new they are, and their columns in sources.yml."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fastflowtransform.errors import CannotEdit, Location
from fastflowtransform.freshness import judged
from fastflowtransform.kept import Kept
from fastflowtransform.model import Freshness
from fastflowtransform.results import Status
from fastflowtransform.source_columns import written
from fastflowtransform.sources import read_sources
from fastflowtransform.template import Scope
from fastflowtransform.yaml_scalars import parse
from tests.conftest import ProjectFolder

AT = Location(Path("sources.yml"))
FRESH = """
sources:
  - name: raw
    loaded_at_field: ts
    freshness: {{warn_after: {{count: 1, period: hour}}, error_after: 1 day{more}}}
    tables:
      - name: events
      - name: never
        freshness: null
"""


def events(project: ProjectFolder, *ages: timedelta, more: str = "") -> ProjectFolder:
    """A source whose rows are so old."""
    project.write({"sources.yml": FRESH.format(more=more)})
    project.sql("CREATE TABLE events (id INTEGER, ts TIMESTAMP, kind VARCHAR)")
    for number, age in enumerate(ages):
        moment = (datetime.now(UTC) - age).replace(tzinfo=None)
        project.sql(f"INSERT INTO events VALUES ({number}, TIMESTAMP '{moment:%Y-%m-%d %H:%M:%S}', 'a{number}')")
    return project


def answered(project: ProjectFolder, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Ask how new the source is; return the exit code, its entry in sources.json, and the errors."""
    answer = project.fft("source", "freshness", *arguments)
    (found,) = json.loads((project.folder / "target" / "sources.json").read_text())["sources"]
    return answer.code, found, answer.err


@pytest.mark.parametrize(
    ("hours", "status", "code"), [(0.5, "success", 0), (2, "warn", 0), (30, "error", 1), (-2, "success", 0)]
)
def test_a_source_passes_warns_or_fails_by_its_newest_row(each_project, hours, status, code):
    events(each_project, timedelta(days=9), timedelta(hours=hours))

    found = answered(each_project)

    assert (found[0], found[1]["status"]) == (code, status), found
    assert abs(found[1]["age_seconds"] - hours * 3600) < 60
    assert (found[1]["warn_after_seconds"], found[1]["error_after_seconds"]) == (3600, 86400)


def test_a_source_that_is_too_old_is_told_with_its_age(each_project):
    events(each_project, timedelta(hours=30, minutes=5))

    code, found, err = answered(each_project)

    assert 'D302 "raw.events" is 1 day 6 hours old: its newest row is of "' in err
    assert "and error_after is 1 day\n" in err
    assert "sources.yml:5" in err


def test_an_empty_source_is_as_old_as_can_be(each_project):
    events(each_project)

    code, found, err = answered(each_project)

    assert (code, found["loaded_at"]) == (1, None)
    assert 'D302 "raw.events" has no row with a value in "ts"' in err


def test_a_filter_says_which_rows_count(each_project):
    events(each_project, timedelta(0), timedelta(hours=5), more=", filter: kind <> 'a0'")

    assert answered(each_project)[1]["status"] == "warn"


def test_the_moment_may_be_an_expression_or_a_date(each_project):
    events(each_project, timedelta(0))
    each_project.write({"sources.yml": FRESH.format(more=", loaded_at_field: cast(ts as date)")})

    code, found, _ = answered(each_project)

    assert found["loaded_at"] == f"{datetime.now(UTC):%Y-%m-%d}T00:00:00+00:00"
    assert code == 0


def test_a_moment_with_a_time_zone_is_compared_in_utc(each_project):
    each_project.write({"sources.yml": FRESH.format(more="")})
    moment = datetime.now(UTC).astimezone() - timedelta(minutes=10)
    each_project.sql("CREATE TABLE events (ts TIMESTAMPTZ)")
    each_project.sql(f"INSERT INTO events VALUES (TIMESTAMPTZ '{moment:%Y-%m-%d %H:%M:%S}+00:00')")

    assert answered(each_project)[1]["status"] == "success"


def test_a_source_that_is_missing_is_one_error_and_the_others_are_asked(each_project):
    events(each_project, timedelta(0))
    text = FRESH.format(more="").replace("freshness: null", "")
    each_project.write({"sources.yml": text})

    answer = each_project.fft("source", "freshness")

    found = json.loads((each_project.folder / "target" / "sources.json").read_text())["sources"]
    assert [entry["status"] for entry in found] == ["success", "error"]
    assert 'E110 raw.never: there is no table or view "demo.never"' in answer.err
    assert "hint run or seed it first" in answer.err


def test_a_misspelt_command_of_source_is_told_the_nearest(project):
    assert project.fft("source", "freshnes").err.splitlines() == [
        'C100 there is no command "freshnes"',
        '  hint did you mean "freshness"?',
    ]
    assert "Commands:" in project.fft("source", "--help").out


def test_null_takes_back_what_the_source_says_of_all_its_tables(project):
    project.write(
        {
            "sources.yml": """
            sources:
              - name: raw
                loaded_at_field: ts
                freshness: {warn_after: 1 hour, error_after: 1 day, filter: "id > 9"}
                tables: [{name: events, freshness: {error_after: null, filter: null}}]
            """
        }
    )
    project.sql("CREATE TABLE events AS SELECT 1 AS id, TIMESTAMP '2020-01-01' AS ts")

    code, found, _ = answered(project)

    assert (code, found["status"], found["error_after_seconds"]) == (0, "warn", None)


def test_a_source_is_selected(each_project):
    events(each_project, timedelta(0))

    assert each_project.fft("source", "freshness", "--select", "source:raw.events").code == 0
    assert each_project.fft("source", "freshness", "--select", "source:raw.never").code == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("freshness: {error_after: 1 day}", 'P103 "raw.events" has a freshness, and no "loaded_at_field"'),
        ("loaded_at_field: ts, freshness: {filter: a}", 'has neither "warn_after" nor "error_after"'),
        ("loaded_at_field: ts, freshness: {warn_after: 2 days, error_after: 1 day}", "so it never warns"),
        ("loaded_at_field: ts, freshness: {error_after: {count: 0, period: day}}", "is not longer than nothing"),
        ("loaded_at_field: ts, freshness: {error_after: {count: 1, period: dya}}", 'did you mean "day"?'),
        ("loaded_at_field: ts, freshness: {error_after: {count: 1}}", 'has no "period"'),
        ("loaded_at_field: t, freshness: {error_after: 1 day}", 'M210 raw.events: loaded_at_field is "t"'),
        ("loaded_at_field: kind, freshness: {error_after: 1 day}", "holds no timestamps and no dates"),
    ],
)
def test_what_cannot_be_meant_is_an_error_with_its_place(project, line, message):
    events(project, timedelta(0))
    project.write({"sources.yml": f"sources: [{{name: raw, tables: [{{name: events, {line}}}]}}]"})

    answer = project.fft("source", "freshness")

    assert message in answer.err, answer.err
    assert "sources.yml:1" in answer.err
    assert answer.code in (1, 2)


ages = st.none() | st.timedeltas(timedelta(0), timedelta(days=9))
limits = st.none() | st.timedeltas(timedelta(seconds=1), timedelta(days=9))


@given(ages, ages, limits, limits)
def test_an_older_source_is_never_judged_better(age, other, warn_after, error_after):
    asked = Freshness("at", None, warn_after, error_after, AT)
    older, newer = sorted((age, other), key=lambda found: timedelta.max if found is None else found, reverse=True)

    order = [Status.SUCCESS, Status.WARN, Status.ERROR]
    assert order.index(judged(older, asked)) >= order.index(judged(newer, asked))


COMMENTED = """\
# What arrives.
version: 2

sources:
  - name: raw   # the shop
    schema: demo

    tables:
      # one row an event
      - name: events
        description: "All of them."  # and more
        columns:
          # the key
          - name: id
            description: As counted.
          - {name: gone, type: string}   # was never right
          - name: ts
            type: string

      - {name: other, tags: [a]}
"""


def test_sync_writes_columns_and_leaves_all_else_as_it_is(each_project):
    each_project.write({"sources.yml": COMMENTED})
    each_project.sql("CREATE TABLE events (id INTEGER, ts TIMESTAMP, amount DECIMAL(10, 2))")
    each_project.sql("CREATE TABLE other (id INTEGER)")

    answer = each_project.fft("source", "sync")

    assert answer.code == 0, answer.err
    text = (each_project.folder / "sources.yml").read_text()
    kept = [line for line in COMMENTED.splitlines() if "gone" not in line and "type: string" not in line]
    assert [line for line in kept if line not in text.splitlines()] == ["      - {name: other, tags: [a]}"]
    tables = yaml.safe_load(text)["sources"][0]["tables"]
    assert [(column["name"], column["type"].partition("(")[0]) for column in tables[0]["columns"]] == [
        ("id", "int32"),
        ("ts", "timestamp"),
        ("amount", "decimal"),
    ]
    assert "      - {name: other, tags: [a], columns: [{name: id, type: int32}]}" in text


HOSTILE = [
    "{{ env('HOME') }}",
    "{{ 1/0 }}",
    "{{ ''.__class__.__mro__ }}",
    "{% for each in range(9) %}",
    "{# note #}",
    "{{",
    "%}",
    "!!python/object/apply:os.system ['true']",
    "a'b",
    'a"b',
    "a\nb",
    "a\r\n  - b: c",
    "a: b",
    "- a",
    "# a",
    "*a",
    "&a b",
    "a, b",
    "]}",
    "\\",
    "\\n",
    " a ",
    "NO",
    "~",
    "012",
    "<<",
    "=",
    "?",
    "%",
    "@",
    "`",
    "\x1b[31m",
    "\x07",
    "\x7f",
    "\x85",
    "\u2028",
    "\u202e",
    "\ufeff",
    "🙂",
]
"""Names of columns that mean something to YAML, to Jinja or to a terminal."""


@pytest.mark.parametrize("engine", ["duckdb", pytest.param("postgres", marks=pytest.mark.engine("postgres"))])
def test_names_of_columns_are_names_whatever_is_in_them(request, engine):
    project = request.getfixturevalue("project" if engine == "duckdb" else "postgres_project")
    columns = ", ".join('"{}" INTEGER'.format(name.replace('"', '""')) for name in HOSTILE)
    project.write(
        {
            # Without a dialect, so that the text is sent as it is.
            "project.yml": "name: test\n",
            "sources.yml": "sources: [{name: raw, tables: [{name: events}]}]\n",
            "models/m.ff.sql": "{{ config(materialized='table') }} select * from {{ source('raw', 'events') }}",
            "models/p.ff.py": """
                from fastflowtransform import model

                @model(deps=["source:raw.events"], materialized="table")
                def p(events):
                    return events
                """,
        }
    )
    project.sql(f"CREATE TABLE events ({columns})")
    project.sql(f"INSERT INTO events VALUES ({', '.join(map(str, range(len(HOSTILE))))})")

    assert project.fft("source", "sync").code == 0
    text = (project.folder / "sources.yml").read_text()
    assert project.fft("source", "sync").out.count("as before") == 1
    assert (project.folder / "sources.yml").read_text() == text
    for command in (["compile"], ["utest", "--record", "m"], ["utest"], ["run"], ["test"], ["list"]):
        answer = project.fft(*command)
        assert answer.err == "", command
        assert answer.code == 0, command
    (described,) = parse(text)["sources"][0]["tables"]
    assert [column["name"] for column in described["columns"]] == HOSTILE
    for table in ("m", "p"):
        assert project.sql(f"SELECT * FROM {table}") == [tuple(range(len(HOSTILE)))]


def test_names_of_a_seeds_columns_are_names_whatever_is_in_them(project):
    # Blanks around a name are none of it.
    names = [name for name in HOSTILE if name == name.strip()]
    header = ",".join('"{}"'.format(name.replace('"', '""')) for name in names)
    project.write({"seeds/s.csv": f"{header}\n{','.join(map(str, range(len(names))))}\n"})

    assert project.fft("seed").err == ""

    assert project.sql("SELECT column_name FROM duckdb_columns() WHERE table_name = 's'") == [(x,) for x in names]


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1), unique=True),
    st.booleans(),
)
def test_any_name_that_sync_writes_is_read_again_as_it_was(names, flow):
    table = "{name: t}" if flow else "\n    - name: t"
    text = f"sources:\n- name: raw\n  tables: {f'[{table}]' if flow else table}\n"
    columns = dict.fromkeys(names, "decimal(10, 2)")

    new, (changes,) = written(text, [columns], AT)

    assert changes.added == tuple(names)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "sources.yml").write_text(new, encoding="utf-8")
        (source,) = read_sources(Path(folder), "demo", Scope(), Kept())
    assert dict(source.columns) == columns


def test_values_of_sources_are_rendered_in_a_sandbox_and_only_where_a_template_is_allowed(project):
    project.write(
        {
            "sources.yml": """
                sources:
                  - name: raw
                    schema: "{{ var('place', 'demo') }}"
                    description: "{{ 1/0 }}"
                    tables:
                      - name: events
                        identifier: "{{ env('NAME', 'events') }}"
                        description: "{% nothing %}"
                        columns: [{name: "{{ 1/0 }}", type: int32, description: "{{ 1/0 }}"}]
                """,
            "models/m.ff.sql": "select 1 as id from {{ source('raw', 'events') }}",
        }
    )
    assert project.fft("compile").code == 0

    project.write({"sources.yml": "sources: [{name: raw, schema: \"{{ ''.__class__.__mro__ }}\"}]\n"})

    assert "M100 the template fails: \"access to attribute '__class__'" in project.fft("list").err


def test_sync_twice_changes_nothing_the_second_time(each_project):
    each_project.write({"sources.yml": COMMENTED})
    each_project.sql("CREATE TABLE events (id INTEGER, ts TIMESTAMP)")
    each_project.sql("CREATE TABLE other (id INTEGER)")
    each_project.fft("source", "sync")
    first = (each_project.folder / "sources.yml").read_bytes()

    answer = each_project.fft("source", "sync")

    assert (each_project.folder / "sources.yml").read_bytes() == first
    assert answer.out.count("as before") == 2


def test_sync_of_a_missing_table_is_an_error_and_the_others_are_written(project):
    project.write({"sources.yml": COMMENTED})
    project.sql("CREATE TABLE other (id INTEGER)")

    answer = project.fft("source", "sync")

    assert answer.code == 1
    assert 'E110 there is no table or view "demo.events"' in answer.err
    assert "columns: [{name: id, type: int32}]" in (project.folder / "sources.yml").read_text()


def test_compile_and_utest_know_the_columns_without_the_tables(project):
    project.write(
        {
            "sources.yml": "sources: [{name: raw, tables: [{name: events}]}]",
            "models/late.ff.py": """
            from fastflowtransform import model

            @model(materialized="table", deps=["source:raw.events"])
            def late(events):
                return events.filter(events.ts.notnull()).select("id", "ts")
            """,
            "tests/unit/late.yml": """
            model: late
            cases:
              - name: no moment
                given: {raw.events: [{id: 1}]}
                expect: []
            """,
        }
    )
    project.sql("CREATE TABLE events (id INTEGER, ts TIMESTAMP)")
    assert project.fft("source", "sync").code == 0
    (project.folder / "w.duckdb").unlink()

    compiled, tested = project.fft("compile"), project.fft("utest")

    assert compiled.code == 0, compiled.err
    assert '"ts" IS NOT NULL' in (project.folder / "target" / "compiled" / "late.sql").read_text()
    assert tested.code == 0, tested.err


def test_a_file_with_anchors_is_refused_and_stays(project):
    text = "sources:\n- name: raw\n  tables:\n  - &e {name: events}\n- name: other\n  tables:\n  - *e\n"
    project.write({"sources.yml": text})
    project.sql("CREATE TABLE events (id INTEGER)")

    answer = project.fft("source", "sync", "--select", "source:raw.events")

    assert answer.err.startswith('P116 "sources.yml" is written in a way')
    assert (project.folder / "sources.yml").read_text() == text


names = st.sampled_from(["id", "ts", "no", "a b", "é", "say: hi"])
types = st.sampled_from(["int64", "string", "timestamp(6)", "decimal(10, 2)", "array<struct<a: int64>>"])
columns = st.dictionaries(names, types, min_size=1, max_size=4)
old_columns = st.none() | st.lists(
    st.fixed_dictionaries({"name": names}, optional={"type": types, "description": st.just("x")}),
    max_size=4,
    unique_by=lambda column: column["name"],
)


def block(table: dict[str, Any], style: str) -> str:
    """Print a table as a user may: in brackets, in lines, or in lines with columns in brackets."""
    if style == "brackets":
        return f"    - {json.dumps(table, ensure_ascii=False)}  # a table\n"
    lines = [f"    - name: {table['name']}  # a table\n"]
    if "columns" in table and not table["columns"]:
        lines.append("      columns:\n")
    elif "columns" in table and style == "columns in brackets":
        lines.append(f"      columns: {json.dumps(table['columns'], ensure_ascii=False)}\n")
    elif "columns" in table:
        lines.append("      columns:\n")
        for column in table["columns"]:
            keys = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in column.items()]
            lines.append("      - " + "\n        ".join(keys) + "  # a column\n")
    return "".join([*lines, "      # the end of it\n"])


@given(
    st.lists(
        st.tuples(old_columns, st.none() | columns, st.sampled_from(["brackets", "lines", "columns in brackets"])),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_any_file_gets_the_columns_and_keeps_all_comments_and_descriptions(found, line_break, ended):
    tables = [
        {"name": f"t{number}"} | ({} if old is None else {"columns": old}) for number, (old, *_) in enumerate(found)
    ]
    text = "sources:\n- name: raw\n  tables:\n" + "".join(
        block(table, style) for table, (*_, style) in zip(tables, found, strict=True)
    )
    text = (text if ended else text.rstrip("\n")).replace("\n", line_break)

    new, _ = written(text, [wanted for _, wanted, _ in found], AT)

    read = yaml.safe_load(new)["sources"][0]["tables"]
    for table, (old, wanted, _) in zip(read, found, strict=True):
        had = {column["name"]: column for column in old or []}
        if wanted is not None:
            assert {column["name"]: column["type"] for column in table["columns"]} == wanted
            described = {column["name"] for column in table["columns"] if "description" in column}
            assert described == {name for name in wanted if "description" in had.get(name, {})}
    assert new.count("# a table") == text.count("# a table")
    assert new.count("# the end of it") == text.count("# the end of it")
    assert written(new, [wanted for _, wanted, _ in found], AT)[0] == new


def test_a_file_that_would_mean_something_else_is_refused():
    text = "sources:\n- name: raw\n  tables:\n  -\n    name: t\n    columns:\n    -\n      name: gone\n    - name: id\n"

    with pytest.raises(CannotEdit):
        written(text, [{"id": "int64"}], AT)
