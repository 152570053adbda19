"""Writes a CSV file of some everyday columns: `python child_rows.py FILE ROWS`."""

from __future__ import annotations

import sys

import duckdb


def main(path: str, rows: int) -> None:
    """Write it."""
    duckdb.sql(f"""
        copy (
            select
                n as id,
                timestamp '2026-01-01' + to_seconds(n % 20000000) as at,
                'name ' || (hash(n, 1) % 1000) as name,
                (hash(n, 2) % 1000000) / 100.0 as amount,
                ['view', 'click', 'order'][1 + (hash(n, 3) % 3)::integer] as kind
            from range({rows}) as numbers(n)
        ) to '{path}' (header)
    """)


main(sys.argv[1], int(sys.argv[2]))
