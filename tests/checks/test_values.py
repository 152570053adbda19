from __future__ import annotations

from datetime import date, datetime

import ibis
import pytest

from fastflowtransform.checks.values import like
from fastflowtransform.errors import BadValue


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        ("5", "int64", 5),
        ("0.5", "int64", 0.5),
        (1.5, "string", "1.5"),
        (True, "boolean", True),
        ("2024-01-31", "date", date(2024, 1, 31)),
        (date(2024, 1, 31), "timestamp", datetime(2024, 1, 31)),
    ],
)
def test_a_value_becomes_one_of_the_columns_kind(value, dtype, expected):
    assert like(ibis.table({"a": dtype}).a, value, "min").op().value == expected


@pytest.mark.parametrize(
    ("value", "dtype"),
    [("x", "int64"), (True, "string"), (True, "int64"), (1, "boolean"), (3, "date"), ("soon", "date"), ("x", "uuid")],
)
def test_a_value_that_the_column_cannot_hold_is_an_error(value, dtype):
    with pytest.raises(BadValue) as caught:
        like(ibis.table({"a": dtype}).a, value, "min")

    assert caught.value.message == f'min holds "{value}", and the column "a" is of the type "{dtype}"'
