from __future__ import annotations

import ibis
import pytest

from fastflowtransform.checks.column_type import failing_rows, read
from fastflowtransform.errors import BadValue, MissingColumn, MissingKey
from tests.checks.given import rows, section

TABLE = ibis.memtable({"id": [1, 2]}, schema={"id": "int32"})


def test_the_type_may_be_a_list():
    assert read(section(column="id", data_type="int64")) == {"column": "id", "types": ("int64",)}
    assert read(section(column="id", data_type=["int32", "int64"])) == {"column": "id", "types": ("int32", "int64")}
    with pytest.raises(MissingKey, match='no "data_type"'):
        read(section(column="id"))


def test_another_type_is_one_row_with_both():
    assert rows(failing_rows(TABLE, column="id", types=("int64", "string"))) == [("id", "int32", "int64 or string")]


def test_a_type_of_the_list_passes():
    assert rows(failing_rows(TABLE, column="id", types=("int64", "int32"))) == []


def test_whether_null_is_allowed_is_no_part_of_the_type():
    given = ibis.memtable({"id": ["a"]}, schema={"id": "!string"})

    assert rows(failing_rows(given, column="id", types=("string",))) == []


@pytest.mark.parametrize(
    ("wanted", "found", "fails"),
    [
        ("timestamp", "timestamp(6)", False),
        ("timestamp('UTC')", "timestamp('UTC', 6)", False),
        ("timestamp", "timestamp('UTC', 6)", True),
        ("decimal", "decimal(10, 2)", False),
        ("decimal(10, 3)", "decimal(10, 2)", True),
    ],
)
def test_what_a_type_leaves_open_may_be_any(wanted, found, fails):
    table = ibis.memtable([], schema={"at": found})

    assert bool(rows(failing_rows(table, column="at", types=(wanted,)))) is fails


def test_an_empty_table_has_types_too():
    assert len(rows(failing_rows(TABLE.limit(0), column="id", types=("string",)))) == 1


def test_what_is_no_type_is_an_error():
    with pytest.raises(BadValue, match='data_type is "bigint", which is none'):
        failing_rows(TABLE, column="id", types=("bigint",))


def test_a_column_that_is_not_there_is_reported():
    with pytest.raises(MissingColumn, match='column is "idd"'):
        failing_rows(TABLE, column="idd", types=("int64",))
