from __future__ import annotations

import re

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastflowtransform.checks.regex_match import failing_rows, read
from fastflowtransform.errors import BadValue, MissingKey
from tests.checks.given import rows, section, table


def test_column_and_pattern_are_read_as_they_are_written():
    assert read(section(column="code", pattern=r"^\d+$")) == {"column": "code", "pattern": r"^\d+$"}
    with pytest.raises(MissingKey, match='no "pattern"'):
        read(section(column="code"))


def test_a_pattern_may_be_found_anywhere():
    texts = table([("xay",), ("xy",)], a=pa.string())

    assert rows(failing_rows(texts, column="a", pattern="a")) == [("xy",)]


def test_a_quote_in_a_pattern_is_a_quote():
    texts = table([("it's",), ("its",)], a=pa.string())

    assert rows(failing_rows(texts, column="a", pattern="t's")) == [("its",)]


def test_a_column_of_numbers_is_an_error():
    with pytest.raises(BadValue, match='column "a" is of the type "int64", and holds no texts'):
        failing_rows(ibis.table({"a": "int64"}), column="a", pattern="x")


PORTABLE = ["^a+$", "^[^b]*$", "(ab|ba)", r"^\d{2,3}$", r"\s", r"^\w?$", "^.b"]


@settings(deadline=None)  # The first example connects.
@given(st.lists(st.none() | st.text("ab1 .", max_size=4), max_size=10), st.sampled_from(PORTABLE))
def test_what_is_portable_means_what_it_means_in_python(texts, pattern):
    failing = rows(failing_rows(table([(text,) for text in texts], a=pa.string()), column="a", pattern=pattern))

    assert failing == sorted([(text,) for text in texts if text is not None and not re.search(pattern, text)], key=str)
