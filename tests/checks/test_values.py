from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import ibis
import pytest

from fastflowtransform.checks.values import like
from fastflowtransform.errors import BadValue
from tests.checks.given import rows


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        ("5", "int64", 5),
        ("0.5", "int64", Decimal("0.5")),
        (1.5, "string", "1.5"),
        (True, "boolean", True),
        ("2024-01-31", "date", date(2024, 1, 31)),
        (date(2024, 1, 31), "timestamp", datetime(2024, 1, 31)),
    ],
)
def test_a_value_becomes_one_of_the_columns_kind(value, dtype, expected):
    assert like(ibis.table({"a": dtype}).a, value, "min").op().value == expected


@pytest.mark.parametrize(
    ("dtype", "held", "bound"),
    [
        ("decimal(38, 2)", Decimal("123456789012345678.90"), "123456789012345678.89"),
        ("decimal(18, 2)", Decimal("1.11"), 1.105),
        ("decimal(38, 0)", Decimal(2**63 + 1), 2**63),
        ("int64", 2**53 + 1, "9007199254740992.5"),
        ("uint64", 2**63 + 1, 2**63),
        ("decimal(4, 4)", Decimal("0.0002"), "0.00015"),
    ],
)
def test_a_number_is_compared_without_being_rounded(dtype, held, bound):
    table = ibis.memtable({"a": [held]}, schema={"a": dtype})

    assert len(rows(table.filter(table.a > like(table.a, bound, "max")))) == 1


@pytest.mark.parametrize("dtype", ["int64", "decimal(10, 2)", "decimal(38, 0)", "float64"])
@pytest.mark.parametrize("bound", [2**70, 10**40, float("inf"), "1e300", "0.1", "NaN"])
def test_any_number_can_be_a_bound_of_any_column_of_numbers(dtype, bound):
    table = ibis.memtable({"a": [0]}, schema={"a": "int64"}).cast({"a": dtype})

    assert len(rows(table.filter(table.a < like(table.a, bound, "min")))) == 1


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        ("x", "int64"),
        (True, "string"),
        (True, "int64"),
        (1, "boolean"),
        (3, "date"),
        ("soon", "date"),
        ("x", "uuid"),
        ("2", "map<string, int64>"),
    ],
)
def test_a_value_that_the_column_cannot_hold_is_an_error(value, dtype):
    with pytest.raises(BadValue) as caught:
        like(ibis.table({"a": dtype}).a, value, "min")

    assert caught.value.message == f'min holds "{value}", and the column "a" is of the type "{dtype}"'
