"""Which names an engine takes for one: those of columns, tables and schemas that differ in case only."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

_LOWER = str.maketrans({chr(letter): chr(letter).lower() for letter in range(ord("A"), ord("Z") + 1)})


class Folding(StrEnum):
    """The letters whose case an engine does not look at when it compares names.

    Examples
    --------
    >>> Folding.NONE.is_same("id", "ID"), Folding.ASCII.is_same("id", "ID")
    (False, True)
    >>> Folding.ASCII.is_same("größe", "GRÖSSE"), Folding.ASCII.is_same("über", "Über")
    (False, False)
    >>> Folding.UNICODE.is_same("über", "Über")
    True
    """

    NONE = "none"
    ASCII = "ascii"
    UNICODE = "unicode"

    def fold(self, name: str) -> str:
        """Return a name in the form in which it equals all names that the engine takes for it."""
        if self is Folding.NONE:
            return name
        return name.translate(_LOWER) if self is Folding.ASCII else name.lower()

    def is_same(self, one: str, other: str) -> bool:
        """Whether two names are one to the engine."""
        return self.fold(one) == self.fold(other)

    def spelling(self, name: str, names: Iterable[str]) -> str | None:
        """Return how a name is spelt among others; None if it is not among them. An exact match comes first.

        Examples
        --------
        >>> Folding.ASCII.spelling("ID", ["id", "name"]), Folding.NONE.spelling("ID", ["id", "name"])
        ('id', None)
        """
        names = tuple(names)
        if name in names:
            return name
        return next((other for other in names if self.is_same(name, other)), None)
