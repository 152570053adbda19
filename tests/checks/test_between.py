from __future__ import annotations

from datetime import date

import ibis
import pyarrow as pa
import pytest

from fastflowtransform.checks.between import failing_rows, read
from fastflowtransform.errors import BadValue, MissingColumn, MissingKey
from tests.checks.given import rows, section


def test_min_and_max_are_read_as_they_are_written():
    assert read(section(column="a", min=0, max=1.5)) == {"column": "a", "low": 0, "high": 1.5}


def test_one_bound_is_enough_and_none_is_an_error():
    assert read(section(column="a", max=1)) == {"column": "a", "low": None, "high": 1}
    with pytest.raises(MissingKey, match='check "x" has no "min" and no "max"'):
        read(section(column="a"))


@pytest.mark.parametrize(("low", "high"), [(2, 1.5), (date(2026, 1, 2), date(2026, 1, 1))])
def test_a_smallest_value_above_the_largest_is_an_error(low, high):
    with pytest.raises(BadValue, match="so that nothing passes"):
        read(section(column="a", min=low, max=high))


def test_a_bound_must_be_a_single_value():
    with pytest.raises(BadValue, match="not a single value"):
        read(section(column="a", min=[1, 2]))


def test_the_bounds_themselves_pass_and_what_is_outside_fails():
    table = ibis.memtable({"a": [-1, 0, 5, 10, 11]})

    assert rows(failing_rows(table, column="a", low=0, high=10)) == [(-1,), (11,)]


def test_a_side_without_a_bound_is_open():
    table = ibis.memtable({"a": [-1, 0, 11]})

    assert rows(failing_rows(table, column="a", low=0)) == [(-1,)]
    assert rows(failing_rows(table, column="a", high=0)) == [(11,)]


def test_a_fraction_bounds_whole_numbers():
    table = ibis.memtable({"a": [0, 1]})

    assert rows(failing_rows(table, column="a", low=0.5)) == [(0,)]


def test_null_is_no_value_and_passes():
    table = ibis.memtable(pa.table({"a": pa.array([None], pa.int64())}))

    assert rows(failing_rows(table, column="a", low=0, high=10)) == []


def test_dates_are_compared_as_dates():
    table = ibis.memtable({"day": [date(2023, 12, 31), date(2024, 1, 1), date(2025, 1, 1)]})

    failing = rows(failing_rows(table, column="day", low="2024-01-01", high=date(2024, 12, 31)))

    assert failing == [(date(2023, 12, 31),), (date(2025, 1, 1),)]


def test_a_column_that_is_not_there_is_reported():
    with pytest.raises(MissingColumn, match='column is "b"'):
        failing_rows(ibis.table({"a": "int64"}), column="b", low=1)
