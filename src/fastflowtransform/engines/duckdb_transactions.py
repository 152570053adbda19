"""DuckDB's transactions: one a write, or one for several writes and what is noted of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from fastflowtransform.engines.notes import Later, Notes, Value
from fastflowtransform.errors import EngineError
from fastflowtransform.relation import Relation


class Transactions:
    """The transactions of one connection.

    Parameters
    ----------
    run
        Sends a statement.
    insertion
        Gives the statement that adds rows to a table for notes.
    undone
        Is called where a transaction was rolled back.
    states
        Returns what tells the rows of tables from any others.

    Attributes
    ----------
    is_open
        Whether one goes on.
    """

    def __init__(
        self,
        run: Callable[[str], Any],
        insertion: Callable[[Notes, Sequence[Mapping[str, Value]]], str],
        undone: Callable[[], None],
        states: Callable[[Sequence[Relation]], Mapping[Relation, str]],
    ) -> None:
        self._states = states
        self._later: list[Later] = []
        self._run = run
        self._insertion = insertion
        self._undone = undone
        self.is_open = False
        self._held: dict[str, tuple[Notes, list[Mapping[str, Value]]]] | None = None
        """Rows for the tables of notes, by their names; None where nothing is committed together."""

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """Commit what the block writes, or nothing of it; within another one, that one commits it."""
        if self.is_open:
            yield
            return
        self.is_open, committed = True, False
        try:
            self._run("BEGIN TRANSACTION")
            yield
            if self.is_open:
                self._run("COMMIT")
            committed = True
        finally:
            self.is_open = False
            if not committed:
                self._roll_back()

    def undo(self) -> None:
        """Take back what the block of `one` has written, if it began the transaction and changed rows only."""
        self.is_open = False
        self._run("ROLLBACK")

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Commit all that the block writes at once; its notes are one statement a table, and not one each."""
        with self.one():
            held = dict[str, tuple[Notes, list[Mapping[str, Value]]]]()
            try:
                self._held, self._later = held, []
                yield
            finally:
                self._held = None
            self._find_states()
            for notes, rows in held.values():
                self.note(notes, rows)

    def later(self, relation: Relation) -> Later | None:
        """Return the state of a table as it will be found at the end of `together`; None outside of it."""
        if self._held is None:
            return None
        self._later.append(Later(relation))
        return self._later[-1]

    def _find_states(self) -> None:
        waiting = [each for each in self._later if each.text is None]
        found = self._states([each.relation for each in waiting]) if waiting else {}
        for each in waiting:
            each.text = found[each.relation]

    def _roll_back(self) -> None:
        """End a transaction, if there is one: where a statement has failed, that one's error is the one to tell."""
        self._undone()
        try:
            with contextlib.suppress(EngineError):
                self._run("ROLLBACK")
        except KeyboardInterrupt:
            # It was meant for what ran before, and one statement ends so.
            with contextlib.suppress(EngineError):
                self._run("ROLLBACK")
            raise

    def note(self, notes: Notes, rows: Sequence[Mapping[str, Value]]) -> None:
        """Add rows to a table for notes, in the transaction that goes on."""
        if self._held is None:
            self._run(self._insertion(notes, rows))
        else:
            self._held.setdefault(str(notes.relation), (notes, []))[1].extend(rows)
