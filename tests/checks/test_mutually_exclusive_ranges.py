from __future__ import annotations

from itertools import groupby

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastflowtransform.checks.mutually_exclusive_ranges import Gaps, failing_rows, read
from fastflowtransform.errors import BadValue, MissingColumn, MissingKey
from tests.checks.given import rows, section, table


def test_what_is_not_said_has_the_defaults_of_dbt_utils():
    assert read(section(lower_bound_column="a", upper_bound_column="b")) == {
        "lower": "a",
        "upper": "b",
        "partition": (),
        "gaps": Gaps.ALLOWED,
        "empty": False,
    }


def test_both_bounds_must_be_given_and_gaps_be_known():
    with pytest.raises(MissingKey, match='no "upper_bound_column"'):
        read(section(lower_bound_column="a"))
    with pytest.raises(BadValue, match='"gaps" of check "x" is "not allowed"'):
        read(section(lower_bound_column="a", upper_bound_column="b", gaps="not allowed"))


@pytest.mark.parametrize(("gaps", "failing"), [("allowed", []), ("not_allowed", [(3, 4)]), ("required", [(1, 3)])])
def test_gaps_are_judged_behind_a_range(gaps, failing):
    ranges = table([(1, 3), (3, 4), (5, 6)], a=pa.int64(), b=pa.int64())

    assert rows(failing_rows(ranges, lower="a", upper="b", gaps=Gaps(gaps))) == failing


def test_a_range_without_an_end_may_only_be_the_last():
    ranges = table([(1, None), (3, None)], a=pa.int64(), b=pa.int64())

    assert rows(failing_rows(ranges, lower="a", upper="b")) == [(1, None)]


def test_only_ranges_of_one_partition_exclude_each_other():
    ranges = table([("x", 1, 5), ("y", 2, 3)], p=pa.string(), a=pa.int64(), b=pa.int64())

    assert rows(failing_rows(ranges, lower="a", upper="b", partition=("p",))) == []
    assert rows(failing_rows(ranges, lower="a", upper="b")) == [("x", 1, 5)]


def test_columns_that_are_not_there_are_reported():
    with pytest.raises(MissingColumn, match='upper_bound_column is "c"'):
        failing_rows(ibis.table({"a": "int64", "b": "int64"}), lower="a", upper="c")


BOUND = st.none() | st.integers(0, 6)


@settings(deadline=None)  # The first example connects.
@given(st.lists(st.tuples(st.integers(0, 1), BOUND, BOUND), max_size=6), st.booleans())
def test_it_passes_where_plain_python_finds_no_point_in_two_ranges(values, empty):
    def wrong(ranges: list[tuple[int, float, float]]) -> bool:
        if any(high < low or (high == low and not empty) for _, low, high in ranges):
            return True
        ordered = sorted(ranges)
        return any(high > low for (_, _, high), (_, low, _) in zip(ordered, ordered[1:], strict=False))

    bounded = sorted((p, -1 if a is None else a, 99 if b is None else b) for p, a, b in values)
    expected = any(wrong(list(group)) for _, group in groupby(bounded, key=lambda row: row[0]))

    ranges = table(values, p=pa.int64(), a=pa.int64(), b=pa.int64())
    failing = rows(failing_rows(ranges, lower="a", upper="b", partition=("p",), empty=empty))

    assert bool(failing) == expected
