"""A schema of a connection's own, which nothing of anybody else's can stand in."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from fastflowtransform.errors import EngineError


class Scratch:
    """Makes a schema under a name by chance, empties it, and drops it; one that it did not make, it never drops.

    Parameters
    ----------
    run
        Sends one statement, and tells nobody: a reader who has gone must not be in the way of the end.
    """

    def __init__(self, run: Callable[[str], object]) -> None:
        self.name = f"fft_scratch_{secrets.token_hex(8)}"
        self._run = run
        self._made = False

    def empty(self) -> None:
        """Make the schema, or empty it where that is done."""
        self.drop()
        # Said beforehand: whoever interrupts us after the statement, and before the next line, leaves nothing.
        self._made = True
        try:
            self._run(f"CREATE SCHEMA {self.name}")
        except EngineError:
            self._made = False
            raise

    def drop(self) -> None:
        """Drop the schema with all that stands in it, if it was made."""
        if self._made:
            self._run(f"DROP SCHEMA IF EXISTS {self.name} CASCADE")
            self._made = False
