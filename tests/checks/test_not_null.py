from __future__ import annotations

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastflowtransform.checks.not_null import failing_rows, read
from fastflowtransform.errors import MissingColumn, MissingKey
from tests.checks.given import rows, section


def test_column_and_columns_are_both_understood():
    assert read(section(column="id")) == {"columns": ("id",)}
    assert read(section(columns=["id", "at"])) == {"columns": ("id", "at")}


def test_a_check_without_a_column_is_an_error():
    with pytest.raises(MissingKey, match='check "x" has no "column"'):
        read(section())


def test_a_row_fails_when_any_of_the_columns_is_null():
    table = ibis.memtable(pa.table({"a": [1, None, 3], "b": ["x", "y", None]}))

    assert rows(failing_rows(table, columns=("a", "b"))) == [(3, None), (None, "y")]


def test_an_empty_text_is_not_null():
    table = ibis.memtable(pa.table({"a": [""]}))

    assert rows(failing_rows(table, columns=("a",))) == []


def test_a_column_that_is_not_there_is_reported_with_the_nearest():
    with pytest.raises(MissingColumn) as caught:
        failing_rows(ibis.table({"event_id": "int64"}), columns=("evnt_id",))

    assert caught.value.message == 'column is "evnt_id", which the table does not have'
    assert caught.value.hint == 'did you mean "event_id"?'


@settings(deadline=None)  # The first example connects.
@given(st.lists(st.tuples(st.none() | st.integers(0, 9), st.none() | st.text(max_size=3)), max_size=20))
def test_the_failing_rows_are_those_with_a_none(values):
    types = pa.schema([("a", pa.int64()), ("b", pa.string())])
    table = ibis.memtable(pa.Table.from_pylist([dict(zip("ab", pair, strict=True)) for pair in values], types))

    failing = rows(failing_rows(table, columns=("a", "b")))

    assert failing == sorted((pair for pair in values if None in pair), key=str)
