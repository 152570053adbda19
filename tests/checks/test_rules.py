"""The checks of single values, references and counts give what plain Python gives."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from fastflowtransform.checks import check
from tests.checks.given import rows, table

VALUES = st.lists(st.none() | st.integers(-3, 3), max_size=12)
NUMBERS = st.lists(st.integers(-3, 3), min_size=1, max_size=4)
ORDERED = settings(deadline=None)  # The first example connects.


def failing(name: str, column: list[int | None], /, *others: list[int | None], **arguments: object) -> list[object]:
    """Return the failing values of the column `a`."""
    tables = [table([(value,) for value in numbers], a=pa.int64()) for numbers in (column, *others)]
    return [row[0] for row in rows(check(name).failing_rows(*tables, **arguments))]


def kept(values: list[int | None], rule) -> list[int]:
    return sorted([value for value in values if value is not None and rule(value)], key=lambda value: str((value,)))


@ORDERED
@given(VALUES, NUMBERS)
def test_accepted_and_not_accepted_values_part_the_values_in_two(values, allowed):
    accepted = failing("not_accepted_values", values, column="a", values=allowed)
    others = failing("accepted_values", values, column="a", values=allowed)

    assert accepted == kept(values, lambda value: value in allowed)
    assert others == kept(values, lambda value: value not in allowed)


@ORDERED
@given(VALUES, st.none() | st.integers(-3, 3), st.integers(-3, 3))
def test_between_keeps_what_python_finds_outside(values, low, high):
    found = failing("between", values, column="a", low=low, high=high)

    assert found == kept(values, lambda value: value > high or (low is not None and value < low))


@ORDERED
@given(VALUES, st.integers(-3, 3))
def test_greater_equal_keeps_what_python_finds_smaller(values, threshold):
    found = failing("greater_equal", values, column="a", threshold=threshold)

    assert found == kept(values, lambda value: value < threshold)


@ORDERED
@given(VALUES, VALUES)
def test_relationships_keeps_what_python_does_not_find_in_the_other(values, others):
    found = failing("relationships", values, others, column="a", field="a")

    assert found == kept(values, lambda value: value not in others)


@ORDERED
@given(VALUES, st.none() | st.integers(0, 12), st.integers(0, 12))
def test_row_count_between_fails_where_python_counts_too_few_or_too_many(values, low, high):
    found = failing("row_count_between", values, low=low, high=high)

    assert found == ([len(values)] if len(values) > high or (low is not None and len(values) < low) else [])
