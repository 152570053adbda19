"""How Spark keeps notes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from fastflowtransform.engines.notes import Notes, Words
from fastflowtransform.engines.spark_catalog import literal, printed, ticked
from fastflowtransform.engines.spark_profile import FORMATS
from fastflowtransform.engines.spark_session import Session

WORDS = Words({str: "STRING", int: "BIGINT", float: "DOUBLE", datetime: "TIMESTAMP"}, quote=ticked, literal=literal)


def prepare(session: Session, notes: Notes, table_format: str, *, stands: bool) -> None:
    """Make a table for notes, or give one that stands what it lacks."""
    name = printed(notes.relation)
    known = [*session.columns(f"SELECT * FROM {name}").spelt] if stands else None
    for statement in replace(WORDS, table=FORMATS[table_format]).preparation(name, notes, known):
        session.run(statement)
