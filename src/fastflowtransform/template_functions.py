"""Functions and macros as a template sees them, and the places of a template's errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, NoReturn

from fastflowtransform.errors import JinjaError, Location


class Function:
    """A function in a template: it is called, and anything else that is done with it is a mistake.

    Without its parentheses, `is_incremental` would be true in each `if`.

    Parameters
    ----------
    name
        The name that it is called by.
    function
        What is called.
    at
        Where a macro is defined; None for other functions.
    """

    __slots__ = ("_function", "at", "name")

    def __init__(self, name: str, function: Callable[..., Any], at: Location | None = None) -> None:
        self.name, self._function, self.at = name, function, at

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(*args, **kwargs)

    def _refuse(self, *_: object) -> NoReturn:
        raise uncalled(self.name)

    __bool__ = __str__ = __iter__ = __len__ = __contains__ = __getitem__ = _refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __add__ = __radd__ = __mod__ = __format__ = __html__ = _refuse
    __hash__ = object.__hash__


def uncalled(name: str) -> JinjaError:
    """Return the error for a function that is used without a call."""
    given = "()" if name == "is_incremental" else "(…)"
    return JinjaError(f'"{name}" is a function, and is used without a call', hint=f"write {name}{given}")


def places_of(error: BaseException, own: Callable[[int], Location], path: Path) -> list[Location]:
    """Return the places in templates that led to an error, the outermost first.

    A macro that was called with the wrong arguments has not begun; then its definition is the last place.

    Parameters
    ----------
    error
        What was raised.
    own
        Gives the place of a line of the template that was rendered.
    path
        That template's file; the others are macros, whose text is their whole file.
    """
    found: list[Location] = []
    definition: Location | None = None
    for frame, line in _frames(error.__traceback__):
        if (template := frame.f_globals.get("__jinja_template__")) is not None:
            number = template.get_corresponding_lineno(line)
            found.append(own(number) if template.filename == str(path) else Location(Path(template.filename), number))
            definition = None
        elif frame.f_code is Function.__call__.__code__:
            definition = frame.f_locals["self"].at
    return found if definition is None else [*found, definition]


def _frames(traceback: TracebackType | None) -> Iterator[tuple[FrameType, int]]:
    while traceback is not None:
        yield traceback.tb_frame, traceback.tb_lineno
        traceback = traceback.tb_next


def callers(places: list[Location]) -> str:
    """Return who called the last of several places, for the end of a message; nothing where nobody did.

    Examples
    --------
    >>> callers([Location(Path("m.ff.sql"), 3), Location(Path("macros/a.sql"), 1)])
    ', called at m.ff.sql:3'
    """
    if not places:
        return ""
    above = [place for place in dict.fromkeys(reversed(places[:-1])) if place != places[-1]]
    shown = above if len(above) <= 3 else [*above[:2], above[-1]]
    return "".join(f", called at {place}" for place in shown)
