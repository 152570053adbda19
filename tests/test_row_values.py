"""Rows for people: values that Python cannot hold, and columns without names or with the same, end no command."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflowtransform.row_values import distinct, python_rows, python_values
from tests.conftest import ProjectFolder

BEYOND = {
    "an infinite date": ("duckdb postgres", "date 'infinity'", "infinity"),
    "a date that is endless before": ("duckdb postgres", "date '-infinity'", "-infinity"),
    "an infinite moment": ("duckdb postgres", "timestamp 'infinity'", "infinity"),
    "an infinite moment with a zone": ("duckdb postgres", "timestamp with time zone '-infinity'", "-infinity"),
    "a date of the year 20000": ("duckdb postgres", "date '20000-01-01'", "20000-01-01"),
    "a moment of the year 20000": ("duckdb postgres", "timestamp '20000-01-01 12:30:00.5'", "20000-01-01 12:30:00.5"),
    "a date before Christ": ("duckdb", "date '0044-03-15 (BC)'", "0044-03-15 BC"),
    "a date before Christ, on PostgreSQL": ("postgres", "date '0044-03-15 BC'", "0044-03-15 BC"),
    "the end of the day": ("duckdb postgres", "time '24:00:00'", "24:00:00"),
    "a list of them": ("duckdb", "[date 'infinity']", "['infinity']"),
    "an array of them": ("postgres", "array[date 'infinity']", "['infinity']"),
    "a struct of them": ("duckdb", "{'at': date 'infinity'}", "{'at': 'infinity'}"),
    "nanoseconds": ("duckdb", "timestamp_ns '2026-01-01 00:00:00.123456789'", "2026-01-01 00:00:00.123456789"),
    "a long interval": ("duckdb", "interval '99999999 years'", "1199999988 months"),
    "no number": ("postgres", "'NaN'::numeric", "NaN"),
    "an infinite number": ("postgres", "'Infinity'::numeric", "Infinity"),
    "a number of 100 digits": ("postgres", "1e99::numeric", "1" + "0" * 99),
    "half a character": ("duckdb", "'\\xff'::blob", "b'\\xff'"),
}
CASES = [(engine, name) for name, (engines, *_) in BEYOND.items() for engine in engines.split()]


@pytest.mark.parametrize(("each_project", "case"), CASES, indirect=["each_project"])
def test_a_value_that_python_cannot_hold_is_shown_where_a_check_fails_and_where_it_is_looked_at(
    each_project: ProjectFolder, case: str
):
    _, expression, text = BEYOND[case]
    each_project.write(
        {
            "project.yml": "name: test\n",
            "models/m.ff.sql": f"{{{{ config(materialized='table') }}}}\nselect 1 as id, {expression} as v",
            "models/m.yml": "models: [{name: m, columns: [{name: id, tests: [{accepted_values: {values: [2]}}]}]}]\n",
        }
    )
    each_project.fft("run")

    test, shown = each_project.fft("test"), each_project.fft("show", "m")

    assert "1 failed" in test.out, test
    assert text in test.out
    assert text in shown.out
    json.loads((each_project.folder / "target" / "run_results.json").read_text())


@pytest.mark.parametrize(
    "select", ["select 1, 2", "select 1 as a, 2 as a", "select count(*), count(*) from {{ ref('m') }}"]
)
def test_failing_rows_whose_columns_have_no_names_or_the_same_are_shown(each_project: ProjectFolder, select: str):
    each_project.write({"models/m.ff.sql": "select 1 as id", "tests/c.ff.sql": select})
    each_project.fft("run")

    answer = each_project.fft("test")

    assert answer.code == 1
    assert "1 failed" in answer.out, answer
    assert "C900" not in answer.err


def test_checks_of_a_model_without_rows_pass(each_project: ProjectFolder):
    each_project.write(
        {
            "models/m.ff.sql": "{{ config(materialized='table') }}\nselect cast(1 as int) as k where 1 = 0",
            "models/m.yml": "models:\n  - name: m\n    tests: [{row_count_between: {min: 0}}]\n"
            "    columns: [{name: k, tests: [not_null, unique]}]\n",
        }
    )

    answer = each_project.fft("build")

    assert answer.code == 0, answer


@given(st.dates())
def test_the_calendar_of_other_years_agrees_with_pythons(day: date):
    # The calendar repeats every 400 years, of 146,097 days.
    later = (day - date(1970, 1, 1)).days + 25 * 146_097

    assert [str(value) for value in python_values(pa.array([later], pa.date32()))] == [
        f"{day.year + 10_000:04}-{day:%m-%d}"
    ]


@given(st.lists(st.sampled_from(["a", "A", "a_1", "A_1", "a_2", "b"])))
def test_names_that_come_again_are_told_apart_and_the_others_stay(names: list[str]):
    found = distinct(names, str.lower)

    assert len({name.lower() for name in found}) == len(names)
    assert [name for name in found if name in names] or not names


NUMBERS = st.decimals(allow_nan=False, places=2, max_value=10**9, min_value=0)


@given(st.lists(st.tuples(st.none() | st.datetimes(), st.none() | NUMBERS)))
def test_what_python_can_hold_is_what_arrow_gives(rows: list[tuple[datetime | None, Decimal | None]]):
    moments, numbers = zip(*rows, strict=True) if rows else ((), ())
    columns = [pa.array(moments, pa.timestamp("us")), pa.array(numbers, pa.decimal128(20, 2))]
    batch = pa.RecordBatch.from_arrays(columns, ["at", "n"])

    assert python_rows([batch]) == batch.to_pylist()


def test_a_length_of_time_is_pythons_where_it_has_no_months():
    lengths = pa.array([pa.MonthDayNano([0, 1, 1000]), pa.MonthDayNano([14, 0, 0])])

    assert python_values(lengths) == [timedelta(days=1, microseconds=1), "14 months"]
