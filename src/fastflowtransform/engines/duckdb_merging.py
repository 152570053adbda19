"""How rows are put into a DuckDB table that stands, in place of the rows of the same keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from fastflowtransform.engines.quoting import quoted
from fastflowtransform.results import WriteCounts

ANEW, IN_PLACE = "delete + insert", "update + insert"


@dataclass(frozen=True, slots=True)
class Keyed:
    """A table, as statements take it, and the key of its rows; whether NULL equals NULL in it."""

    table: str
    key: tuple[str, ...]
    null_safe: bool

    @property
    def same(self) -> str:
        """The condition that a row of `old` and one of `fresh` have the same key."""
        equal = "IS NOT DISTINCT FROM" if self.null_safe else "="
        return " AND ".join(f"old.{quoted(column)} {equal} fresh.{quoted(column)}" for column in self.key)

    def deletion(self, select: str) -> str:
        """Return the statement that deletes the rows whose key a SELECT gives."""
        return f"DELETE FROM {self.table} AS old USING ({select}) AS fresh WHERE {self.same}"

    def repeated(self, select: str) -> str:
        """Return the statement that leaves one row of each key that a SELECT gives and the table has more than once."""
        equal = "IS NOT DISTINCT FROM" if self.null_safe else "="
        other = " AND ".join(f"other.{quoted(column)} {equal} old.{quoted(column)}" for column in self.key)
        return (
            f"DELETE FROM {self.table} AS old USING ({select}) AS fresh WHERE {self.same} "
            f"AND EXISTS (SELECT 1 FROM {self.table} AS other WHERE {other} AND other.rowid < old.rowid)"
        )


def insertion(table: str, columns: Iterable[str], select: str) -> str:
    """Return the statement that adds rows by column name."""
    names = ", ".join(map(quoted, columns))
    return f"INSERT INTO {table} ({names}) SELECT {names} FROM ({select}) AS fresh"


@dataclass(frozen=True, slots=True)
class Way:
    """How rows are put in place of those of the same keys.

    Parameters
    ----------
    is_unique
        Whether the table has a unique index. DuckDB does not see within a transaction that a deleted key is free again.
    is_filled
        Whether the table fills columns itself that the new rows do not have: their values are to stay.
    """

    is_unique: bool
    is_filled: bool


def merged(count: Callable[[str], int], into: Keyed, columns: Iterable[str], select: str, way: Way) -> WriteCounts:
    """Put rows that have each key once in place of those of the same keys; called in a transaction.

    Parameters
    ----------
    count
        Sends a statement, and returns how many rows it changed.
    into
        The table and its key.
    columns, select
        The rows.
    way
        Whether rows have to be updated, and not deleted.
    """
    columns, table = tuple(columns), into.table
    if not (way.is_unique or way.is_filled):
        deleted = count(into.deletion(select))
        return counted(count(insertion(table, columns, select)), deleted)
    if not way.is_unique:
        count(into.repeated(select))
    values = ", ".join(f"{quoted(name)} = fresh.{quoted(name)}" for name in columns if name not in into.key)
    updated = count(f"UPDATE {table} AS old SET {values} FROM ({select}) AS fresh WHERE {into.same}") if values else 0
    new = f"SELECT * FROM ({select}) AS fresh WHERE NOT EXISTS (SELECT 1 FROM {table} AS old WHERE {into.same})"
    return WriteCounts(count(insertion(table, columns, new)), updated, IN_PLACE)


def counted(written: int, deleted: int) -> WriteCounts:
    """Return what it comes to when rows were written, and those of the same keys deleted.

    More are deleted than come anew where something else had put a key into the table twice.
    """
    return WriteCounts(max(written - deleted, 0), min(deleted, written), ANEW)
