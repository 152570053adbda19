"""New rows for a table that others refer to: only what differs is written, so that no row goes that is to stay.

`DELETE` and `INSERT` of all rows would make the foreign keys of other tables act (`CASCADE`, `SET NULL`, `SET DEFAULT`)
or refuse (`NO ACTION`, `RESTRICT`), and fire the triggers of rows that have not changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fastflowtransform.engines.postgres_references import Reference, references, require_unreferenced, shown
from fastflowtransform.engines.postgres_rows import printed
from fastflowtransform.engines.postgres_session import Session
from fastflowtransform.engines.quoting import literal, quoted
from fastflowtransform.errors import ReferencedKeyUnclear
from fastflowtransform.relation import Relation
from fastflowtransform.results import WriteCounts

STRATEGY = "update + insert + delete"

# Nobody can lock a foreign table.
_LOCK = """
BEGIN IF (SELECT relkind FROM pg_class WHERE oid = {table}::regclass) IN ('r', 'p') THEN
LOCK TABLE {name} IN ROW EXCLUSIVE MODE; END IF; END
"""
_COLUMNS = """
SELECT a.attname::text AS name, format_type(a.atttypid, -1) AS type, a.attnotnull AS required FROM pg_attribute a
WHERE a.attrelid = {table}::regclass AND a.attnum > 0 AND NOT a.attisdropped
"""
# Columns without NULL, and those of any constraint or unique index.
_REQUIRED = """
SELECT a.attname::text AS name FROM pg_attribute a WHERE a.attrelid = {table}::regclass AND (a.attnotnull
OR EXISTS (SELECT 1 FROM pg_constraint k WHERE (k.conrelid = a.attrelid AND a.attnum = ANY (k.conkey))
           OR (k.confrelid = a.attrelid AND a.attnum = ANY (k.confkey)))
OR EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisunique AND a.attnum = ANY (i.indkey)))
"""
# Keys that a row can be found by: of all rows, of plain columns, checked at once. The primary key is the first.
_KEYS = """
SELECT ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
             WHERE k.place <= i.indnkeyatts ORDER BY k.place) AS key
FROM pg_index i WHERE i.indrelid = {table}::regclass AND i.indisunique AND i.indimmediate AND i.indisvalid
  AND i.indpred IS NULL AND i.indexprs IS NULL
