from __future__ import annotations

import ibis
import pytest

from fastflowtransform.checks.row_count_between import failing_rows, read
from fastflowtransform.errors import BadValue, MissingKey
from tests.checks.given import rows, section

THREE = ibis.memtable({"id": [1, 2, 3]})


def test_min_and_max_are_whole_numbers():
    assert read(section(min=1, max="10")) == {"low": 1, "high": 10}
    with pytest.raises(BadValue, match="not a whole number"):
        read(section(min=1.5))


def test_one_bound_is_enough_and_none_is_an_error():
    assert read(section(min=1)) == {"low": 1, "high": None}
    with pytest.raises(MissingKey, match='check "x" has no "min" and no "max"'):
        read(section())


def test_a_count_out_of_bounds_is_one_row():
    assert rows(failing_rows(THREE, low=4)) == [(3,)]
    assert rows(failing_rows(THREE, high=2)) == [(3,)]


def test_the_bounds_themselves_pass():
    assert rows(failing_rows(THREE, low=3, high=3)) == []


def test_an_empty_table_has_a_count_too():
    assert rows(failing_rows(THREE.limit(0), low=1)) == [(0,)]
