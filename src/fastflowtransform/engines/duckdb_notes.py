"""How DuckDB keeps notes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from fastflowtransform.engines.notes import Notes, Value, Words, plain
from fastflowtransform.engines.quoting import literal, quoted

WORDS = Words({str: "VARCHAR", int: "BIGINT", float: "DOUBLE", datetime: "TIMESTAMP"})

_MANY = 16
"""Rows from which on a text of JSON takes DuckDB less time than a list of values, of which it binds each by itself."""


def insertion(name: str, notes: Notes, rows: Sequence[Mapping[str, Value]]) -> str:
    """Return the statement that adds rows; what a row does not name is NULL."""
    if len(rows) < _MANY:
        return WORDS.insertion(name, notes, rows)
    types = literal(json.dumps([{column: WORDS.types[kind] for column, kind in notes.columns.items()}]))
    texts = literal(json.dumps([{key: plain(value) for key, value in row.items()} for row in rows]))
    columns = ", ".join(map(quoted, notes.columns))
    read = ", ".join(f"note.{quoted(column)}" for column in notes.columns)
    return f"INSERT INTO {name} ({columns}) SELECT {read} FROM (SELECT unnest(from_json({texts}, {types})) AS note)"


def prepare(
    notes: Notes,
    name: str,
    rows: Callable[[str], list[tuple[Any, ...]]],
    run: Callable[[str], Any],
    *,
    stands: bool,
) -> None:
    """Make a table for notes, or give one that stands what it lacks."""
    known = [column for column, *_ in rows(f"DESCRIBE {name}")] if stands else None
    for statement in WORDS.preparation(name, notes, known):
        run(statement)
