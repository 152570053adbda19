from __future__ import annotations

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastflowtransform.checks.not_empty_string import failing_rows, read
from fastflowtransform.errors import BadValue
from tests.checks.given import rows, section, table


def test_white_space_is_trimmed_where_nothing_else_is_said():
    assert read(section(column="a")) == {"column": "a", "trim": True}
    assert read(section(column="a", trim_whitespace=False)) == {"column": "a", "trim": False}


def test_a_column_of_numbers_is_an_error():
    with pytest.raises(BadValue, match="holds no texts"):
        failing_rows(ibis.table({"a": "int64"}), column="a")


@settings(deadline=None)  # The first example connects.
@given(st.lists(st.none() | st.text(" \t\n\r\f\vx", max_size=3), max_size=10), st.booleans())
def test_the_failing_rows_are_those_that_are_empty_in_plain_python(texts, trim):
    failing = rows(failing_rows(table([(text,) for text in texts], a=pa.string()), column="a", trim=trim))

    assert failing == sorted([(x,) for x in texts if x is not None and (x.strip() if trim else x) == ""], key=str)
