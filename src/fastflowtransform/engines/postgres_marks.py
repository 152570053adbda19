"""What PostgreSQL's tables were written with, and whether they are still what was written.

A table beside them notes a mark, the columns, the number of rows, and the transaction that wrote them. Each row bears
the transaction it comes from: where all are of that one, and are as many, nothing has added, changed or deleted any.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fastflowtransform.engines.base import MARKS
from fastflowtransform.engines.notes import Value, plain
from fastflowtransform.engines.postgres_rows import printed
from fastflowtransform.engines.postgres_session import Session
from fastflowtransform.engines.quoting import literal, quoted
from fastflowtransform.relation import Relation


@dataclass(frozen=True, slots=True)
class Mark:
    """What a table is to be found by."""

    relation: Relation
    text: str

    def prepare(self, session: Session) -> bool:
        """Make the table that marks are noted in, where there is none; False where we may not note anything."""
        marks = _marks(self.relation)
        noted = may_note(session, marks, self.relation.database, "UPDATE")
        if noted is None:
            columns = "name text PRIMARY KEY, mark text NOT NULL, columns text NOT NULL, rows bigint NOT NULL"
            made(session, marks, [f"CREATE TABLE IF NOT EXISTS {marks} ({columns}, written_by xid)"])
        return noted is not False

    def note(self, session: Session, written: int) -> None:
        """Note the mark; called at the end of the transaction that gives the table its rows or its name."""
        name = printed(self.relation)
        session.run(
            f"INSERT INTO {_marks(self.relation)} (name, mark, columns, rows, written_by) "
            f"SELECT {literal(self.relation.name)}, {literal(self.text)}, {_COLUMNS}, {written}, "
            f"(SELECT xmin FROM {name} LIMIT 1) FROM pg_class c WHERE {_is_plain(name)} "
            "ON CONFLICT (name) DO UPDATE SET mark = excluded.mark, columns = excluded.columns, rows = excluded.rows, "
            "written_by = excluded.written_by"
        )

    def stands(self, session: Session) -> bool:
        """Whether the table has the mark, and is as it was then."""
        name, marks = printed(self.relation), _marks(self.relation)
        if session.rows(f"SELECT {_may(marks, 'SELECT')} AS may_read") != [(True,)]:
            return False
        noted = session.rows(
            f"SELECT m.rows, m.written_by::text AS written_by FROM {marks} m, pg_class c WHERE {_is_plain(name)} "
            f"AND m.name = {literal(self.relation.name)} AND m.mark = {literal(self.text)} AND m.columns = {_COLUMNS}"
        )
        if not noted:
            return False
        ((rows, written_by),) = noted
        own = "false" if written_by is None else f"xmin = {literal(written_by)}::xid"
        found = session.rows(f"SELECT count(*) AS rows, count(*) FILTER (WHERE {own}) AS own FROM {name}")
        return found == [(rows, rows)]


def has_any(session: Session, relation: Relation) -> bool:
    """Whether a table was ever given a mark; True where we have no right to note any."""
    marks = _marks(relation)
    noted = may_note(session, marks, relation.database, "UPDATE")
    if not noted:
        return noted is False
    return bool(session.rows(f"SELECT 1 AS found FROM {marks} WHERE name = {literal(relation.name)}"))


def may_note(session: Session, name: str, database: str, *rights: str) -> bool | None:
    """Return whether we may read a table and add to it; None where it is not there, and may be made."""
    may_make = f"has_schema_privilege({literal(database)}, 'CREATE')"
    ((noted, made),) = session.rows(f"SELECT {_may(name, 'INSERT', 'SELECT', *rights)} AS noted, {may_make} AS made")
    return None if noted is None and made else bool(noted)


def made(session: Session, name: str, statements: Iterable[str]) -> None:
    """Make or change a table of fft's own. Two sessions that did it at once would be in each other's way."""
    with session.transaction():
        session.run(f"SELECT pg_advisory_xact_lock(hashtextextended({literal(f'fft {name}')}, 0))")
        for statement in statements:
            session.run(statement)


def note(session: Session, insertion: str, name: str, rows: Sequence[Mapping[str, Value]]) -> None:
    """Add rows to a table of notes; where the connection is lost on the way, they are not added twice."""
    tried: list[str] = []

    def add() -> None:
        texts = [
            f"{quoted(column)} = {literal(str(plain(value)))}"
            for column, value in rows[0].items()
            if isinstance(value, str)
        ]
        there = f"SELECT 1 AS one FROM {name} WHERE {' AND '.join(texts)} LIMIT 1"
        if not tried or not session.rows(there):
            tried.append(insertion)
            session.run(insertion)

    session.again(add)


def state(session: Session, relation: Relation) -> str | None:
    """Return what tells a table's columns and rows from any others, or a view's definition; None for what it cannot.

    Whatever changes a row leaves the number of its transaction on it: these numbers are digested, with the table that
    each row lies in, and not the values. What the rows of a table have besides is digested with its columns: defaults
    that stand for rows older than their column, and the expressions of columns that are computed as they are read. A
    table that shows each user rows of their own says nothing.
    """
    name = printed(relation)
    found = session.rows(
        f"{_PARTS} SELECT c.relkind = 'v' AS is_view, "
        "(SELECT bool_and(p.relkind IN ('r', 'p') AND NOT p.relrowsecurity) FROM parts p) AS is_plain, "
        f"md5(CASE c.relkind WHEN 'v' THEN pg_get_viewdef(c.oid) ELSE {_LIES} END) AS digest "
        "FROM pg_class c WHERE c.oid = (SELECT oid FROM named)".replace("NAME", literal(name))
    )
    for is_view, is_plain, digest in found:
        if is_view:
            return f"view {digest}"
        if is_plain:
            writers = "sum(hashint8extended(xmin::text::bigint, tableoid::bigint)::numeric)"
            ((rows, total),) = session.rows(f"SELECT count(*) AS rows, {writers}::text AS total FROM {name}")
            return f"table {digest} {rows} {total or 0}"
    return None


_PARTS = (
    "WITH RECURSIVE named AS (SELECT to_regclass(NAME)::oid AS oid), "
    "tree AS (SELECT oid FROM named UNION SELECT i.inhrelid FROM pg_inherits i JOIN tree ON i.inhparent = tree.oid), "
    "parts AS (SELECT c.oid, c.relkind, c.relrowsecurity FROM pg_class c JOIN tree ON c.oid = tree.oid)"
)
"""The table of a name, with its partitions and the tables that inherit from it."""


def _columns(of: str) -> str:
    """Return the columns of a table, with all that a row says without being written anew, as SQL."""
    return (
        "coalesce((SELECT string_agg(concat_ws(' ', a.attnum, quote_ident(a.attname), "
        "format_type(a.atttypid, a.atttypmod), a.attcollation, a.attmissingval::text, "
        "CASE WHEN a.attgenerated <> '' THEN pg_get_expr(g.adbin, g.adrelid) END), ', ' ORDER BY a.attnum) "
        "FROM pg_attribute a LEFT JOIN pg_attrdef g ON g.adrelid = a.attrelid AND g.adnum = a.attnum "
        f"WHERE a.attrelid = {of} AND a.attnum > 0 AND NOT a.attisdropped), '')"
    )


_COLUMNS = _columns("c.oid")
_LIES = f"(SELECT string_agg(concat_ws(' ', p.oid, {_columns('p.oid')}), '; ' ORDER BY p.oid) FROM parts p)"


def _is_plain(name: str) -> str:
    """Return the condition for a relation to be a table whose rows tell the transaction that they come from."""
    return f"c.oid = {literal(name)}::regclass AND c.relkind IN ('r', 'p')"


def _may(marks: str, *rights: str) -> str:
    """Return whether we have rights on a table, as SQL; NULL where it is not there."""
    return " AND ".join(f"has_table_privilege(to_regclass({literal(marks)}), {literal(right)})" for right in rights)


def _marks(relation: Relation) -> str:
    return f"{quoted(relation.database)}.{quoted(MARKS)}"
