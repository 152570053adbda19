"""Rows that DuckDB has written and not committed, and how they come to stay.

A transaction sees the rows that it has added, under numbers that no committed row has. So they can be looked at in the
table that they are meant for, and are written once: to keep them aside first costs as much as to write them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from fastflowtransform.engines.base import Kind
from fastflowtransform.engines.duckdb_merging import Keyed, counted
from fastflowtransform.engines.quoting import quoted
from fastflowtransform.results import WriteCounts
from fastflowtransform.rows import Named, Rows

_FIRST = 36_028_797_018_960_000
"""The number of the first row that a transaction adds to a table, DuckDB's `MAX_ROW_ID`; others have lower ones.

Whoever counts the rows that were added sees whether it still is."""


def added(table: str, columns: Iterable[str]) -> str:
    """Return the SELECT of the rows that this transaction has added to a table."""
    return f"SELECT {', '.join(map(quoted, columns))} FROM {table} WHERE rowid >= {_FIRST}"


def committed(table: str, columns: Iterable[str]) -> str:
    """Return the SELECT of the rows that others see in a table."""
    return f"SELECT {', '.join(map(quoted, columns))} FROM {table} WHERE rowid < {_FIRST}"


def hides_numbers(columns: Iterable[str]) -> bool:
    """Whether a table has a column of the name by which the numbers of its rows are asked for."""
    return any(name.casefold() == "rowid" for name in columns)


def replacing(table: str, over: Kind | None, beside: str, name: str, belongings: Iterable[str]) -> tuple[str, ...]:
    """Return the statements that give the table `beside` the name of another one, with what hangs on that."""
    dropped = () if over is None else (f"DROP {over.value.upper()} {table}",)
    return (*dropped, f"ALTER TABLE {beside} RENAME TO {quoted(name)}", *belongings)


@dataclass(frozen=True, slots=True)
class Sending:
    """What a connection does about rows that have landed.

    Parameters
    ----------
    run
        Sends a statement.
    select
        Gives the SELECT of rows.
    done
        Is told what a write comes to.
    undo
        Takes back what the transaction has written.
    """

    run: Callable[[str], Any]
    select: Callable[[Rows], str]
    done: Callable[[WriteCounts], WriteCounts]
    undo: Callable[[], None]

    def count(self, statement: str) -> int:
        """Send a statement, and return how many rows it changed."""
        return int(self.run(statement).fetchone()[0])


@dataclass(frozen=True, slots=True)
class Added:
    """Rows that were added to a table, as `landing.Joined` has them.

    Parameters
    ----------
    table
        As statements take it.
    rows, number, before
        The rows, how many, and the table without them.
    sending
        What the connection does.
    """

    table: str
    rows: Named
    number: int
    before: Named
    sending: Sending

    def stay(self) -> WriteCounts:
        """Tell that they are there."""
        return self.sending.done(WriteCounts(self.number, 0, "insert"))

    def supersede(self, key: tuple[str, ...], *, null_safe: bool) -> WriteCounts:
        """Delete the committed rows of the same keys."""
        # Columns that are not of the key would be read as well.
        deletion = Keyed(self.table, key, null_safe).deletion(added(self.table, key))
        return self.sending.done(counted(self.number, self.sending.count(f"{deletion} AND old.rowid < {_FIRST}")))

    def without(self, rows: Rows, key: tuple[str, ...], *, null_safe: bool) -> Added:
        """Delete those of the same keys."""
        deletion = Keyed(self.table, key, null_safe).deletion(self.sending.select(rows))
        return replace(self, number=self.number - self.sending.count(f"{deletion} AND old.rowid >= {_FIRST}"))

    def go(self) -> None:
        """Delete them."""
        self.sending.count(f"DELETE FROM {self.table} WHERE rowid >= {_FIRST}")

    def undo(self) -> None:
        """Roll back."""
        self.sending.undo()


@dataclass(frozen=True, slots=True)
class Beside:
    """Rows in a table of their own, which may take another one's name; as `landing.Landed` has them.

    Parameters
    ----------
    rows, number
        The rows, and how many.
    replacing
        Statements that give them their name.
    sending
        What the connection does.
    """

    rows: Named
    number: int
    replacing: tuple[str, ...]
    sending: Sending

    def stay(self) -> WriteCounts:
        """Drop what stands under the name, and give that to the new table."""
        for statement in self.replacing:
            self.sending.run(statement)
        return self.sending.done(WriteCounts(self.number, 0, "create table as select"))

    def go(self) -> None:
        """Drop the new table."""
        self.sending.run(f"DROP TABLE {self.rows.name}")
