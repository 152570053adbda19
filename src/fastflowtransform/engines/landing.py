"""Rows that are written in their place, and looked at there before they are committed: what such an engine offers."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from fastflowtransform.engines.base import Kind
from fastflowtransform.relation import Relation
from fastflowtransform.results import WriteCounts
from fastflowtransform.rows import Named, Rows


class Landed(Protocol):
    """Rows that are written and not committed: they are looked at where they are to stand."""

    @property
    def rows(self) -> Named:
        """The rows."""

    @property
    def number(self) -> int:
        """How many they are."""

    def stay(self) -> WriteCounts:
        """Let them be committed."""
        ...

    def go(self) -> None:
        """Take them away again; what else the block writes is committed with its end."""
        ...


class Joined(Landed, Protocol):
    """Rows that have landed in a table with others."""

    @property
    def before(self) -> Named:
        """The table without them."""

    def without(self, rows: Rows, key: tuple[str, ...], *, null_safe: bool) -> Joined:
        """Take those away again whose keys `rows` has, and return what is left."""
        ...

    def supersede(self, key: tuple[str, ...], *, null_safe: bool) -> WriteCounts:
        """Let them stay, in place of the table's rows of the same keys."""
        ...

    def undo(self) -> None:
        """Take back all that the block has written, which writes nothing more."""
        ...


@runtime_checkable
class Landing(Protocol):
    """An engine that shows rows in their place before they are committed, so that they need to be written once."""

    def adding(self, relation: Relation, rows: Rows, table: Named) -> AbstractContextManager[Joined | None]:
        """Add rows to a table in a transaction of its own, which ends with the block; by column name.

        None where the table might refuse rows, change them or compare them otherwise: then nothing is written, and no
        transaction begins.
        """
        ...

    def building(self, relation: Relation, rows: Rows, *, over: Kind | None) -> AbstractContextManager[Landed]:
        """Make a table of rows beside what stands there, in a transaction that ends with the block."""
        ...
