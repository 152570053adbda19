"""A stretch of a cursor, taken up window by window: what the table holds then, how it goes on, and what is missing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflowtransform.errors import UsageError
from fastflowtransform.windows import Window, cut, gaps
from tests.conftest import ProjectFolder

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
        ("1", "2026-01-01", None, "differ in kind"),
        ("2", "2", None, '--to "2" is not after --from "2"'),
        ("1", "2", "1 day", '--step "1 day" is no number above 0'),
        ("1", "2", "0", '--step "0" is no number above 0'),
        ("2026-01-01", "2026-01-02", "5", '--step "5" is no length of time'),
        ("2026-01-01", "2026-01-02", "0 days", '--step "0 days" is no length of time'),
    ],
)
def test_what_names_no_windows_is_told(start: str, end: str, step: str | None, words: str):
    with pytest.raises(UsageError) as raised:
        cut(start, end, step)

    assert words in raised.value.message


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
