"""DuckDB as the judge of its own SQL: names and types of a SELECT over tables that need not exist anywhere."""

from __future__ import annotations

import functools
import threading

import duckdb

from fastflowtransform.engines.quoting import quoted
from fastflowtransform.translation.binding import Relation, Unbound


class DuckDBBinder:
    """An empty database in memory, in which tables are declared and never filled."""

    def __init__(self) -> None:
        self._connection = duckdb.connect(config={"threads": 1})
        self._connection.execute("SET timezone = 'UTC'")
        self._lock = threading.Lock()
        self._declared: dict[tuple[str, ...], Relation] = {}

    def columns(self, select: str, tables: tuple[Relation, ...] = ()) -> tuple[tuple[str, str], ...]:
        """Return the names and types of what a SELECT gives."""
        with self._lock:
            try:
                for table in tables:
                    self._declare(table)
                rows = self._connection.execute(f"DESCRIBE SELECT * FROM (\n{select}\n)").fetchall()
            except duckdb.Error as error:
                raise Unbound(str(error)) from error
        return tuple((str(name), str(dtype)) for name, dtype, *_ in rows)

    def _declare(self, table: Relation) -> None:
        if self._declared.get(table.parts) == table:
            return
        *schema, name = map(quoted, table.parts)
        if schema:
            self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema[-1]}")
        columns = ", ".join(f"{quoted(column)} {dtype or 'VARCHAR'}" for column, dtype in table.columns.items())
        self._connection.execute(f"CREATE OR REPLACE TABLE {'.'.join([*schema[-1:], name])} ({columns})")
        self._declared[table.parts] = table


@functools.cache
def binder() -> DuckDBBinder:
    """Return the binder of this process; a part of a text is bound once, whoever asks."""
    return DuckDBBinder()
