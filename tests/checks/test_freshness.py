from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastflowtransform.checks.freshness import failing_rows, read
from fastflowtransform.errors import BadValue, MissingColumn, MissingKey
from tests.checks.given import rows, section, table

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_the_age_is_a_length_of_time():
    assert read(section(column="at", max_age="90 minutes")) == {"column": "at", "max_age": timedelta(minutes=90)}


@pytest.mark.parametrize("values", [{"column": "at"}, {"max_age": "1 hour"}])
def test_column_and_age_must_be_given(values):
    with pytest.raises(MissingKey):
        read(section(**values))


def test_a_timestamp_with_a_time_zone_is_compared_as_the_moment_it_is():
    berlin = timezone(HOUR)
    newest = datetime(2026, 1, 1, 12, 30, tzinfo=berlin)  # 11:30 in UTC.
    at = table([(newest,)], at=pa.timestamp("us", "Europe/Berlin"))

    assert rows(failing_rows(at, column="at", max_age=HOUR, now=NOON)) == []
    assert len(rows(failing_rows(at, column="at", max_age=HOUR / 3, now=NOON))) == 1


def test_the_clock_may_be_in_any_time_zone():
    at = table([(datetime(2026, 1, 1, 11, 30),)], at=pa.timestamp("us"))
    now = NOON.astimezone(timezone(timedelta(hours=-5)))

    assert rows(failing_rows(at, column="at", max_age=HOUR, now=now)) == []


def test_a_date_is_its_first_moment():
    day = table([(date(2026, 1, 1),)], at=pa.date32())

    assert rows(failing_rows(day, column="at", max_age=12 * HOUR, now=NOON)) == []
    assert len(rows(failing_rows(day, column="at", max_age=11 * HOUR, now=NOON))) == 1


def test_a_column_without_times_is_an_error():
    with pytest.raises(BadValue, match='is of the type "int64", and holds no timestamps'):
        failing_rows(ibis.table({"at": "int64"}), column="at", max_age=HOUR, now=NOON)


def test_a_column_that_is_not_there_is_reported():
    with pytest.raises(MissingColumn, match='column is "att"'):
        failing_rows(ibis.table({"at": "timestamp"}), column="att", max_age=HOUR, now=NOON)


@settings(deadline=None)  # The first example connects.
@given(st.lists(st.none() | st.integers(0, 180), max_size=5), st.integers(0, 180))
def test_it_fails_where_no_row_is_as_young_as_plain_python_asks(ages, allowed):
    naive = NOON.replace(tzinfo=None)
    times = [(None if age is None else naive - timedelta(minutes=age),) for age in ages]

    failing = rows(
        failing_rows(table(times, at=pa.timestamp("us")), column="at", max_age=timedelta(minutes=allowed), now=NOON)
    )

    assert bool(failing) == (not any(age is not None and age <= allowed for age in ages))
