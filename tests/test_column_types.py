"""The common type of two columns is the same whoever asks first, and in whatever order three are put together."""

from __future__ import annotations

import ibis
import ibis.expr.datatypes as dt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflowtransform.column_types import common_type, is_same
from fastflowtransform.names import Folding

SCALARS = st.sampled_from(
    [
        *(getattr(dt, f"{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32, 64)),
        *(dt.float32, dt.float64, dt.boolean, dt.string, dt.date, dt.uuid, dt.json, dt.binary, dt.null),
        *(dt.Decimal(), dt.Decimal(5, 2), dt.Decimal(10, 0), dt.Decimal(12, 7), dt.Decimal(3, 3), dt.Decimal(38, 0)),
        *(dt.Timestamp(scale=scale) for scale in (None, 0, 3, 6, 9)),
        *(dt.Timestamp("UTC", 6), dt.String(length=5), dt.String(length=9)),
    ]
)
TYPES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        inner.map(dt.Array),
        st.builds(dt.Map, st.sampled_from([dt.string, dt.int32, dt.int64]), inner),
        st.dictionaries(st.sampled_from("abc"), inner, min_size=1, max_size=3).map(dt.Struct),
    ),
    max_leaves=4,
)


def joined(*types: dt.DataType | None) -> dt.DataType | None:
    """Return the common type of several, put together from the left; None if there is none on the way."""
    found = types[0]
    for dtype in types[1:]:
        found = None if found is None or dtype is None else common_type(found, dtype)
    return found


@given(dtype=TYPES)
def test_a_type_has_itself_in_common_with_itself(dtype):
    assert common_type(dtype, dtype) == dtype


@given(one=TYPES, other=TYPES)
def test_it_does_not_matter_which_of_two_types_comes_first(one, other):
    found, turned = common_type(one, other), common_type(other, one)

    assert (found is None) == (turned is None)
    assert found is None or is_same(found, turned)


@given(one=TYPES, other=TYPES)
def test_a_common_type_has_itself_in_common_with_each_of_the_two(one, other):
    found = common_type(one, other)

    assert found is None or (is_same(joined(found, one), found) and is_same(joined(found, other), found))


@given(one=TYPES, other=TYPES, third=TYPES)
def test_three_types_have_one_common_type_in_whatever_order(one, other, third):
    left, right = joined(joined(one, other), third), joined(one, joined(other, third))

    assert left is None or right is None or is_same(left, right)


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        ("decimal(5, 2)", "decimal(3, 1)", "decimal(5, 2)"),
        ("decimal(5, 2)", "int64", "decimal(21, 2)"),
        ("int8", "uint8", "int16"),
        ("float32", "int32", "float64"),
        ("date", "timestamp(6)", "timestamp(6)"),
        ("map<string, int32>", "map<string, int64>", "map<string, int64>"),
        ("array<struct<a: int32>>", "array<struct<b: string>>", "array<struct<a: int32, b: string>>"),
    ],
)
def test_a_common_type_holds_the_values_of_both(one, other, common):
    assert common_type(ibis.dtype(one), ibis.dtype(other)) == ibis.dtype(common)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("int64", "float64"),
        ("decimal(5, 2)", "float64"),
        ("int32", "string"),
        ("boolean", "int8"),
        ("timestamp(6)", "timestamp('UTC', 6)"),
        ("date", "timestamp('UTC', 6)"),
        ("timestamp(6)", "timestamp(9)"),
        ("array<int32>", "int32"),
        ("struct<a: int32>", "struct<a: string>"),
    ],
)
def test_types_that_would_change_each_others_values_have_none_in_common(one, other):
    assert common_type(ibis.dtype(one), ibis.dtype(other)) is None


def test_fields_that_differ_in_case_only_are_one_where_the_engine_folds_names():
    one, other = ibis.dtype("struct<a: int32>"), ibis.dtype("struct<A: int64>")

    assert common_type(one, other, Folding.ASCII) == ibis.dtype("struct<a: int64>")
    assert common_type(one, other) == ibis.dtype("struct<a: int32, A: int64>")
