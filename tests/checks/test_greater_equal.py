from __future__ import annotations

import ibis
import pyarrow as pa
import pytest

from fastflowtransform.checks.greater_equal import failing_rows, read
from fastflowtransform.errors import MissingColumn
from tests.checks.given import rows, section


def test_the_threshold_is_zero_where_none_is_given():
    assert read(section(column="amount")) == {"column": "amount", "threshold": 0}
    assert read(section(column="amount", threshold=2.5)) == {"column": "amount", "threshold": 2.5}


def test_smaller_values_fail_and_the_threshold_itself_passes():
    table = ibis.memtable({"amount": [-5.0, 2.4, 2.5, 3.0]})

    assert rows(failing_rows(table, column="amount", threshold=2.5)) == [(-5.0,), (2.4,)]


def test_null_is_no_value_and_passes():
    table = ibis.memtable(pa.table({"amount": pa.array([None, 1], pa.int64())}))

    assert rows(failing_rows(table, column="amount")) == []


def test_a_column_that_is_not_there_is_reported():
    with pytest.raises(MissingColumn, match='column is "amont"'):
        failing_rows(ibis.table({"amount": "int64"}), column="amont")
