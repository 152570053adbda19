"""What the dialect that a text is written in says of it: the names and types of the columns that it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


class Unbound(Exception):
    """A SELECT that the dialect itself refuses; the text is the dialect's own."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A table that a text reads, by the parts of its name; its columns are in the dialect's own types.

    Parameters
    ----------
    parts
        Schema and name.
    columns
        Type by name, in the table's spelling; a type that the dialect does not have is None.
    """

    parts: tuple[str, ...]
    columns: Mapping[str, str | None]


class Binder(Protocol):
    """Binds a SELECT without running it."""

    def columns(self, select: str, tables: tuple[Relation, ...] = ()) -> tuple[tuple[str, str], ...]:
        """Return the names and types of what a SELECT gives.

        Raises
        ------
        Unbound
            The dialect refuses it.
        """
        ...
