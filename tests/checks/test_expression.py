from __future__ import annotations

import ibis
import pyarrow as pa
import pytest

from fastflowtransform.checks.expression import HOLDS, Condition, failing_rows, read
from fastflowtransform.errors import MissingKey
from tests.checks.given import rows, section, table


def test_a_condition_is_kept_as_it_is_written():
    assert read(section(expression="a > 0 -- and b")) == {"expression": Condition("a > 0 -- and b")}
    with pytest.raises(MissingKey, match='no "expression"'):
        read(section())


@pytest.mark.parametrize("text", [">= 0", "is not null", "IN (1, 2)", "not like 'x%'", "between 1 and 2", "<> b"])
def test_a_comparison_begins_with_the_column(text):
    assert read(section(expression=text, column="a")) == {"expression": Condition(text, "a")}


@pytest.mark.parametrize("text", ["a > 0", "(a) > 0", "not a", "index > 0", "isfinite(a)"])
def test_a_whole_condition_does_not(text):
    assert read(section(expression=text, column="a")) == {"expression": Condition(text)}


def test_a_row_fails_where_the_condition_is_false_and_passes_where_it_is_null():
    given = table([(1, True), (2, False), (3, None)], a=pa.int64(), holds=pa.bool_()).rename({HOLDS: "holds"})

    assert rows(failing_rows(given)) == [(2,)]


def test_the_condition_itself_is_no_column_of_the_result():
    assert failing_rows(ibis.table({"a": "int64", HOLDS: "boolean"})).columns == ("a",)
