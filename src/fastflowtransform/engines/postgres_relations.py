"""A relation as a whole: made, replaced, or turned from a table into a view. Nothing is ever dropped with CASCADE."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from fastflowtransform.engines import postgres_catalog as catalog
from fastflowtransform.engines import postgres_difference as difference
from fastflowtransform.engines.base import Kind
from fastflowtransform.engines.postgres_catalog import Belongings
from fastflowtransform.engines.postgres_indexes import OURS, definition, name_of, short_hash
from fastflowtransform.engines.postgres_references import emptying
from fastflowtransform.engines.postgres_rows import (
    alter,
    analyze,
    changes_to,
    columns_of,
    ingest,
    insert,
    printed,
    require_short,
    survey,
)
from fastflowtransform.engines.postgres_session import Session
from fastflowtransform.engines.postgres_widths import too_short
from fastflowtransform.engines.quoting import literal, quoted
from fastflowtransform.errors import DependentsInTheWay, EngineError, WriteConflict
from fastflowtransform.model import Layout
from fastflowtransform.relation import Relation
from fastflowtransform.results import WriteCounts

if TYPE_CHECKING:
    import pyarrow as pa

Noted = Callable[[WriteCounts], WriteCounts]
"""Notes elsewhere what was written, in the same transaction, and returns it."""
VIEW = WriteCounts(0, 0, "create view")

_PATIENCE = 2
"""Seconds that a swap waits for the readers of a table; those who come after it wait as long."""


def make_schema(session: Session, database: str) -> None:
    """Make a schema where there is none; only then is the right to make one needed."""
    require_short(database)
    found = f"SELECT 1 AS one FROM pg_namespace WHERE nspname = {literal(database)}"
    if not session.rows(found):
        try:
            session.run(f"CREATE SCHEMA {quoted(database)}")
        except EngineError:
            # Another run may have made it in the meantime.
            if not session.rows(found):
                raise


def made(
    session: Session,
    relation: Relation,
    rows: str | pa.RecordBatchReader,
    hung: Belongings | None,
    layout: Layout,
    noted: Noted,
) -> WriteCounts:
    """Make a table, in one transaction; `hung` is what hung on the view that goes for it."""
    name = printed(relation)
    with session.transaction():
        if hung is not None:
            session.run(f"DROP VIEW {name}")
        written = _filled(session, relation, rows)
        for index in layout.indexes:
            session.run(definition(name_of(relation, index), name, index))
        _hang(session, name, hung, "TABLE")
        survey(session, relation, written)
        return noted(WriteCounts(written, 0, "create table as select"))


def swapped(
    session: Session,
    relation: Relation,
    rows: str | pa.RecordBatchReader,
    hung: Belongings,
    layout: Layout,
    noted: Noted,
) -> WriteCounts:
    """Make a new table beside the old one, and give it the old one's name, indexes, grants and comments.

    Its rows are committed before it gets the name: whoever finds it under that name sees them, however early the
    snapshot was taken. A run that is killed in between leaves the table, and the next one drops it. Where a reader
    keeps a snapshot from before, or does not let go of the old table, the new rows go into that one.
    """
    beside = Relation(relation.database, f"__fft_new_{short_hash(str(relation))}")
    with session.transaction():
        session.run(f"DROP TABLE IF EXISTS {printed(beside)}")
        written = _filled(session, beside, rows)
        renamed = dict(_indexed(session, relation, beside, hung, layout))
        _hang(session, printed(beside), hung, "TABLE")
        survey(session, beside, written)

    counts = WriteCounts(written, 0, "create table as select")
    done = False
    try:
        done = _is_swapped(session, relation, beside, renamed, functools.partial(noted, counts))
        if done:
            return counts
        return rewritten(session, relation, f"SELECT * FROM {printed(beside)}", hung, layout, noted)
    finally:
        if not done:
            # The next run would drop the table as well.
            session.tidy(f"DROP TABLE IF EXISTS {printed(beside)}")


def _is_swapped(
    session: Session, relation: Relation, beside: Relation, renamed: Mapping[str, str], then: Callable[[], object]
) -> bool:
    """Give a table and its indexes the names of another one, which goes; False where a reader is in the way of that.

    `then` is done in the same transaction.
    """
    try:
        with session.transaction():
            session.run(f"SET LOCAL lock_timeout = '{_PATIENCE}s'")
            session.run(f"LOCK TABLE {printed(relation)} IN ACCESS EXCLUSIVE MODE")
            if catalog.is_a_snapshot_held(session.rows):
                return False
            session.run(f"DROP TABLE {printed(relation)}")
            session.run(f"ALTER TABLE {printed(beside)} RENAME TO {quoted(relation.name)}")
            for now, later in renamed.items():
                session.run(f"ALTER INDEX {quoted(relation.database)}.{quoted(now)} RENAME TO {quoted(later)}")
            then()
    except WriteConflict:
        return False
    return True


def rewritten(
    session: Session, relation: Relation, staged: str, hung: Belongings, layout: Layout, noted: Noted
) -> WriteCounts:
    """Put new rows into a table that must stay, because something hangs on it that no new table would have.

    Readers are kept waiting only where columns change.

    Raises
    ------
    DependentsInTheWay
        A view needs a column as it was.
    """
    with session.transaction():
        counts = noted(_refilled(session, relation, staged, hung, layout))
    analyze(session, relation, counts.inserted + counts.updated)
    return counts


def _refilled(session: Session, relation: Relation, source: str, hung: Belongings, layout: Layout) -> WriteCounts:
    """Put the rows of a SELECT in place of a table's rows, and leave alone what the table fills itself."""
    new = columns_of(session, source).schema()
    stands = columns_of(session, f"SELECT * FROM {printed(relation)}")
    # Only of what the rows do not give.
    filled = catalog.filled(printed(relation), session.rows) if set(stands.spelt) - set(new) else ()
    old = {name: dtype for name, dtype in stands.schema().items() if name in new or name not in filled}
    shared = {name: spelt for name, spelt in stands.spelt.items() if name in new}
    narrow = too_short(session, relation, shared, lambda: source)
    changes = changes_to(old, new)
    changes = replace(changes, retyped={**changes.retyped, **{name: new[name] for name in narrow}})
    by = difference.keyed(session, relation, new) if hung.reacts else None
    if by is None:
        session.run(emptying(printed(relation)))
        alter(session, relation, changes, source, forgotten=changes.retyped)
        counts = WriteCounts(insert(session, relation, source, new), 0, "delete + insert")
    else:
        alter(session, relation, changes, source, forgotten=difference.forgotten(session, relation, changes.retyped))
        counts = difference.refreshed(session, relation, source, tuple(new), by)
    for statement in _arrangement(session, relation, layout):
        session.run(statement)
    return counts


