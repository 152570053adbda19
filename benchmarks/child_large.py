"""Makes a large log of events in steps: `python child_large.py FILE begin ROWS CHANGED`, then `... FILE arrive`.

`begin` writes `raw.events` of ROWS events with a key each, and CHANGED newer ones, four in five of known keys, aside;
`arrive` adds these. There are three columns, and no table `facts`.
"""

from __future__ import annotations

import sys

import duckdb

EVENTS = """
    select
        {key}::bigint as event_id,
        (hash(n, 4) % 1000000) / 100.0::double as amount,
        timestamp '2020-01-01' + to_microseconds(n * 1000000) as updated_at
    from range({first}, {last}) as numbers(n)
"""


def begin(path: str, rows: int, changed: int) -> None:
    """Write the file."""
    updates = changed * 4 // 5
    key = f"if(n < {rows + updates}, (n - {rows}) * {rows // updates}, n - {updates})"
    with duckdb.connect(path) as connection:
        connection.execute("create schema raw")
        connection.execute(f"create table raw.events as {EVENTS.format(key='n', first=0, last=rows)}")
        connection.execute(f"create table raw.later as {EVENTS.format(key=key, first=rows, last=rows + changed)}")


def arrive(path: str) -> None:
    """Let the newer events arrive."""
    with duckdb.connect(path) as connection:
        connection.execute("insert into raw.events from raw.later")


def main(path: str, what: str, *numbers: str) -> None:
    """Do a step, and print how many rows the table of the model has where it is there."""
    if what == "begin":
        begin(path, *map(int, numbers))
    elif what == "arrive":
        arrive(path)
    else:
        with duckdb.connect(path, read_only=True) as connection:
            print(connection.execute("select count(*) from facts").fetchall()[0][0])


main(*sys.argv[1:])
