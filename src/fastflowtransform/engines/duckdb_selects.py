"""What DuckDB says of a text before it is bound: whether it is one SELECT."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fastflowtransform.engines.duckdb_errors import translated
from fastflowtransform.errors import BadSql

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def require_one_select(connection: DuckDBPyConnection, text: str, interrupted: Callable[[], None]) -> None:
    """Raise `BadSql` for anything that would do more than read."""
    from fastflowtransform.engines.duckdb_driver import driver as duckdb

    with translated(text, interrupted):
        statements = connection.extract_statements(text)
    if not statements:
        raise BadSql("a model's SQL is empty but for comments", hint="write a SELECT")
    # A PIVOT is several statements to DuckDB, without a text of their own.
    texts = [statement.query for statement in statements if statement.query.strip()]
    alone = len(texts) == len(statements) == 1 or (statements and not texts)
    if not alone or statements[-1].type != duckdb.StatementType.SELECT:
        raise BadSql("a model's SQL is one SELECT", hint="take other statements away")
