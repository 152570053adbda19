"""What PostgreSQL's tables were written with, and whether they are still what was written.

A table beside them notes a mark, the columns, the number of rows, and the transaction that wrote them. Each row bears
the transaction it comes from: where all are of that one, and are as many, nothing has added, changed or deleted any.
"""

from __future__ import annotations

from dataclasses import dataclass

from fastflowtransform.engines.base import MARKS
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
        """Make the table that marks are noted in, where there is none; False where we have no right to note anything.

        Two sessions that made it at once would be in each other's way.
        """
        marks = _marks(self.relation)
        may_note = _may(marks, "INSERT", "UPDATE", "SELECT")
        may_make = f"has_schema_privilege({literal(self.relation.database)}, 'CREATE')"
        ((noted, made),) = session.rows(f"SELECT {may_note} AS noted, {may_make} AS made")
        if noted is not None or not made:
            return bool(noted)
        with session.transaction():
            session.run(f"SELECT pg_advisory_xact_lock(hashtextextended({literal(f'fft {marks}')}, 0))")
            session.run(
                f"CREATE TABLE IF NOT EXISTS {marks} (name text PRIMARY KEY, mark text NOT NULL, "
                "columns text NOT NULL, rows bigint NOT NULL, written_by xid)"
            )
        return True

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


_COLUMNS = (
    "coalesce((SELECT string_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod), ', ' "
    "ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '')"
)


def _is_plain(name: str) -> str:
    """Return the condition for a relation to be a table whose rows tell the transaction that they come from."""
    return f"c.oid = {literal(name)}::regclass AND c.relkind IN ('r', 'p')"


def _may(marks: str, *rights: str) -> str:
    """Return whether we have rights on a table, as SQL; NULL where it is not there."""
    return " AND ".join(f"has_table_privilege(to_regclass({literal(marks)}), {literal(right)})" for right in rights)


def _marks(relation: Relation) -> str:
    return f"{quoted(relation.database)}.{quoted(MARKS)}"