ORDER BY NOT i.indisprimary, i.indexrelid
"""
_REACTS = """
SELECT c.relhasrules OR EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal) AS reacts
FROM pg_class c WHERE c.oid = {table}::regclass
"""


@dataclass(frozen=True, slots=True)
class Keyed:
    """A table whose rows are found by a key, its other unique keys, and the foreign keys that refer to it."""

    key: tuple[str, ...]
    others: tuple[tuple[str, ...], ...]
    referring: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class _Fresh:
    """New rows, as statements take them.

    Parameters
    ----------
    table
        The name of the table that they are for.
    source
        What a FROM says of them, which calls them `fresh`.
    columns
        Their columns.
    key
        What rows are found by.
    required
        Columns of the table that hold no NULL.
    """

    table: str
    source: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    required: frozenset[str]

    @property
    def same(self) -> str:
        """The condition that a row of `fresh` and one of `old` have the same key."""
        return equal("fresh", "old", self.key)

    @property
    def gone(self) -> str:
        """The condition that no new row has the key of `old`."""
        return f"NOT EXISTS (SELECT 1 FROM {self.source} WHERE {self.same})"

    @property
    def insertion(self) -> str:
        """The statement that adds rows of keys that the table does not have."""
        names = ", ".join(map(quoted, self.columns))
        known = f"SELECT 1 FROM {self.table} AS old WHERE {self.same}"
        return f"INSERT INTO {self.table} ({names}) SELECT {names} FROM {self.source} WHERE NOT EXISTS ({known})"


def keyed(session: Session, relation: Relation, columns: Iterable[str]) -> Keyed | None:
    """Return how the difference to new rows is found; None where all rows can be deleted and inserted.

    Parameters
    ----------
    session, relation
        The table.
    columns
        Those of the new rows.

    Raises
    ------
    ReferencedKeyUnclear
        Other tables refer to it, and the new rows have no unique key of it.
    """
    name, given = printed(relation), set(columns)
    # Whoever adds a foreign key waits for the end of this transaction, or is seen here.
    session.run(f"DO {literal(_LOCK.format(table=literal(name), name=name))}")
    referring = references(session, name)
    if not referring and session.rows(_REACTS.format(table=literal(name))) == [(False,)]:
        return None
    keys = [tuple(key) for (key,) in session.rows(_KEYS.format(table=literal(name)))]
    referred = {frozenset(reference.key) for reference in referring}
    keys.sort(key=lambda key: frozenset(key) not in referred)
    usable = next((key for key in keys if given.issuperset(key)), None)
    if usable is not None:
        return Keyed(usable, tuple(key for key in keys if key != usable), referring)
    if not referring:
        return None
    first = referring[0]
    raise ReferencedKeyUnclear(
        f'"{first}" refers to the column "{", ".join(first.key)}" of "{relation}", which the query does not give',
        hint=f'select "{", ".join(first.key)}" in the model, or drop the foreign key "{first.name}"',
    )


def forgotten(session: Session, relation: Relation, columns: Iterable[str]) -> set[str]:
    """Return those of the columns that may hold NULL for a moment, so that old values need not be cast."""
    required = {name for (name,) in session.rows(_REQUIRED.format(table=literal(printed(relation))))}
    return set(columns) - required


def refreshed(session: Session, relation: Relation, source: str, columns: Sequence[str], by: Keyed) -> WriteCounts:
    """Make a table's rows those of a SELECT, and touch none that are the same; called in a transaction.

    Parameters
    ----------
    session, relation
        The table, whose columns are those of the new rows already; others stay as they are.
    source, columns
        The new rows, which are staged, and their columns.
    by
        The key by which rows are found, and who refers to them.

    Raises
    ------
    RowsReferenced
        A row would go, or get another key, to which another table refers.
    ReferencedKeyUnclear
        Two new rows have one key.
    """
    fresh = _fresh(session, relation, source, tuple(columns), by.key)
    _require_unique(session, relation, fresh)
    for reference in by.referring:
        # What a row has for another key than that by which it is found may change.
        others = [column for column in reference.key if column in columns and column not in by.key]
        stays = equal("fresh", "old", (*by.key, *others))
        if others or not reference.is_own:
            going = f"NOT EXISTS (SELECT 1 FROM {fresh.source} WHERE {stays})"
            require_unreferenced(session, fresh.table, reference, going)
    own = [reference for reference in by.referring if reference.is_own]
    if not own:
        _delete(session, fresh)
    else:
        # New rows may be what others of them refer to, and those that go may be referred to until then.
        inserted = session.run(fresh.insertion)
    updated = _updated(session, relation, fresh, by.others)
    if not own:
        inserted = session.run(fresh.insertion)
    else:
        for reference in own:
            stays = f"EXISTS (SELECT 1 FROM {fresh.source} WHERE {equal('fresh', 'child', by.key)})"
            require_unreferenced(session, fresh.table, reference, fresh.gone, stays)
        _delete(session, fresh)
    ((rows,),) = session.rows(f"SELECT count(*) AS rows FROM {fresh.source}")
    return WriteCounts(inserted, updated, STRATEGY, unchanged=rows - inserted - updated)


def _fresh(session: Session, relation: Relation, source: str, columns: tuple[str, ...], key: tuple[str, ...]) -> _Fresh:
    """Return new rows in the types of the table's columns."""
    name = printed(relation)
    described = session.rows(_COLUMNS.format(table=literal(name)))
    types = {column: dtype for column, dtype, _ in described}
    typed = ", ".join(f"{quoted(column)}::{types[column]} AS {quoted(column)}" for column in columns)
    required = frozenset(column for column, _, is_required in described if is_required)
    return _Fresh(name, f"(SELECT {typed} FROM ({source}) AS given) AS fresh", columns, key, required)


