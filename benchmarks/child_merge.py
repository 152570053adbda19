"""Takes the new events into `facts` without fft: `python child_merge.py staged|direct|checked|ibis FILE [LIMIT]`.

Prints the seconds of the merge alone. What Ibis loads before its first table is not counted: it is not for fft either.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict

import duckdb
from measure import NO_FOLDER, measured

NEWEST = "(select max(updated_at) from facts)"
_NEW = "select * from raw.events where updated_at > getvariable('newest')"
_DIRECT = (
    f"set variable newest = {NEWEST}",
    f"delete from facts using ({_NEW}) as delta where facts.event_id = delta.event_id",
    f"insert into facts {_NEW}",
)
Work = Callable[[], object]


def staged(path: str, **settings: str) -> Work:
    """Stage the rows after the newest one, delete their keys, insert them."""
    return _in_a_transaction(
        duckdb.connect(path, config=dict(settings)),
        f"create temp table delta as select * from raw.events where updated_at > {NEWEST}",
        "delete from facts using delta where facts.event_id = delta.event_id",
        "insert into facts select * from delta",
    )


def direct(path: str, **settings: str) -> Work:
    """Read the rows from their table twice, which is right only where the delta does not read the target."""
    return _in_a_transaction(duckdb.connect(path, config=dict(settings)), *_DIRECT)


def checked(path: str, **settings: str) -> Work:
    """Look for twins and NULL, and for the newest row, before that."""
    variable, *others = _DIRECT
    counts = (
        "select sum(n), count(*), sum(n) filter (event_id is null), max(newest) from "
        f"(select event_id, count(*) as n, max(updated_at) as newest from ({_NEW}) group by event_id)"
    )
    return _in_a_transaction(duckdb.connect(path, config=dict(settings)), variable, counts, *others)


def by_ibis(path: str, **settings: str) -> Work:
    """Let Ibis do it, with a `MERGE`."""
    import ibis

    connection = ibis.duckdb.connect(path, **settings)
    events, facts = connection.table("events", database="raw"), connection.table("facts")
    newest = facts.updated_at.max().execute()
    delta = events.filter(events.updated_at > newest)
    connection.compile(delta)
    return lambda: connection.upsert("facts", delta, on="event_id")


def _in_a_transaction(connection: duckdb.DuckDBPyConnection, *statements: str) -> Work:
    def work() -> None:
        for statement in ("begin", *statements, "commit"):
            connection.execute(statement)

    return work


def main(how: str, path: str, limit: str = "") -> None:
    """Merge, and print what that took."""
    settings = {"memory_limit": limit, "temp_directory": NO_FOLDER} if limit else {}
    work = {"staged": staged, "direct": direct, "checked": checked, "ibis": by_ibis}[how](path, **settings)
    with measured() as clock:
        work()
    print(json.dumps(asdict(clock.cost)))


main(*sys.argv[1:])
