from __future__ import annotations

import ibis
import pyarrow as pa
import pytest

from fastflowtransform.checks.not_accepted_values import failing_rows, read
from fastflowtransform.errors import BadValue, MissingColumn
from tests.checks.given import rows, section


def test_column_and_values_are_read():
    assert read(section(column="status", values=["unknown"])) == {"column": "status", "values": ("unknown",)}


def test_rows_of_one_of_the_values_fail():
    table = ibis.memtable({"status": ["new", "unknown", "test"]})

    assert rows(failing_rows(table, column="status", values=["unknown", "test"])) == [("test",), ("unknown",)]


def test_null_is_no_value_and_passes():
    table = ibis.memtable(pa.table({"status": ["new", None]}))

    assert rows(failing_rows(table, column="status", values=["unknown"])) == []


def test_a_value_that_the_column_cannot_hold_is_an_error():
    with pytest.raises(BadValue, match='values holds "x", and the column "code" is of the type "int64"'):
        failing_rows(ibis.table({"code": "int64"}), column="code", values=["x"])


def test_a_column_that_is_not_there_is_reported():
    with pytest.raises(MissingColumn, match='column is "stat"'):
        failing_rows(ibis.table({"status": "string"}), column="stat", values=["new"])
