"""Rows that DuckDB has written and not committed, and how they come to stay.

A transaction sees the rows that it has added, under numbers that no committed row has. So they can be looked at in the
table that they are meant for, and are written once: to keep them aside first costs as much as to write them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from fastflowtransform.engines.base import Kind
from fastflowtransform.engines.duckdb_merging import Keyed, counted
from fastflowtransform.engines.quoting import quoted
from fastflowtransform.results import WriteCounts
from fastflowtransform.rows import Named

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
class Added:
    """Rows that were added to a table, as `base.Landed` has them.

    Parameters
    ----------
    table
        As statements take it.
    rows, number, before
        The rows, how many, and the table without them.
    count
        Sends a statement, and returns how many rows it changed.
    done
        Is told what the write comes to.
    undo
        Takes back what the transaction has written.
    """

    table: str
    rows: Named
    number: int
    before: Named
    count: Callable[[str], int] = field(repr=False)
    done: Callable[[WriteCounts], WriteCounts] = field(repr=False)
    undo: Callable[[], None] = field(repr=False)

    def stay(self, key: tuple[str, ...] = (), *, null_safe: bool = False, same: int = 0) -> WriteCounts:
        """Delete the committed rows of the same keys."""
        if not key:
            return self.done(WriteCounts(self.number, 0, "insert"))
        # Columns that are not of the key would be read as well.
        deletion = Keyed(self.table, key, null_safe).deletion(added(self.table, key))
        deleted = self.count(f"{deletion} AND old.rowid < {_FIRST}")
        return self.done(counted(self.number - same, deleted - same))

    def go(self) -> None:
        """Delete them."""
        self.count(f"DELETE FROM {self.table} WHERE rowid >= {_FIRST}")


@dataclass(frozen=True, slots=True)
class Beside:
    """Rows in a table of their own, which may take another one's name; as `base.Landed` has them.

    Parameters
    ----------
    rows, number
        The rows, and how many.
    replacing
        Statements that give them their name.
    run
        Sends a statement.
    done
        Is told what the write comes to.
    undo
        Takes back what the transaction has written.
    """

    rows: Named
    number: int
    replacing: tuple[str, ...]
    run: Callable[[str], object] = field(repr=False)
    done: Callable[[WriteCounts], WriteCounts] = field(repr=False)
    undo: Callable[[], None] = field(repr=False)
    before: ClassVar[None] = None

    def stay(self, key: tuple[str, ...] = (), *, null_safe: bool = False, same: int = 0) -> WriteCounts:
        """Drop what stands under the name, and give that to the new table."""
        for statement in self.replacing:
            self.run(statement)
        return self.done(WriteCounts(self.number, 0, "create table as select"))

    def go(self) -> None:
        """Drop the new table."""
        self.run(f"DROP TABLE {self.rows.name}")
