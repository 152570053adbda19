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


def preparing(notes: Notes, name: str, rows: Callable[[str], list[tuple[Any, ...]]], *, stands: bool) -> list[str]:
    """Return the statements that make a table for notes, or give one that stands what it lacks."""
    if not stands:
        return [WORDS.creation(name, notes)]
    return WORDS.additions(name, notes, [column for column, *_ in rows(f"DESCRIBE {name}")])
