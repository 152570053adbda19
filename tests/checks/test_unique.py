from __future__ import annotations

from collections import Counter

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastflowtransform.checks.unique import failing_rows, read
from fastflowtransform.errors import MissingColumn, MissingKey
from tests.checks.given import rows, section


def test_column_and_columns_are_both_understood_and_named_once():
    assert read(section(column="id")) == {"columns": ("id",)}
    assert read(section(column="id", columns=["id", "at"])) == {"columns": ("id", "at")}


def test_a_check_without_a_column_is_an_error():
    with pytest.raises(MissingKey, match='check "x" has no "column"'):
        read(section(columns=[]))


def test_each_duplicated_key_is_one_row_with_its_count():
    table = ibis.memtable({"id": [1, 1, 1, 2, 3, 3], "other": list("abcdef")})

    assert rows(failing_rows(table, columns=("id",))) == [(1, 3), (3, 2)]


def test_a_composite_key_is_compared_as_a_whole():
    table = ibis.memtable({"a": [1, 1, 2, 2], "b": [1, 2, 1, 1]})

    assert rows(failing_rows(table, columns=("a", "b"))) == [(2, 1, 2)]


def test_a_key_with_a_null_part_equals_no_other():
    table = ibis.memtable(pa.table({"a": [1, 1], "b": pa.array([None, None], pa.int64())}))

    assert rows(failing_rows(table, columns=("a", "b"))) == []


def test_a_key_column_called_rows_keeps_its_name():
    table = ibis.memtable({"Rows": [7, 7]})

    assert failing_rows(table, columns=("Rows",)).to_pyarrow().to_pylist() == [{"Rows": 7, "rows_": 2}]


def test_a_column_that_is_not_there_is_reported():
    with pytest.raises(MissingColumn, match='column is "evnt_id"'):
        failing_rows(ibis.table({"event_id": "int64"}), columns=("evnt_id",))


@settings(deadline=None)  # The first example connects.
@given(st.lists(st.tuples(st.none() | st.integers(0, 2), st.none() | st.sampled_from("xyz")), max_size=20))
def test_the_failing_keys_are_those_that_plain_python_counts_more_than_once(values):
    types = pa.schema([("a", pa.int64()), ("b", pa.string())])
    table = ibis.memtable(pa.Table.from_pylist([dict(zip("ab", pair, strict=True)) for pair in values], types))
    counts = Counter(pair for pair in values if None not in pair)

    failing = rows(failing_rows(table, columns=("a", "b")))

    assert failing == sorted((*pair, count) for pair, count in counts.items() if count > 1)
