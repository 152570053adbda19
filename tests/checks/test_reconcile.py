"""The checks that compare this table with another one: `reconcile_*`."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from fractions import Fraction

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastflowtransform.checks import check
from fastflowtransform.checks.nodes import Other
from fastflowtransform.checks.totals import Total, Totals
from fastflowtransform.errors import BadValue, MissingColumn, MissingKey
from tests.checks.given import rows, section, table

COUNT = Totals(Total("count"), Total("count"))
SUM = Totals(Total("sum", "v"), Total("sum", "v"))
GROUPED = Totals(Total("sum", "v"), Total("sum", "v"), ("a",))

equal, difference, ratio = (
    check(name).failing_rows for name in ("reconcile_equal", "reconcile_diff_within", "reconcile_ratio_within")
)
coverage = check("reconcile_coverage").failing_rows


def one(*values: int | None) -> ibis.Table:
    return table([(value,) for value in values], v=pa.int64())


def read(name: str, **values: object) -> dict[str, object]:
    return check(name).read(section(**values))


@pytest.mark.parametrize("name", ["reconcile_diff_within", "reconcile_ratio_within"])
def test_one_bound_is_enough_and_none_is_an_error(name):
    assert read(name, value="count()", to="o", min="0.5") == {
        "to": Other("o"),
        "totals": COUNT,
        "low": 0.5,
        "high": None,
    }
    with pytest.raises(MissingKey, match='no "min" and no "max"'):
        read(name, value="count()", to="o")


@pytest.mark.parametrize("value", ["x", "nan", True, [1]])
def test_a_bound_and_a_tolerance_are_numbers(value):
    with pytest.raises(BadValue, match="not a"):
        read("reconcile_ratio_within", value="count()", to="o", max=value)
    with pytest.raises(BadValue, match="not a number"):
        read("reconcile_equal", value="count()", to="o", tolerance=value)


def test_a_tolerance_is_zero_where_none_is_given_and_never_less():
    assert read("reconcile_equal", value="count()", to="o") == {"to": Other("o"), "totals": COUNT, "tolerance": 0}
    with pytest.raises(BadValue, match="not zero or more"):
        read("reconcile_equal", value="count()", to="o", tolerance=-1)


def test_anything_of_one_type_can_be_equal():
    names = Totals(Total("max", "n"), Total("max", "n"))
    ada, bob = ibis.memtable({"n": ["ada"]}), ibis.memtable({"n": ["bob"]})

    assert rows(equal(ada, ada, totals=names)) == []
    assert rows(equal(ada, bob, totals=names)) == [("ada", "bob")]


def test_what_cannot_be_compared_is_an_error():
    texts, numbers = ibis.table({"v": "string"}), ibis.table({"v": "int64"})
    both = Totals(Total("max", "v"), Total("max", "v"))

    with pytest.raises(BadValue, match='"max\\(v\\)" and "max\\(v\\)" are of the types'):
        equal(texts, numbers, totals=both)
    with pytest.raises(BadValue, match="which cannot be compared"):
        equal(texts, texts, totals=both, tolerance=1)
    with pytest.raises(BadValue, match='"value" is of the type "string", and no number'):
        ratio(texts, texts, totals=both, low=1)


@pytest.mark.parametrize(
    ("mine", "theirs", "fails"),
    [(0, 0, False), (1, 0, True), (0, 1, True), (None, None, False), (None, 1, True), (1, None, True), (2, 2, False)],
)
def test_a_ratio_to_nothing_is_none_and_fails_and_zero_to_zero_is_one(mine, theirs, fails):
    assert bool(rows(ratio(one(mine), one(theirs), totals=SUM, low=1, high=1))) == fails


def test_whole_numbers_have_a_ratio_with_a_fraction():
    assert rows(ratio(one(1), one(4), totals=SUM, low=1)) == [(1, 4, 0.25)]


VALUES = st.lists(st.tuples(st.none() | st.integers(0, 2), st.none() | st.integers(-2, 3)), max_size=8)


def sums(values: list[tuple[int | None, int | None]]) -> dict[int | None, int | None]:
    found: dict[int | None, int | None] = {}
    for group, value in values:
        found[group] = found.get(group) if value is None else (found.get(group) or 0) + value
    return found


def compared(mine, theirs, *, fails):
    """Return the groups, with both sums, for which plain Python says that the check fails."""
    left, right = defaultdict(lambda: None, sums(mine)), defaultdict(lambda: None, sums(theirs))
    both = {(group, left[group], right[group]) for group in {**sums(mine), **sums(theirs)}}
    return sorted([triple for triple in both if fails(triple[1], triple[2])], key=str)


def groups(values):
    return table(values, a=pa.int64(), v=pa.int64())


@settings(deadline=None)  # The first example connects.
@given(VALUES, VALUES, st.integers(0, 2))
def test_equal_fails_for_the_groups_that_differ_in_plain_python(mine, theirs, tolerance):
    def fails(left, right):
        return abs(left - right) > tolerance if None not in (left, right) else left != right

    failing = rows(equal(groups(mine), groups(theirs), totals=GROUPED, tolerance=tolerance))

    assert failing == compared(mine, theirs, fails=fails)


@settings(deadline=None)
@given(VALUES, VALUES, st.integers(-2, 2))
def test_a_difference_fails_for_the_groups_where_plain_python_finds_it_too_small(mine, theirs, low):
    def fails(left, right):
        return left - right < low if None not in (left, right) else left != right

    failing = [row[:3] for row in rows(difference(groups(mine), groups(theirs), totals=GROUPED, low=low))]

    assert failing == compared(mine, theirs, fails=fails)


@settings(deadline=None)
@given(VALUES, VALUES, st.sampled_from([-1, 0.5, 1]))
def test_a_ratio_fails_for_the_groups_where_plain_python_finds_it_too_large(mine, theirs, high):
    def fails(left, right):
        if None in (left, right):
            return left != right
        return (left != 0 or high < 1) if right == 0 else Fraction(left, right) > high

    failing = [row[:3] for row in rows(ratio(groups(mine), groups(theirs), totals=GROUPED, high=high))]

    assert failing == compared(mine, theirs, fails=fails)


def test_the_keys_have_the_same_names_where_no_others_are_given():
    assert read("reconcile_coverage", columns=["a", "b"], to="o") == {
        "to": Other("o"),
        "columns": ("a", "b"),
        "to_columns": ("a", "b"),
        "share": 1,
    }
    with pytest.raises(BadValue, match='"to_columns" of check "x" names 1, and "columns" 2'):
        read("reconcile_coverage", columns=["a", "b"], to="o", to_columns="a")


def test_a_share_is_from_zero_to_one():
    with pytest.raises(BadValue, match="not a share from 0 to 1"):
        read("reconcile_coverage", column="a", to="o", min=99)


def test_keys_that_are_not_there_are_reported():
    with pytest.raises(MissingColumn, match='to_columns is "b"'):
        coverage(ibis.table({"a": "int64"}), ibis.table({"a": "int64"}), columns=("a",), to_columns=("b",))


@pytest.mark.parametrize(("here", "of", "share"), [(9, 10, 0.9), (7, 100, 0.07), (57, 100, 0.57), (1, 3, 1 / 3)])
def test_coverage_counts_a_share_exactly(here, of, share):
    wanted = table([(number,) for number in range(of)], a=pa.int64())

    found = wanted.filter(wanted.a < here)

    assert rows(coverage(found, wanted, columns=("a",), to_columns=("a",), share=share)) == []
    assert rows(coverage(found, wanted, columns=("a",), to_columns=("a",), share=share + 0.005))


@pytest.mark.parametrize(("mine", "theirs", "exactly"), [("0.6", "0.2", 3), ("0.3", "0.1", 3), ("-0.3", "0.1", -3)])
def test_a_ratio_of_decimals_is_not_rounded(mine, theirs, exactly):
    both = [table([(Decimal(value),)], v=pa.decimal128(10, 2)) for value in (mine, theirs)]

    assert rows(ratio(*both, totals=SUM, low=exactly, high=exactly)) == []


KEYS = st.lists(st.tuples(st.none() | st.integers(0, 3), st.none() | st.integers(0, 1)), max_size=10)


@settings(deadline=None)
@given(KEYS, KEYS, st.sampled_from([0, 0.25, 0.5, 1]))
def test_coverage_fails_for_the_keys_that_plain_python_misses(mine, theirs, share):
    wanted = {key for key in theirs if None not in key}
    missing = wanted - set(mine)
    enough = len(missing) <= len(wanted) * (1 - share)

    failing = coverage(
        table(mine, a=pa.int64(), b=pa.int64()),
        table(theirs, c=pa.int64(), d=pa.int64()),
        columns=("a", "b"),
        to_columns=("c", "d"),
        share=share,
    )

    assert rows(failing) == ([] if enough else sorted(missing))
