"""Takes the new events into `facts` without fft: `python child_merge.py staged|direct|ibis FILE`.

Prints the seconds of the merge alone. What Ibis loads before its first table is not counted: it is not for fft either.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict

import duckdb
from measure import measured

NEWEST = "(select max(updated_at) from facts)"


def staged(path: str) -> Callable[[], None]:
    """Stage the rows after the newest one, delete their keys, insert them."""
    return _in_a_transaction(
        path,
        f"create temp table delta as select * from raw.events where updated_at > {NEWEST}",
        "delete from facts using delta where facts.event_id = delta.event_id",
        "insert into facts select * from delta",
    )


def direct(path: str) -> Callable[[], None]:
    """Read the rows from their table twice, which is right only where the delta does not read the target."""
    delta = "select * from raw.events where updated_at > getvariable('newest')"
    return _in_a_transaction(
        path,
        f"set variable newest = {NEWEST}",
        f"delete from facts using ({delta}) as delta where facts.event_id = delta.event_id",
        f"insert into facts {delta}",
    )


def ibis(path: str) -> Callable[[], None]:
    """Let Ibis do it, with a `MERGE`."""
    import ibis

    connection = ibis.duckdb.connect(path)
    events, facts = connection.table("events", database="raw"), connection.table("facts")
    newest = facts.updated_at.max().execute()
    delta = events.filter(events.updated_at > newest)
    connection.compile(delta)
    return lambda: connection.upsert("facts", delta, on="event_id")


def _in_a_transaction(path: str, *statements: str) -> Callable[[], None]:
    connection = duckdb.connect(path)

    def work() -> None:
        for statement in ("begin", *statements, "commit"):
            connection.execute(statement)

    return work


def main(how: str, path: str) -> None:
    """Merge, and print what that took."""
    work = {"staged": staged, "direct": direct, "ibis": ibis}[how](path)
    with measured() as clock:
        work()
    print(json.dumps(asdict(clock.cost)))


main(*sys.argv[1:])
