"""Columns of a SELECT that have no type, which DuckDB would make integers of: they are texts here."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from fastflowtransform.engines.duckdb_errors import translated
from fastflowtransform.engines.quoting import quoted
from fastflowtransform.errors import EngineError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Nothing else than one of these gives a value without a type. NULL in a condition or in an order gives none.
_MAYBE = re.compile(r"\bnull\b|\[\s*\]|\{\s*\}|\blist_value\b|\bmap\b|\barray\b", re.IGNORECASE)
_CONDITIONS = re.compile(r"\b(is\s+(not\s+)?|not\s+)null\b", re.IGNORECASE)
# The name of a struct's field may be NULL as well, and then its type follows.
_UNTYPED = re.compile(r'"NULL"(?=$|[\],)\[])')


def typed(connection: DuckDBPyConnection, select: str, interrupted: Callable[[], None]) -> str:
    """Return a SELECT whose columns all have a type.

    DuckDB says INTEGER of a column that it has no type for, so it is asked in another way, and only where there may be
    one.
    """
    if not _MAYBE.search(_CONDITIONS.sub("", select)):
        return select
    try:
        with translated(select, interrupted):
            # Over no rows, so that nothing is computed.
            asked = f'SELECT typeof(any_value(COLUMNS(*))) AS "\\0" FROM (\n{select}\n) AS model WHERE false'
            (types,) = connection.execute(asked).fetchall()
    except EngineError:
        # What is wrong with the text is told where it is bound as a whole; a PIVOT stands in no FROM.
        return select
    casts = {
        name: _UNTYPED.sub("VARCHAR", spelt)
        for (name, *_), spelt in zip(connection.description or (), types, strict=True)
        if _UNTYPED.search(spelt)
    }
    if not casts:
        return select
    columns = ", ".join(f"CAST({quoted(name)} AS {spelt}) AS {quoted(name)}" for name, spelt in casts.items())
    return f"SELECT * REPLACE ({columns}) FROM (\n{select}\n) AS model"
