from __future__ import annotations

import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflowtransform.errors import BadValue
from fastflowtransform.model import Severity, Terms, Threshold
from fastflowtransform.terms import KEYS, read_terms
from tests.checks.given import section

PYTHON = {"=": operator.eq, "==": operator.eq, "!=": operator.ne, "<>": operator.ne}
PYTHON |= {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}


def test_what_is_not_said_is_an_error_on_any_row():
    assert read_terms(section()) == Terms()
    assert Terms().severity_of(1) is Severity.ERROR


def test_all_keys_are_read():
    given = section(
        severity="error",
        where="id > 1",
        warn_if="> 0",
        error_if=">=10",
        limit="7",
        store_failures=True,
        tags=["a", "b:c"],
        name="n",
    )

    assert read_terms(given) == Terms(
        Severity.ERROR, "id > 1", Threshold(">", 0), Threshold(">=", 10), 7, True, frozenset({"a", "b:c"})
    )
    given.text("name")
    given.close()
    assert set(given.values) == KEYS


@given(st.sampled_from(sorted(PYTHON)), st.integers(0, 5), st.integers(0, 5), st.sampled_from(["", " "]))
def test_a_threshold_compares_as_python_does(symbol, number, failures, space):
    terms = read_terms(section(error_if=f"{space}{symbol}{space}{number}"))

    assert terms.error_if.met(failures) == PYTHON[symbol](failures, number)


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20))
def test_error_if_is_asked_before_warn_if(failures, warns, fails):
    terms = read_terms(section(error_if=f">{fails}", warn_if=f">{warns}"))
    expected = Severity.ERROR if failures > fails else Severity.WARN if failures > warns else None

    assert terms.severity_of(failures) is expected


def test_a_check_that_only_warns_never_fails():
    assert read_terms(section(severity="warn")).severity_of(99) is Severity.WARN
    assert read_terms(section(severity="warn", warn_if=">100")).severity_of(99) is None


@pytest.mark.parametrize("value", ["10", "> x", "=>3", ">-1", "between 1 and 2", True])
def test_what_is_no_threshold_is_an_error(value):
    with pytest.raises(BadValue, match='"error_if" of check "x" is'):
        read_terms(section(error_if=value))


def test_error_if_on_a_check_that_only_warns_is_an_error():
    with pytest.raises(BadValue, match='has the severity "warn", so its error_if is never asked'):
        read_terms(section(severity="warn", error_if=">1"))


def test_a_limit_is_not_negative():
    assert read_terms(section(limit=0)).limit == 0
    with pytest.raises(BadValue, match="not zero or more"):
        read_terms(section(limit=-1))
