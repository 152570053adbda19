"""The base of all errors, and the words that they share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar

from fastflowtransform.location import Location


class FftError(Exception):
    """Something that the user can act on.

    Parameters
    ----------
    message
        What is wrong, with the value in double quotes; lower case, without a full stop.
    at
        Where it stands, if it stands somewhere.
    hint
        What to do, as an imperative or a question.
    """

    code: ClassVar[str] = ""
    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, *, at: Location | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.at = at
        self.hint = hint
        self.sql: str | None = None
        """The statement that failed, where one was sent."""
        self.others: tuple[FftError, ...] = ()
        """Errors of the same step in other places, which are told with this one."""

    def __str__(self) -> str:
        lines = [f"{self.code} {self.message}"]
        if self.at is not None:
            lines.append(f"at {self.at}")
        if self.hint is not None:
            lines.append(f"hint {self.hint}")
        return "\n".join(lines)


def raise_all(errors: Sequence[FftError]) -> None:
    """Raise the first of some errors, which tells of the others; nothing where there are none.

    Examples
    --------
    >>> raise_all([])
    """
    if errors:
        first, *others = errors
        first.others = (*first.others, *others)
        raise first


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return a hint that names the known word closest to `word`, or None where none is close.

    Examples
    --------
    >>> nearest("evnt_id", ["event_id", "value"])
    'did you mean "event_id"?'
    >>> nearest("zebra", ["event_id", "value"]) is None
    True
    """
    import difflib

    matches = difflib.get_close_matches(word, sorted(known), n=1)
    return f'did you mean "{matches[0]}"?' if matches else None


def hint_from(word: str, known: Iterable[str], what: str) -> str:
    """Name the nearest known word; where none is near, list them all (at most ten).

    Examples
    --------
    >>> hint_from("zebra", ["b", "a"], "profiles")
    'profiles here: a, b'
    >>> hint_from("zebra", [], "profiles")
    'there are no profiles here'
    """
    names = sorted(known)
    if not names:
        return f"there are no {what} here"
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return nearest(word, names) or f"{what} here: {', '.join(names[:10])}{more}"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> counted(1, "model"), counted(2, "model")
    ('1 model', '2 models')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def error_classes(base: type[FftError] = FftError) -> Iterator[type[FftError]]:
    """Yield each class that carries a code of its own, in the order of the codes' definition."""
    for cls in base.__subclasses__():
        if "code" in vars(cls):
            yield cls
        yield from error_classes(cls)
