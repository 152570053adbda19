from __future__ import annotations

from datetime import date, datetime
from itertools import pairwise

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastflowtransform.checks.sequential_values import DatePart, failing_rows, read
from fastflowtransform.errors import BadValue, MissingColumn
from tests.checks.given import rows, section, table


def test_the_distance_is_one_where_none_is_given():
    assert read(section(column="a")) == {"column": "a", "interval": 1, "part": None, "groups": ()}
    assert read(section(column="a", interval=2, datepart="week"))["part"] is DatePart.WEEK


@pytest.mark.parametrize("values", [{"interval": 0}, {"interval": 1.5}, {"datepart": "days"}])
def test_an_interval_is_a_whole_number_and_a_datepart_a_unit(values):
    with pytest.raises(BadValue):
        read(section(column="a", **values))


def test_days_follow_each_other_over_the_end_of_a_month():
    days = table([(date(2026, 1, 31),), (date(2026, 2, 1),), (date(2026, 2, 3),)], a=pa.date32())

    assert rows(failing_rows(days, column="a", part=DatePart.DAY)) == [(date(2026, 2, 3), date(2026, 2, 1))]


def test_months_have_their_own_lengths():
    months = table([(date(2026, month, 1),) for month in (1, 2, 3, 5)], a=pa.date32())

    assert rows(failing_rows(months, column="a", part=DatePart.MONTH)) == [(date(2026, 5, 1), date(2026, 3, 1))]


def test_hours_are_counted_in_timestamps():
    hours = table([(datetime(2026, 1, 1, hour),) for hour in (0, 6, 12, 13)], a=pa.timestamp("us"))

    assert len(rows(failing_rows(hours, column="a", interval=6, part=DatePart.HOUR))) == 1


@pytest.mark.parametrize(
    ("dtype", "part", "complaint"),
    [
        ("date", None, "and no datepart is given"),
        ("date", DatePart.HOUR, 'and datepart is "hour"'),
        ("int64", DatePart.DAY, 'and datepart is "day"'),
        ("string", None, "which has no sequence"),
    ],
)
def test_a_datepart_must_fit_the_column(dtype, part, complaint):
    with pytest.raises(BadValue, match=f'column "a" is of the type "{dtype}", {complaint}'):
        failing_rows(ibis.table({"a": dtype}), column="a", part=part)


def test_a_column_that_is_not_there_is_reported():
    with pytest.raises(MissingColumn, match='group_by_columns is "b"'):
        failing_rows(ibis.table({"a": "int64"}), column="a", groups=("b",))


@settings(deadline=None)  # The first example connects.
@given(st.lists(st.tuples(st.integers(0, 1), st.none() | st.integers(0, 9)), max_size=12), st.integers(1, 2))
def test_the_failing_rows_are_those_after_a_step_of_another_size_in_plain_python(values, interval):
    expected = []
    for group in (0, 1):
        ordered = sorted(value for g, value in values if g == group and value is not None)
        expected += [(group, now, before) for before, now in pairwise(ordered) if now != before + interval]

    numbers = table(values, g=pa.int64(), a=pa.int64())
    failing = rows(failing_rows(numbers, column="a", interval=interval, groups=("g",)))

    assert failing == sorted(expected, key=str)
