"""The least that making tables with Ibis on DuckDB takes: `python child_bare_loop.py FILE NUMBER`."""

from __future__ import annotations

import sys

import ibis


def main(path: str, number: int) -> None:
    """Make `number` small tables, each from the text of a query."""
    connection = ibis.duckdb.connect(path)
    for model in range(number):
        query = connection.sql(f"select {model} as id, 'text' as label")
        connection.raw_sql(f"create table model_{model} as {connection.compile(query)}")
    connection.disconnect()


main(sys.argv[1], int(sys.argv[2]))
