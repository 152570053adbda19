"""Makes a database with a log of events and a table that lacks its newest rows.

`python child_events.py FILE ROWS CHANGED KEYS wide|narrow`. The same rows each time: values come from `hash`, not from
a random number. `raw.events` holds ROWS events of as many keys, then CHANGED more: four in five are of keys spread
evenly over the last KEYS of the first ones, the rest are of new keys. They begin with a new day, for tools that take
days. `main.facts` holds the first ROWS.
"""

from __future__ import annotations

import sys

import duckdb

WIDE = """
    (hash(n, 1) % 100000)::integer as account,
    ['view', 'click', 'order', 'refund'][1 + (hash(n, 2) % 4)::integer] as kind,
    'note ' || (hash(n, 3) % 1000000) as note,
    (hash(n, 4) % 1000000) / 100.0::double as amount,
    (hash(n, 5) % 1000003) / 1000003.0::double as score,
    (hash(n, 6) % 7)::smallint as weekday
"""
NARROW = "(hash(n, 4) % 1000000) / 100.0::double as amount"


def main(path: str, rows: int, changed: int, keys: int, columns: str) -> None:
    """Write the file."""
    updates = changed * 4 // 5
    stride = keys // updates
    pause = -rows % 86_400
    connection = duckdb.connect(path)
    connection.execute("create schema raw")
    connection.execute(f"""
        create table raw.events as
        select
            case
                when n < {rows} then n
                when n < {rows + updates} then {rows - keys} + (n - {rows}) * {stride} + hash(n) % {stride}
                else n - {updates}
            end::bigint as event_id,
            {columns},
            timestamp '2026-01-01' + to_microseconds((n + if(n < {rows}, 0, {pause})) * 1000000) as updated_at
        from range({rows + changed}) as numbers(n)
    """)
    connection.execute(f"""
        create table main.facts as
        from raw.events where updated_at < timestamp '2026-01-01' + to_microseconds({rows}::bigint * 1000000)
    """)
    connection.close()


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), {"wide": WIDE, "narrow": NARROW}[sys.argv[5]])
