"""The name of a table or view, as a value; an engine's dialect turns it into text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Relation:
    """A name in the warehouse: `database` is what the engine calls a schema or database.

    Examples
    --------
    >>> print(Relation("demo", "events_base"))
    demo.events_base
    """

    database: str
    name: str

    def __str__(self) -> str:
        return f"{self.database}.{self.name}"

    @property
    def folded(self) -> tuple[str, str]:
        """Both parts without regard to upper and lower case, as engines compare them."""
        return self.database.casefold(), self.name.casefold()
