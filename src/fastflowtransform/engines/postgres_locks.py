"""Who may write to a relation: one run at a time, by PostgreSQL's advisory locks, which go with their connection."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fastflowtransform.engines.postgres_session import Session
from fastflowtransform.engines.quoting import literal
from fastflowtransform.errors import EngineError, RelationBusy, WriteConflict
from fastflowtransform.relation import Relation


@dataclass(frozen=True, slots=True)
class Waiting:
    """For how many seconds a lock is waited for, and who is told that it is."""

    seconds: int
    on_wait: Callable[[str], None]


@contextlib.contextmanager
def held(session: Session, relation: Relation, waiting: Waiting, *, shared: bool) -> Iterator[None]:
    """Hold a relation's lock until the block ends; those who hold it `shared` are not in each other's way.

    Raises
    ------
    RelationBusy
        Another run held it for too long.
    """
    with session.keeping():
        yield from _held(session, relation, waiting, shared=shared)


def _held(session: Session, relation: Relation, waiting: Waiting, *, shared: bool) -> Iterator[None]:
    lock, kind = f"hashtextextended({literal(f'fft {relation}')}, 0)", "_shared" if shared else ""
    ((free,),) = session.rows(f"SELECT pg_try_advisory_lock{kind}({lock}) AS free")
    if not free:
        _wait(session, relation, waiting, lock, kind)
    held_by = session.number
    try:
        yield
    finally:
        if session.is_open and session.number == held_by:
            _let_go(session, f"SELECT pg_advisory_unlock{kind}({lock}) AS free")


def _let_go(session: Session, unlock: str) -> None:
    """Let go of a lock, which goes with its connection where that cannot be said.

    What was written under it is committed or rolled back by then, and is not to be written again for this.
    """
    try:
        session.rows(unlock)
    except EngineError:
        session.close()


def _wait(session: Session, relation: Relation, waiting: Waiting, lock: str, kind: str) -> None:
    holder = _holder(session, lock)
    busy = RelationBusy(
        f'another run writes to "{relation}"{holder}, and did not end within {waiting.seconds} s',
        hint="wait for it or end it, or set lock_wait in profiles.yml",
    )
    if not waiting.seconds:
        raise busy
    waiting.on_wait(f"waits for another run, which writes to the same table or view{holder}")
    ((before,),) = session.rows("SELECT current_setting('lock_timeout') AS before")
    session.rows(f"SELECT set_config('lock_timeout', '{waiting.seconds}s', false) AS now")
    try:
        session.rows(f"SELECT pg_advisory_lock{kind}({lock}) AS held")
    except WriteConflict as error:
        raise busy from error
    finally:
        with contextlib.suppress(EngineError):
            session.rows(f"SELECT set_config('lock_timeout', {literal(before)}, false) AS now")


def _holder(session: Session, lock: str) -> str:
    found = session.rows(
        f"""
        SELECT a.pid, a.usename FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
        WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
          AND (l.classid::bigint << 32) | l.objid::bigint = {lock}
        """
    )
    return "".join(f" (server process {pid} of {user})" for pid, user in found)
