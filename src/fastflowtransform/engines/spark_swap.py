"""A table put in the place of another by its name: for formats that cannot replace their rows in one commit.

The new table is written whole beside the old one, and then they change names. A run that is killed on the way leaves
both, and `recovered` ends or undoes what it began.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from fastflowtransform.engines.base import Kind
from fastflowtransform.engines.spark_catalog import NEW, OLD, left_behind, printed
from fastflowtransform.engines.spark_session import Session
from fastflowtransform.errors import EngineError
from fastflowtransform.relation import Relation


def swapped(session: Session, relation: Relation, over: Kind | None, make: Callable[[str], None]) -> None:
    """Let `make` write a table under the name that it is given, and put it in the place of what stands there.

    Parameters
    ----------
    session
        Where.
    relation
        The place.
    over
        What stands there.
    make
        Writes the new table. Where it fails, nothing has changed.
    """
    name, new, old = printed(relation), printed(relation, NEW), printed(relation, OLD)
    session.run(f"DROP TABLE IF EXISTS {new}")
    try:
        make(new)
    except EngineError:
        with contextlib.suppress(EngineError):
            session.run(f"DROP TABLE IF EXISTS {new}")
        raise
    if over is Kind.VIEW:
        session.run(f"DROP VIEW {name}")
    elif over is Kind.TABLE:
        session.run(f"ALTER TABLE {name} RENAME TO {old}")
    session.run(f"ALTER TABLE {new} RENAME TO {name}")
    if over is Kind.TABLE:
        session.run(f"DROP TABLE {old}")


def view_over_table(session: Session, relation: Relation, make: str) -> None:
    """Put a view in the place of a table, which keeps its name where the view cannot be made."""
    name, old = printed(relation), printed(relation, OLD)
    session.run(f"ALTER TABLE {name} RENAME TO {old}")
    try:
        session.run(make)
    except EngineError:
        session.run(f"ALTER TABLE {old} RENAME TO {name}")
        raise
    session.run(f"DROP TABLE {old}")


def recovered(session: Session, database: str) -> None:
    """End or undo what a killed run began: whoever opens the database next sees the old table or the new one."""
    found = left_behind(session, database)
    if not found:
        return
    names = {row["tableName"] for row in session.rows(f"SHOW TABLES IN `{database}`")}
    for name, endings in found.items():
        relation = Relation(database, name)
        if name not in names:
            # The old table is complete. So is a new one that was about to take a view's name.
            back = OLD if OLD in endings else NEW
            session.run(f"ALTER TABLE {printed(relation, back)} RENAME TO {printed(relation)}")
            endings = endings - {back}
        for ending in endings:
            session.run(f"DROP TABLE IF EXISTS {printed(relation, ending)}")
