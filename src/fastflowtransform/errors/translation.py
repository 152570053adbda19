"""Errors in a text that names a dialect."""

from __future__ import annotations

from collections.abc import Iterable

from fastflowtransform.errors.project import BadSql
from fastflowtransform.location import Location


class NoTranslation(BadSql):
    """A model's SQL has constructs of which nobody knows that they mean the same in the engine's dialect."""

    code = "M130"

    @classmethod
    def of(
        cls, items: Iterable[tuple[str, Location, str | None]], read: str, write: str, *, hint: str | None = None
    ) -> NoTranslation:
        """Return one error for all constructs: what each is, where, and how to write it instead."""
        found = list(items)
        (first, at, instead), *others = found
        also = [f"also {what} at {place}" for what, place, _ in others]
        message = "\n".join([f'no translation from "{read}" into "{write}" is known for {first}', *also])
        usual = f'write it in another form, or name the dialect "{write}" and write it in that'
        error = cls(message, at=at, hint=hint or (f"write {instead}" if instead else usual))
        error.items = tuple(found)
        error.dialects = (read, write)
        return error

    items: tuple[tuple[str, Location, str | None], ...] = ()
    """Each construct with its place, and the portable way to write it."""
    dialects: tuple[str, str] = ("", "")


class ColumnsUnknown(BadSql):
    """A model's SQL is to be translated, and the types of a table that it reads are not known."""

    code = "M131"


class RefusedByDialect(BadSql):
    """A model's SQL is refused by the dialect that it says it is written in."""

    code = "M132"

    def __init__(self, message: str, at: Location) -> None:
        super().__init__(message, at=at)
