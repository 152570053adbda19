"""A stretch of a cursor, taken up window by window: what the table holds then, how it goes on, and what is missing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflowtransform.backfill import pieces
from fastflowtransform.errors import Location, UsageError
from fastflowtransform.materializations.base import Action, Verb
from fastflowtransform.model import Model, SqlBody
from fastflowtransform.plan import Plan, Step
from fastflowtransform.relation import Relation
from fastflowtransform.template import Template
from fastflowtransform.windows import Window, cut, gaps
from tests.conftest import ProjectFolder

pytestmark = pytest.mark.ledger

FCT = (
    "{{ config(materialized='incremental', unique_key='id', updated_at='seen') }} "
    "select id, seen, v {more} from events where seen >= 0 or seen is null"
)


@pytest.mark.parametrize(
    ("start", "end", "step", "windows"),
    [
        ("0", "25", "10", ["0 to 10", "10 to 20", "20 to 25"]),
        ("0", "20", "10", ["0 to 10", "10 to 20"]),
        ("0.5", "1.5", "0.5", ["0.5 to 1.0", "1.0 to 1.5"]),
        ("2026-01-31", "2026-02-02", "1 day", ["2026-01-31 to 2026-02-01", "2026-02-01 to 2026-02-02"]),
        (
            "2026-01-31",
            "2026-02-01",
            "12 hours",
            ["2026-01-31 00:00:00 to 2026-01-31 12:00:00", "2026-01-31 12:00:00 to 2026-02-01 00:00:00"],
        ),
        ("2026-01-31 23:00", "2026-02-01", None, ["2026-01-31 23:00 to 2026-02-01"]),
        ("2026-01-31T23:00:00+02:00", "2026-02-01", "1 day", ["2026-01-31 21:00:00 to 2026-02-01 00:00:00"]),
    ],
)
def test_a_stretch_is_cut_into_windows(start: str, end: str, step: str | None, windows: list[str]):
    assert [str(window) for window in cut(start, end, step)] == windows


@pytest.mark.parametrize(
    ("start", "end", "step", "words"),
    [
        ("x", "2", None, '--from "x" is neither a number nor a date'),
        ("0.5", "inf", "1", '--to "inf" is neither a number nor a date'),
        ("nan", "2.5", "1", '--from "nan" is neither a number nor a date'),
        ("1", "2026-01-01", None, "differ in kind"),
        ("2", "2", None, '--to "2" is not after --from "2"'),
        ("1", "2", "1 day", '--step "1 day" is no number above 0'),
        ("1", "2", "0", '--step "0" is no number above 0'),
        ("2026-01-01", "2026-01-02", "5", '--step "5" is no length of time'),
        ("2026-01-01", "2026-01-02", "0 days", '--step "0 days" is no length of time'),
        ("2026-01-01", "2026-01-02", "99999999999 weeks", '"99999999999 weeks" is no length of time'),
        ("0001-01-01", "9999-12-31", "1 minute", "into 5,258,963,520 windows"),
        ("0", "100001", "1", "into 100,001 windows"),
        ("0.5", "100001.0", "1", "into 100,001 windows"),
    ],
)
def test_what_names_no_windows_is_told(start: str, end: str, step: str | None, words: str):
    with pytest.raises(UsageError) as raised:
        cut(start, end, step)

    assert words in raised.value.message


def test_the_last_window_may_end_with_the_calendar():
    assert [str(found) for found in cut("9999-12-30", "9999-12-31", "1 week")] == ["9999-12-30 to 9999-12-31"]


@given(st.integers(-50, 50), st.integers(1, 100), st.integers(1, 30))
def test_each_value_of_a_stretch_is_in_one_window(start: int, length: int, step: int):
    windows = cut(str(start), str(start + length), str(step))

    for value in range(start - 1, start + length + 1):
        found = [window for window in windows if int(window.start) <= value < int(window.end)]
        assert len(found) == (1 if start <= value < start + length else 0)


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 5)), min_size=1, max_size=6))
def test_gaps_are_what_lies_between_and_is_in_none(stretches: list[tuple[int, int]]):
    known = [(str(start), str(start + length)) for start, length in stretches]
    inside = {value for start, length in stretches for value in range(start, start + length)}

    missing = {value for gap in gaps(known) for value in range(int(gap.start), int(gap.end))}

    assert missing == set(range(min(inside), max(inside) + 1)) - inside


def test_what_was_built_as_a_whole_has_no_gap_before_it():
    assert gaps([(None, "2026-01-05"), ("2026-01-03", "2026-01-09")]) == []
    assert gaps([(None, "2026-01-05"), ("2026-01-07", "2026-01-09")]) == [Window("2026-01-05", "2026-01-07")]


def events(project: ProjectFolder, *rows: str) -> None:
    project.sql("drop table if exists events")
    project.sql(f"create table events as select * from (values {', '.join(rows)}) as r(id, seen, v)")


def table(project: ProjectFolder) -> list[tuple[object, ...]]:
    return project.sql("select id, seen, v from fct order by id")


@pytest.fixture
def windowed(each_project: ProjectFolder) -> ProjectFolder:
    """A project on each engine, over a table of six rows, two of one key."""
    each_project.write({"models/fct.ff.sql": FCT.replace("{more}", "")})
    events(
        each_project, "(1, 5, 'a')", "(2, 15, 'b')", "(1, 25, 'A')", "(3, 25, 'c')", "(4, 41, 'd')", "(5, null, 'e')"
    )
    return each_project


@pytest.fixture
def local(project: ProjectFolder) -> ProjectFolder:
    """The same on DuckDB."""
    project.write({"models/fct.ff.sql": FCT.replace("{more}", "")})
    events(project, "(1, 5, 'a')", "(2, 15, 'b')", "(1, 25, 'A')", "(3, 25, 'c')", "(4, 41, 'd')", "(5, null, 'e')")
    return project


ALL = [(1, 25, "A"), (2, 15, "b"), (3, 25, "c"), (4, 41, "d"), (5, None, "e")]


def test_a_table_built_in_windows_holds_what_it_would_hold_as_a_whole(windowed: ProjectFolder):
    answer = windowed.fft("run", "--full-refresh", "--from", "0", "--to", "50", "--step", "25")

    assert answer.code == 0, answer.err
    assert table(windowed) == ALL
    states = windowed.sql("select window_from, window_to from fft_model_state where window_from is not null order by 1")
    assert states == [("0", "25"), ("25", "50")]


def test_rows_of_the_past_are_taken_up_and_older_ones_do_not_win(windowed: ProjectFolder):
    windowed.fft("run")
    events(windowed, "(6, 12, 'late')", "(2, 16, 'B')", "(1, 17, 'old')", "(4, 41, 'changed')")

    answer = windowed.fft("run", "--from", "10", "--to", "20", "--step", "7")

    assert answer.code == 0, answer.err
    assert table(windowed) == [
        (1, 25, "A"),
        (2, 16, "B"),
        (3, 25, "c"),
        (4, 41, "d"),
        (5, None, "e"),
        (6, 12, "late"),
    ]


def test_the_old_table_stands_until_the_last_window_is_done(local: ProjectFolder):
    local.fft("run")
    local.write({"models/fct.ff.sql": FCT.replace("{more}", ", case when seen > 40 then error('no') end as e")})

    answer = local.fft("run", "--full-refresh", "--from", "0", "--to", "50", "--step", "10")

    assert answer.code == 1
    assert "in the window 40 to 50" in answer.err
    assert "--resume" in answer.err
    assert table(local) == ALL


def test_a_backfill_that_was_stopped_goes_on_where_it_stopped(local: ProjectFolder):
    local.sql("create table breaks as select true as now")
    model = FCT.replace("{more}", ", case when seen > 20 and (select now from breaks) then error('no') end as e")
    local.write({"models/fct.ff.sql": model})
    assert local.fft("run", "--full-refresh", "--from", "0", "--to", "50", "--step", "10").code == 1
    local.sql("update breaks set now = false")

    answer = local.fft("run", "--full-refresh", "--from", "0", "--to", "50", "--step", "10", "--resume")

    assert answer.code == 0, answer.err
    assert table(local) == ALL
    assert "0 to 10 is done" not in answer.out
    assert "20 to 30 is done" in answer.out
    assert local.sql("select count(*) from duckdb_tables() where table_name like '%__fft_windows'") == [(0,)]


def test_a_backfill_of_another_query_begins_anew(local: ProjectFolder):
    local.write({"models/fct.ff.sql": FCT.replace("{more}", ", case when seen > 20 then error('no') end as e")})
    local.fft("run", "--full-refresh", "--from", "0", "--to", "50", "--step", "10")
    local.write({"models/fct.ff.sql": FCT.replace("{more}", "")})

    answer = local.fft("run", "--full-refresh", "--from", "0", "--to", "50", "--step", "10", "--resume")

    assert answer.code == 0, answer.err
    assert "0 to 10 is done" in answer.out
    assert table(local) == ALL


def test_a_backfill_that_came_to_its_end_begins_anew(local: ProjectFolder):
    local.fft("run")
    arguments = ("run", "--from", "0", "--to", "50", "--step", "25")
    local.fft(*arguments)

    answer = local.fft(*arguments, "--resume")

    assert "0 to 25 is done" in answer.out


def test_gaps_of_a_model_are_told(local: ProjectFolder):
    local.fft("run", "--from", "0", "--to", "10", "--full-refresh")
    assert local.fft("history", "fct", "--gaps").out == 'no gap in what runs took up of "fct"\n'
    local.fft("run", "--from", "20", "--to", "30")

    answer = local.fft("history", "fct", "--gaps", "--json")

    assert json.loads(answer.out) == {"event": "gap", "start": "10", "end": "20"}


WRONG = {
    "a table": ("{{ config(materialized='table') }} select 1 as id", "is not incremental"),
    "no cursor": ("{{ config(materialized='incremental', unique_key='id') }} select 1 as id", "has no updated_at"),
    "no key": ("{{ config(materialized='incremental', updated_at='id') }} select 1 as id", "has no unique_key"),
    "a delta of its own": (
        "{{ config(materialized='incremental', unique_key='id', updated_at='id') }} select 1 as id"
        "{% if is_incremental() %} where true{% endif %}",
        "has a delta of its own",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_model_that_cannot_be_run_in_windows_is_refused_before_anything_runs(project: ProjectFolder, what: str):
    text, words = WRONG[what]
    project.write({"models/m.ff.sql": text})

    answer = project.fft("run", "--from", "1", "--to", "2")

    assert (answer.code, words in answer.err) == (2, True), answer.err


def test_rows_without_a_key_are_built_in_windows_that_follow_each_other(project: ProjectFolder):
    project.write(
        {"models/m.ff.sql": "{{ config(materialized='incremental', updated_at='i') }} select i from range(10) as r(i)"}
    )

    answer = project.fft("run", "--full-refresh", "--from", "0", "--to", "10", "--step", "3")

    assert answer.code == 0, answer.err
    assert project.sql("select count(*), min(i), max(i) from m") == [(10, 0, 9)]


@pytest.mark.parametrize("arguments", [("--from", "1"), ("--to", "1"), ("--step", "1"), ("--resume",)])
def test_half_a_stretch_is_no_stretch(project: ProjectFolder, arguments: tuple[str, ...]):
    answer = project.fft("run", *arguments)

    assert (answer.code, "belong together" in answer.err) == (2, True)


APART = (
    "{{ config(materialized='incremental', unique_key=['id', 'seen'], updated_at='seen') }} "
    "select id, seen, v from events where seen is not null"
)


@pytest.fixture
def apart(each_project: ProjectFolder) -> ProjectFolder:
    """A project on each engine whose key holds the cursor, over 400 rows with some twins."""
    each_project.write({"models/fct.ff.sql": APART})
    events(each_project, *(f"({number % 37}, {number % 200}, 'v{number % 3}')" for number in range(400)))
    return each_project


@pytest.mark.parametrize("refresh", [("--full-refresh",), ()])
def test_windows_taken_up_at_once_give_what_one_run_gives(apart: ProjectFolder, refresh: tuple[str, ...]):
    assert apart.fft("run", "--full-refresh").code == 0
    expected = apart.sql("select id, seen, v from fct order by 1, 2, 3")
    apart.sql("delete from fct where seen >= 30")

    answer = apart.fft("run", *refresh, "--from", "0", "--to", "200", "--step", "50", "--jobs", "4")

    assert answer.code == 0, answer.err
    assert apart.sql("select id, seen, v from fct order by 1, 2, 3") == expected
    windows = apart.sql("select window_from, inserted from fft_model_state where window_from is not null")
    assert len(windows) == 4
    assert sum(inserted for _, inserted in windows) == (len(expected) if refresh else len(expected) * 170 // 200)


def test_the_first_of_windows_at_once_makes_the_columns_for_all(apart: ProjectFolder):
    apart.write(
        {
            "models/fct.ff.sql": APART.replace(
                "updated_at='seen'", "updated_at='seen', on_schema_change='append_new_columns'"
            )
        }
    )
    assert apart.fft("run").code == 0
    wider = APART.replace("updated_at='seen'", "updated_at='seen', on_schema_change='append_new_columns'").replace(
        " v ", " v, id + 1 as w "
    )
    apart.write({"models/fct.ff.sql": wider})

    answer = apart.fft("run", "--from", "0", "--to", "200", "--step", "50", "--jobs", "4")

    assert answer.code == 0, answer.err
    assert apart.sql("select count(*) from fct where w = id + 1") == apart.sql("select count(*) from fct")


def starts(shared: tuple[str, ...]) -> list[set[str]]:
    """Return what of two models in three windows can start at once, from time to time."""
    models = [Model(name, SqlBody(Template("", Location("m.ff.sql"))), Location("m.ff.sql")) for name in ("a", "b")]
    steps = tuple(Step(model, Relation("db", model.name), Action(Verb.MERGE, "", "")) for model in models)
    plan = Plan(steps, ("a", "b"), {}, {}, windows=cut("0", "3", "1"))
    ready, _ = pieces(plan, {"b": {"a"}}, shared)
    found = []
    while not ready.is_over:
        found.append({node for node in iter(ready.next, None)})
        for node in found[-1]:
            ready.ended(node)
    return found


def test_windows_that_may_be_taken_up_at_once_follow_the_first_one_and_others_each_other():
    in_turn = [{"b 0 to 1"}, {"b 1 to 2"}, {"b 2 to 3"}, {"b"}]
    assert starts(("a",)) == [{"a 0 to 1"}, {"a 1 to 2", "a 2 to 3"}, {"a"}, *in_turn]
    assert starts(())[:4] == [{"a 0 to 1"}, {"a 1 to 2"}, {"a 2 to 3"}, {"a"}]


def test_a_window_at_once_that_fails_leaves_the_others_done_and_the_old_table_where_it_was(local: ProjectFolder):
    local.sql("create table breaks as select true as now")
    local.fft("run")
    model = APART.replace(" v ", " case when seen = 25 and (select now from breaks) then error('no') else v end as v ")
    local.write({"models/fct.ff.sql": model})
    command = ("run", "--full-refresh", "--from", "0", "--to", "50", "--step", "10", "--jobs", "4")

    answer = local.fft(*command)

    assert answer.code == 1
    assert "in the window 20 to 30" in answer.err
    assert table(local) == ALL
    local.sql("update breaks set now = false")
    again = local.fft(*command, "--resume")
    assert again.code == 0, again.err
    assert "0 to 10 is done" not in again.out
    assert table(local) == [(1, 5, "a"), (1, 25, "A"), (2, 15, "b"), (3, 25, "c"), (4, 41, "d")]


def test_what_is_below_a_backfill_waits_for_its_end(local: ProjectFolder):
    below = (
        "{{ config(materialized='incremental', unique_key='id', updated_at='seen') }} select * from {{ ref('fct') }}"
    )
    local.write({"models/fct.ff.sql": APART, "models/below.ff.sql": below})

    answer = local.fft("run", "--from", "0", "--to", "50", "--step", "10", "--jobs", "4")

    assert answer.code == 0, answer.err
    assert local.sql("select id, seen from below order by id") == [(1, 25), (2, 15), (3, 25), (4, 41)]


def test_a_timeout_is_about_one_window(local: ProjectFolder):
    slow = APART.replace(
        "select id, seen, v",
        "select id, seen, (select count(*) from range(30000) a, range(30000) b where a.range + b.range = seen) as v",
    )
    local.write({"models/fct.ff.sql": slow.replace(" v ", " v ")})

    answer = local.fft("run", "--from", "0", "--to", "50", "--step", "10", "--timeout", "0.01")

    assert answer.code == 1
    assert "in the window 0 to 10" in answer.err
    assert "skipped" not in answer.err


@pytest.mark.parametrize(
    ("model", "arguments", "words"),
    [
        (FCT.replace("{more}", ""), (), "5 windows, one after the other: seen is not a part of the key"),
        (APART, (), "5 windows, at once, as many as --jobs says"),
        (APART, ("--resume",), "3 windows of 5, at once"),
    ],
)
def test_a_plan_says_how_windows_would_be_taken_up(
    local: ProjectFolder, model: str, arguments: tuple[str, ...], words: str
):
    local.write({"models/fct.ff.sql": model})
    stretch = ("--from", "0", "--to", "50", "--step", "10")
    if arguments:
        local.sql("create table breaks as select true as now")
        fails = "case when (select now from breaks) then error('no') else true end"
        breaks = f"where seen is not null and (seen < 20 or {fails})"
        local.write({"models/fct.ff.sql": model.replace("where seen is not null", breaks)})
        local.fft("run", *stretch)

    answer = local.fft("plan", *stretch, *arguments)

    assert answer.code == 0, answer.err
    assert words in " ".join(answer.out.split())
    assert local.sql("select count(*) from duckdb_tables() where table_name = 'fct'") == [(0,)]