def arrange(session: Session, relation: Relation, layout: Layout) -> None:
    """Make the indexes of `layout` on a table that stands, and drop those of an earlier one."""
    if statements := _arrangement(session, relation, layout):
        with session.transaction():
            for statement in statements:
                session.run(statement)


def _arrangement(session: Session, relation: Relation, layout: Layout) -> list[str]:
    """Return the statements that give a table the indexes of `layout`, and no others of ours."""
    name = printed(relation)
    stand = {index.name for index in catalog.belongings(name, session.rows).indexes}
    wanted = {name_of(relation, index): index for index in layout.indexes}
    statements = [
        f"DROP INDEX {quoted(relation.database)}.{quoted(index)}"
        for index in sorted(stand)
        if index.startswith(OURS) and index not in wanted
    ]
    return statements + [definition(index, name, wanted[index]) for index in wanted if index not in stand]


def view_made(
    session: Session, relation: Relation, select: str, over: Kind | None, hung: Belongings | None, noted: Noted
) -> None:
    """Make a view, in one transaction with the end of a table of its name, or of a view of other columns.

    Raises
    ------
    DependentsInTheWay
        Another view reads one whose columns change.
    """
    name = printed(relation)
    with session.transaction():
        if over is Kind.TABLE:
            session.run(f"DROP TABLE {name}")
        elif over is Kind.VIEW:
            if _is_replaced(session, name, select):
                noted(VIEW)
                return
            _drop_view(session, relation)
        session.run(f"CREATE VIEW {name} AS {select}")
        _hang(session, name, hung, "VIEW")
        noted(VIEW)


def _filled(session: Session, relation: Relation, rows: str | pa.RecordBatchReader) -> int:
    """Make a table of a SELECT, or of Arrow rows, and return how many rows it has."""
    if isinstance(rows, str):
        return session.run(f"CREATE TABLE {printed(relation)} AS {rows}")
    return ingest(session, relation.database, relation.name, rows)


def _indexed(
    session: Session, relation: Relation, beside: Relation, hung: Belongings, layout: Layout
) -> Iterator[tuple[str, str]]:
    """Make the old table's indexes on the new one, and yield the name of each for now and for later."""
    columns = set(session.columns(f"SELECT * FROM {printed(beside)}").names) if hung.indexes else set()
    for number, index in enumerate(index for index in hung.indexes if not index.name.startswith(OURS)):
        if not columns.issuperset(index.columns):
            lost = ", ".join(sorted(set(index.columns) - columns))
            raise DependentsInTheWay(
                f'the index "{index.name}" of "{relation}" is on "{lost}", which the new rows do not have',
                hint="drop the index first",
            )
        unique, now = "UNIQUE " if index.unique else "", f"{beside.name}_{number}"
        session.run(f"CREATE {unique}INDEX {quoted(now)} ON {printed(beside)} {index.definition}")
        yield now, index.name
    for number, wanted in enumerate(layout.indexes):
        now = f"{beside.name}_ours_{number}"
        session.run(definition(now, printed(beside), wanted))
        yield now, name_of(relation, wanted)


def _hang(session: Session, name: str, hung: Belongings | None, kind: str) -> None:
    """Give a new relation the grants and comments of the one that it stands for, and no others."""
    if hung is None:
        return
    for grantee in catalog.granted_to(name, session.rows):
        session.run(f"REVOKE ALL ON {name} FROM {grantee}")
    columns = session.columns(f"SELECT * FROM {name}").names if hung.comments else ()
    for statement in (*hung.grants_on(name), *hung.comments_on(name, columns, kind)):
        session.run(statement)


def _is_replaced(session: Session, name: str, select: str) -> bool:
    """Replace a view in its place; False where PostgreSQL would have to change or drop a column for it."""
    session.run("SAVEPOINT in_place")
    try:
        session.run(f"CREATE OR REPLACE VIEW {name} AS {select}")
    except EngineError as error:
        if "view column" not in error.message and "columns from view" not in error.message:
            raise
        session.run("ROLLBACK TO SAVEPOINT in_place")
        return False
    return True


def _drop_view(session: Session, relation: Relation) -> None:
    dependents = catalog.existing([relation], session.rows)[relation].dependents
    if dependents:
        shown = ", ".join(f'"{name}"' for name in dependents)
        raise DependentsInTheWay(
            f'the columns of "{relation}" change, and it is read by {shown}',
            hint="drop what reads it first; the models among them are made again by the run",
        )
    session.run(f"DROP VIEW {printed(relation)}")
