"""What holds for all checks."""

from __future__ import annotations

import importlib

import pytest

from fastflowtransform.checks import BY_NAME, check


@pytest.mark.parametrize("name", BY_NAME)
def test_every_check_has_the_members_of_a_check_and_a_docstring(name):
    module = check(name)

    assert module is importlib.import_module(BY_NAME[name])
    assert callable(module.read)
    assert module.failing_rows.__doc__


def test_an_unknown_check_is_the_callers_to_report():
    with pytest.raises(KeyError):
        check("uniqe")
