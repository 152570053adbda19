"""The decorator of a unit test that is written in Python; it only marks a function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from fastflowtransform.errors import Location
from fastflowtransform.py_model import require_function, require_name

Function = TypeVar("Function", bound=Callable[..., Any])

_MARK = "__fft_unit_test__"


def unit_test(model: str) -> Callable[[Function], Function]:
    """Mark a function as a unit test: it takes nothing, and returns one case with the keys that YAML has.

    Parameters
    ----------
    model
        The model that it is about. The function's name is the case's.

    Examples
    --------
    >>> @unit_test("doubled")
    ... def two_becomes_four():
    ...     return {"given": {"numbers": [{"n": 2}]}, "expect": [{"n": 4}]}
    """

    name = require_name(model, "model")

    def decorate(function: Function) -> Function:
        setattr(require_function(function, "unit test"), _MARK, name)
        return function

    return decorate


def marked(module: ModuleType, path: Path) -> Iterator[tuple[str, Callable[[], Any], Location]]:
    """Yield the model, the function and the place of each unit test of a module."""
    for value in list(vars(module).values()):
        model = vars(value).get(_MARK) if inspect.isfunction(value) else None
        if isinstance(model, str) and value.__module__ == module.__name__:
            yield model, value, Location(path, value.__code__.co_firstlineno)
