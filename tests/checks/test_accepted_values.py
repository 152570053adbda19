from __future__ import annotations

import ibis
import pyarrow as pa
import pytest

from fastflowtransform.checks.accepted_values import failing_rows, read
from fastflowtransform.errors import BadValue, MissingColumn
from tests.checks.given import rows, section


def test_column_and_values_are_read():
    assert read(section(column="status", values=["new", 1])) == {"column": "status", "values": ("new", 1)}


@pytest.mark.parametrize("values", [None, [], "new", {"new": 1}, ["new", None], [["new"]]])
def test_values_must_be_a_list_of_single_values(values):
    with pytest.raises(BadValue, match="a list of") as caught:
        read(section(column="status", values=values))

    assert str(caught.value.at) == "project.yml:7"


def test_rows_of_any_other_value_fail():
    table = ibis.memtable({"status": ["new", "sent", "sant"]})

    assert rows(failing_rows(table, column="status", values=["new", "sent"])) == [("sant",)]


def test_null_is_no_value_and_passes():
    table = ibis.memtable(pa.table({"status": ["new", None]}))

    assert rows(failing_rows(table, column="status", values=["new"])) == []


def test_a_number_that_yaml_gives_stands_for_the_text_of_a_text_column():
    table = ibis.memtable({"code": ["7", "8"]})

    assert rows(failing_rows(table, column="code", values=[7])) == [("8",)]


def test_a_text_that_jinja_gives_stands_for_the_number_of_a_number_column():
    table = ibis.memtable({"code": [7, 8]})

    assert rows(failing_rows(table, column="code", values=["7"])) == [(8,)]


def test_a_column_that_is_not_there_is_reported():
    with pytest.raises(MissingColumn, match='column is "stat"'):
        failing_rows(ibis.table({"status": "string"}), column="stat", values=["new"])
