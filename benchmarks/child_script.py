"""The same work as a script of SQL: `python child_script.py FILE tables|checks|seed|merge ARGUMENT`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import duckdb

NEWEST = "(select max(updated_at) from facts)"
DELTA = f"select * from raw.events where updated_at > {NEWEST}"
STAGED = f"create temp table delta as {DELTA}"
DELETED = "delete from facts using delta where facts.event_id = delta.event_id"
INSERTED = "insert into facts select * from delta"
COUNTED = (
    "select sum(n), count(*), sum(n) filter (event_id is null), max(newest) "
    "from (select event_id, count(*) as n, max(updated_at) as newest from delta group by event_id)"
)
LITERAL = "select * from raw.events where updated_at > getvariable('newest')"
MERGES = {
    "staged": (STAGED, DELETED, INSERTED),
    "checked": (STAGED, COUNTED, DELETED, INSERTED),
    "direct": (
        f"set variable newest = {NEWEST}",
        f"delete from facts using ({LITERAL}) as delta where facts.event_id = delta.event_id",
        f"insert into facts {LITERAL}",
    ),
}


def statements(what: str, argument: str) -> Iterator[str]:
    """Yield what is to be sent."""
    if what == "tables":
        for model in range(int(argument)):
            yield f"create or replace table model_{model} as select {model} as id, 'text' as label"
    elif what == "checks":
        for model in range(int(argument)):
            yield f"select count(*) from model_{model} where id is null"
            yield f"select count(*) from (select id from model_{model} group by id having count(*) > 1)"
    elif what == "seed":
        yield f"create table rows as from read_csv('{argument}')"
    else:
        yield from ("begin", *MERGES[argument], "commit")


def main(path: str, what: str, argument: str) -> None:
    """Send it all."""
    with duckdb.connect(path) as connection:
        for statement in statements(what, argument):
            rows = connection.execute(statement).fetchall()
            if what == "checks" and rows != [(0,)]:
                sys.exit(f"{statement}: {rows}")


main(*sys.argv[1:])