def equal(one: str, other: str, columns: Iterable[str]) -> str:
    """Return the condition that two rows have the same values, none of which is NULL."""
    return " AND ".join(f"{one}.{quoted(column)} = {other}.{quoted(column)}" for column in columns)


def _delete(session: Session, fresh: _Fresh) -> None:
    # A trigger of the statement fires whether there is a row or not.
    if session.rows(f"SELECT 1 AS one FROM {fresh.table} AS old WHERE {fresh.gone} LIMIT 1"):
        session.run(f"DELETE FROM {fresh.table} AS old WHERE {fresh.gone}")


def _updated(session: Session, relation: Relation, fresh: _Fresh, keys: Iterable[tuple[str, ...]]) -> int:
    """Give rows their new values where they differ by a single bit, and return how many did."""
    others = [column for column in fresh.columns if column not in fresh.key]
    if not others:
        return 0
    old, new = (", ".join(f"{alias}.{quoted(column)}" for column in others) for alias in ("old", "fresh"))
    # The images of rows can be compared whatever their types, and -0.0 is another one than 0.0.
    where = f"{fresh.same} AND ROW({old})::record *<> ROW({new})::record"
    ((updated,),) = session.rows(f"SELECT count(*) AS rows FROM {fresh.table} AS old, {fresh.source} WHERE {where}")
    if updated:
        for key in keys:
            _let_go(session, relation, fresh, key)
        values = ", ".join(f"{quoted(column)} = fresh.{quoted(column)}" for column in others)
        session.run(f"UPDATE {fresh.table} AS old SET {values} FROM {fresh.source} WHERE {where}")
    return int(updated)


def _let_go(session: Session, relation: Relation, fresh: _Fresh, key: tuple[str, ...]) -> None:
    """Take away values of another unique key that rows are about to have of each other.

    An UPDATE checks a unique index row by row, so that two rows could not exchange their values.

    Raises
    ------
    ReferencedKeyUnclear
        They cannot be taken away, because the columns are never NULL.
    """
    if not set(fresh.columns).issuperset(key) or set(key) <= set(fresh.key):
        return
    taken = (
        f"SELECT 1 FROM {fresh.table} AS other WHERE {equal('other', 'fresh', key)} "
        f"AND NOT ({equal('other', 'fresh', fresh.key)})"
    )
    clash = f"{fresh.same} AND EXISTS ({taken})"
    found = session.rows(
        f"SELECT min({shown('fresh', key)}) AS example FROM {fresh.table} AS old, {fresh.source} WHERE {clash}"
    )
    if found == [(None,)]:
        return
    free = next((column for column in key if column not in (*fresh.required, *fresh.key)), None)
    if free is None:
        raise ReferencedKeyUnclear(
            f'rows of "{relation}" exchange values of its unique key "{", ".join(key)}", such as "{found[0][0]}", '
            "and cannot be written anew, because others refer to the table or its triggers fire",
            hint="make that key DEFERRABLE",
        )
    before, after = (", ".join(f"{alias}.{quoted(column)}" for column in key) for alias in ("old", "fresh"))
    differs = f"ROW({before}) IS DISTINCT FROM ROW({after})"
    moved = f"SELECT 1 FROM {fresh.source} WHERE {fresh.same} AND {differs}"
    session.run(f"UPDATE {fresh.table} AS old SET {quoted(free)} = NULL WHERE EXISTS ({moved})")


def _require_unique(session: Session, relation: Relation, fresh: _Fresh) -> None:
    key = fresh.key
    present = " AND ".join(f"fresh.{quoted(column)} IS NOT NULL" for column in key)
    names = ", ".join(f"fresh.{quoted(column)}" for column in key)
    twice = session.rows(
        f"SELECT min({shown('fresh', key)}) AS example, count(*) AS rows FROM {fresh.source} WHERE {present} "
        f"GROUP BY {names} HAVING count(*) > 1 LIMIT 1"
    )
    for example, rows in twice:
        raise ReferencedKeyUnclear(
            f'{rows} new rows of "{relation}" have one key: "{example}"; it is unique in the table',
            hint="remove the duplicates in the model, or drop the unique key of the table",
        )
