"""One write to the warehouse: alone with its relation, and again where something passing was in the way."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from fastflowtransform.engines.base import Engine
from fastflowtransform.errors import EngineError, FftError
from fastflowtransform.relation import Relation
from fastflowtransform.results import Outcome

ATTEMPTS = 3
_PAUSE = 0.2
"""Seconds before the second attempt; each later pause is twice the one before it."""


@dataclass(frozen=True, slots=True)
class Attempted:
    """What came of a write; `retries` says why each attempt before the last one ended."""

    outcome: Outcome | None
    error: FftError | None
    retries: tuple[str, ...] = ()


def attempted(
    engine: Engine,
    relation: Relation,
    write: Callable[[bool], Outcome],
    on_wait: Callable[[str], None],
    *,
    shared: bool = False,
) -> Attempted:
    """Write to a relation, at most `ATTEMPTS` times.

    Parameters
    ----------
    engine
        Where the relation stands. Each attempt keeps other runs from it.
    relation
        What is written to.
    write
        Writes all or nothing; is told whether it is called once more, so that it looks anew at what stands there.
    on_wait
        Is told what an attempt waits for.
    shared
        Whether others of the same command write to it at the same time.
    """
    retries: list[str] = []
    while True:
        try:
            with engine.writing(relation, on_wait, shared=shared):
                return Attempted(write(bool(retries)), None, tuple(retries))
        except EngineError as error:
            if not error.transient or len(retries) == ATTEMPTS - 1:
                return Attempted(None, error, tuple(retries))
            retries.append(f"{error.code} {error.message}")
            on_wait(f"trying again after {error.code} {error.message}")
            import random

            # Two writers that were in each other's way shall not meet again.
            time.sleep(_PAUSE * 2 ** len(retries) * random.uniform(0.5, 1))
        except FftError as error:
            return Attempted(None, error, tuple(retries))
