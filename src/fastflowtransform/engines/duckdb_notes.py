"""How DuckDB keeps notes, and what it says of its functions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from fastflowtransform.engines.notes import Notes, Words

WORDS = Words({str: "VARCHAR", int: "BIGINT", float: "DOUBLE", datetime: "TIMESTAMP"})

STEADY = """
SELECT lower(function_name) FROM duckdb_functions() GROUP BY 1
HAVING bool_and(internal AND coalesce(stability = 'CONSISTENT', false))
"""
"""Asks for DuckDB's own functions of which each form gives the same for the same arguments."""


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
