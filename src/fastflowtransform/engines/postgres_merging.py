"""How rows are put into a PostgreSQL table in place of those of the same keys. Called inside a transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastflowtransform import incremental
from fastflowtransform.engines.base import Standing
from fastflowtransform.engines.postgres_catalog import ANEW, IN_PLACE, ON_CONFLICT
from fastflowtransform.engines.postgres_references import references, require_unreferenced
from fastflowtransform.engines.postgres_rows import insert, printed
from fastflowtransform.engines.postgres_session import Session
from fastflowtransform.engines.quoting import literal, quoted
from fastflowtransform.relation import Relation
from fastflowtransform.results import WriteCounts

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    from ibis.expr.schema import Schema


@dataclass(frozen=True, slots=True)
class Delta:
    """Rows to be merged, which have each key once.

    Parameters
    ----------
    select, columns
        Their SELECT, and their columns.
    key
        What the table's rows are found by.
    types
        The columns' types, where NULL equals NULL in the key; else None.
    """

    select: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    types: Schema | None = None

    @property
    def source(self) -> str:
        """Return the rows as a FROM takes them."""
        return f"({self.select}) AS fresh"

    def same(self, old: str = "old", fresh: str = "fresh") -> str:
        """Return the condition that a row of the table and another one have the same key."""
        pairs = [(f"{old}.{quoted(column)}", f"{fresh}.{quoted(column)}", column) for column in self.key]
        if self.types is None:
            return " AND ".join(f"{one} = {other}" for one, other, _ in pairs)
        return " AND ".join(_same_null(one, other, self.types[column]) for one, other, column in pairs)


def way_of(standing: Standing, delta: Delta, *, partial: bool) -> str:
    """Return the way in which rows are merged into a table.

    A unique index tells NULL from NULL, and `ON CONFLICT` asks for the default of each row that it then replaces, such
    as a sequence's next number. With `partial`, the table fills columns that the rows do not have.
    """
    if partial or (delta.types is not None and standing.merge == IN_PLACE):
        return IN_PLACE
    return standing.merged_by(delta.key) if delta.types is None else ANEW


def merged(session: Session, relation: Relation, delta: Delta, way: str, standing: Standing) -> WriteCounts:
    """Put rows in place of those of the same keys.

    Raises
    ------
    RowsReferenced
        A row would get another key, to which another table refers.
    """
    # A unique index tells NULL from NULL.
    is_unique = delta.types is None and frozenset(delta.key) in standing.merge_by
    if standing.is_referenced:
        _require_unmoved(session, relation, delta)
    if way == ON_CONFLICT:
        found = _upsert(session, relation, delta)
    elif way == IN_PLACE:
        found = _update_and_insert(session, relation, delta, is_unique=is_unique)
    else:
        found = _delete_and_insert(session, relation, delta)
    return WriteCounts(*found, way)


def _require_unmoved(session: Session, relation: Relation, delta: Delta) -> None:
    """Refuse rows that give another key to a row of the table to which others refer."""
    name = printed(relation)
    for reference in references(session, name):
        others = [column for column in reference.key if column in delta.columns and column not in delta.key]
        if others:
            old, new = (", ".join(f"{alias}.{quoted(c)}" for c in others) for alias in ("old", "fresh"))
            moved = f"{delta.same()} AND ROW({old}) IS DISTINCT FROM ROW({new})"
            going = f"EXISTS (SELECT 1 FROM {delta.source} WHERE {moved})"
            require_unreferenced(session, name, reference, going)


def _upsert(session: Session, relation: Relation, delta: Delta) -> tuple[int, int]:
    """Add rows, or put them in place of those of the same key; return how many were added, and how many replaced.

    The key has a unique index.
    """
    names, of_key = ", ".join(map(quoted, delta.columns)), ", ".join(map(quoted, delta.key))
    values = ", ".join(f"{quoted(name)} = excluded.{quoted(name)}" for name in delta.columns if name not in delta.key)
    # A replaced row was locked by this very transaction, and bears its mark; a new one bears none.
    ((inserted, updated),) = session.rows_of_write(
        f"WITH written AS (INSERT INTO {printed(relation)} ({names}) SELECT {names} FROM {delta.source} "
        f"ON CONFLICT ({of_key}) DO {f'UPDATE SET {values}' if values else 'NOTHING'} RETURNING xmax = 0 AS new) "
        "SELECT count(*) FILTER (WHERE new) AS inserted, count(*) FILTER (WHERE NOT new) AS updated FROM written"
    )
    return inserted, updated


def _delete_and_insert(session: Session, relation: Relation, delta: Delta) -> tuple[int, int]:
    """Put rows in place of those of the same key; return how many were added, and how many replaced."""
    deleted = session.run(f"DELETE FROM {printed(relation)} AS old USING {delta.source} WHERE {delta.same()}")
    inserted = insert(session, relation, delta.select, delta.columns)
    # More are deleted than come anew where something else had put a key into the table twice.
    return max(inserted - deleted, 0), min(deleted, inserted)


def _update_and_insert(session: Session, relation: Relation, delta: Delta, *, is_unique: bool) -> tuple[int, int]:
    """Give rows new values in their place, and add the others; return how many were added, and how many replaced."""
    name = printed(relation)
    if not is_unique:
        _leave_one_of_each(session, name, delta)
    values = ", ".join(
        f"{quoted(column)} = fresh.{quoted(column)}" for column in delta.columns if column not in delta.key
    )
    updated = 0
    if values:
        updated = session.run(f"UPDATE {name} AS old SET {values} FROM {delta.source} WHERE {delta.same()}")
    known = f"SELECT 1 FROM {name} AS old WHERE {delta.same()}"
    new = f"SELECT * FROM {delta.source} WHERE NOT EXISTS ({known})"
    return insert(session, relation, new, delta.columns), updated


def _leave_one_of_each(session: Session, name: str, delta: Delta) -> None:
    """Delete all rows but one of each key that something else had put into the table more than once."""
    of_key = ", ".join(f"old.{quoted(column)}" for column in delta.key)
    matched = f"EXISTS (SELECT 1 FROM {delta.source} WHERE {delta.same()})"
    if not session.rows(
        f"SELECT 1 AS one FROM {name} AS old WHERE {matched} GROUP BY {of_key} HAVING count(*) > 1 LIMIT 1"
    ):
        return
    first = f"{delta.same('old', 'other')} AND (other.tableoid, other.ctid) < (old.tableoid, old.ctid)"
    more = f"{matched} AND EXISTS (SELECT 1 FROM {name} AS other WHERE {first})"
    for reference in references(session, name):
        require_unreferenced(session, name, reference, more)
    session.run(f"DELETE FROM {name} AS old WHERE {more}")


def _same_null(old: str, fresh: str, dtype: dt.DataType) -> str:
    """Return the condition where NULL is to equal NULL, in a form that can be hashed."""
    constant = incremental.constant_of(dtype)
    if constant is None:
        return f"{old} IS NOT DISTINCT FROM {fresh}"
    either = f"coalesce({old}, {literal(constant)}) = coalesce({fresh}, {literal(constant)})"
    return f"({old} IS NULL) = ({fresh} IS NULL) AND {either}"
