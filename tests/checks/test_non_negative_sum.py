from __future__ import annotations

from collections import defaultdict

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastflowtransform.checks.non_negative_sum import failing_rows, read
from fastflowtransform.errors import BadValue, MissingColumn
from tests.checks.given import rows, section, table


def test_the_groups_are_a_column_or_several():
    assert read(section(column="v")) == {"column": "v", "groups": ()}
    assert read(section(column="v", group_by_columns="a")) == {"column": "v", "groups": ("a",)}


def test_without_any_value_the_sum_is_none_and_passes():
    assert rows(failing_rows(table([(None,)], v=pa.int64()), column="v")) == []


def test_a_group_called_sum_keeps_its_name():
    result = failing_rows(table([(1, -1)], sum=pa.int64(), v=pa.int64()), column="v", groups=("sum",))

    assert result.columns == ("sum", "sum_")


def test_a_column_of_texts_is_an_error():
    with pytest.raises(BadValue, match='column "v" is of the type "string", and holds no numbers'):
        failing_rows(ibis.table({"v": "string"}), column="v")


def test_a_group_that_is_not_there_is_reported():
    with pytest.raises(MissingColumn, match='group_by_columns is "a"'):
        failing_rows(ibis.table({"v": "int64"}), column="v", groups=("a",))


@settings(deadline=None)  # The first example connects.
@given(st.lists(st.tuples(st.none() | st.integers(0, 2), st.none() | st.integers(-3, 3)), max_size=20))
def test_the_failing_sums_are_those_that_plain_python_finds_negative(values):
    sums: dict[int | None, int] = defaultdict(int)
    for group, value in values:
        sums[group] += value or 0

    failing = rows(failing_rows(table(values, a=pa.int64(), v=pa.int64()), column="v", groups=("a",)))

    assert failing == sorted([(group, total) for group, total in sums.items() if total < 0], key=str)
