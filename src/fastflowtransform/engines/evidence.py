"""What an engine says of texts, views and its own settings, so that it can be known whether rows would be the same."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import Protocol

from fastflowtransform.relation import Relation
from fastflowtransform.steady import Facts


@dataclass(frozen=True, slots=True)
class Definition:
    """A view as it is defined in the warehouse, whoever made it.

    Parameters
    ----------
    text
        Another one as soon as the definition is.
    reads
        The tables and views that it reads; nothing below these.
    why
        Why it may give other rows over the same tables, or why that cannot be known; else None.
    """

    text: str
    reads: tuple[Relation, ...] = ()
    why: str | None = None


class Evidence(Protocol):
    """What an engine can say. What it cannot say is doubted, and so counts as changed."""

    def facts(self, text: str) -> Facts:
        """Return what can be seen in a SELECT of the engine's own dialect, without a look at the warehouse."""
        ...

    def steady(self, functions: Set[str]) -> Set[str]:
        """Return those of the names that are syntax, or functions that give the same for the same arguments.

        `v::` is the cast of a column to a date or a time. A name that anybody else has given a function of theirs is
        none of them, whichever is called.
        """
        ...

    def view(self, relation: Relation) -> Definition | None:
        """Return how a view is defined; None where there is none."""
        ...

    def settings(self) -> str:
        """Return a text that is another one where the same SELECT over the same tables may mean something else.

        It tells the settings of the session, and what users have added to the types, casts and operators.
        """
        ...
