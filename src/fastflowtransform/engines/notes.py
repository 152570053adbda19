"""Tables of fft's own beside a project's: small, added to and never changed, and written as plain statements."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from fastflowtransform.engines.quoting import literal, quoted
from fastflowtransform.relation import Relation
from fastflowtransform.results import WriteCounts

RUNS, STATES, MARKS = "fft_run", "fft_model_state", "fft_seeds"
"""The tables of fft's own: what the ledger records of commands and of models, and what seeds were loaded from."""
OWN_PART = "__fft_"
"""A part of the names of all other tables and views that fft makes for itself."""


class Later:
    """What the engine will say of a table, once: it is found out with that of others before their notes are written.

    Parameters
    ----------
    relation
        The table.
    """

    def __init__(self, relation: Relation) -> None:
        self.relation = relation
        self.text: str | None = None


Value = str | int | float | datetime | Later | None


@dataclass(frozen=True, slots=True)
class Notes:
    """A table of notes: its name, and its columns with the Python type of their values. Moments are in UTC."""

    relation: Relation
    columns: Mapping[str, type]


@dataclass(frozen=True, slots=True)
class Words:
    """How an engine writes the statements about notes.

    Parameters
    ----------
    types
        Its name of each type of a column.
    quote
        How it writes a name.
    literal
        How it writes a text.
    table
        What it says of a new table, between its columns and the end.
    """

    types: Mapping[type, str]
    quote: Callable[[str], str] = quoted
    literal: Callable[[str], str] = literal
    table: str = ""

    def creation(self, name: str, notes: Notes) -> str:
        """Return the statement that makes the table where there is none.

        Examples
        --------
        >>> notes = Notes(Relation("demo", "n"), {"run_id": str, "rows": int})
        >>> Words({str: "VARCHAR", int: "BIGINT"}).creation('"demo"."n"', notes)
        'CREATE TABLE IF NOT EXISTS "demo"."n" ("run_id" VARCHAR, "rows" BIGINT)'
        """
        columns = ", ".join(f"{self.quote(column)} {self.types[kind]}" for column, kind in notes.columns.items())
        return f"CREATE TABLE IF NOT EXISTS {name} ({columns}){self.table}"

    def preparation(self, name: str, notes: Notes, known: Sequence[str] | None, unless: str = "") -> list[str]:
        """Return the statements that make the table, or give one of an older fft the columns that it does not have.

        Parameters
        ----------
        name, notes
            The table.
        known
            Its columns; None where there is none yet.
        unless
            What the engine says for a column that has come in the meantime.
        """
        if known is None:
            return [self.creation(name, notes)]
        missing = [column for column in notes.columns if column not in known]
        return [
            f"ALTER TABLE {name} ADD COLUMN{unless} {self.quote(column)} {self.types[notes.columns[column]]}"
            for column in missing
        ]

    def insertion(self, name: str, notes: Notes, rows: Sequence[Mapping[str, Value]]) -> str:
        """Return the statement that adds rows; what a row does not name is NULL.

        Examples
        --------
        >>> notes = Notes(Relation("demo", "n"), {"run_id": str, "rows": int})
        >>> Words({}).insertion("n", notes, [{"run_id": "it's", "rows": 3}, {"run_id": "b"}])
        'INSERT INTO n ("run_id", "rows") VALUES (\\'it\\'\\'s\\', 3), (\\'b\\', NULL)'
        """
        columns = ", ".join(map(self.quote, notes.columns))
        values = (", ".join(self._value(row.get(column)) for column in notes.columns) for row in rows)
        return f"INSERT INTO {name} ({columns}) VALUES {', '.join(f'({row})' for row in values)}"

    def _value(self, value: Value) -> str:
        given = plain(value)
        if given is None:
            return "NULL"
        written = self.literal(given) if isinstance(given, str) else repr(given)
        return f"TIMESTAMP {written}" if isinstance(value, datetime) else written


def plain(value: Value) -> str | int | float | None:
    """Return a value without a type of its own: a moment as its text in UTC.

    Examples
    --------
    >>> plain(datetime(2026, 1, 1, 12, tzinfo=UTC)), plain(3)
    ('2026-01-01 12:00:00.000000', 3)
    """
    if isinstance(value, Later):
        return value.text
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"
    # No text of PostgreSQL's can hold the character of the code 0.
    return value.replace("\0", "") if isinstance(value, str) else value


class Alongside:
    """What is done in the transaction of the next write, once its rows are written and before they are committed."""

    def __init__(self) -> None:
        self._note: Callable[[WriteCounts], None] | None = None

    @contextlib.contextmanager
    def set(self, note: Callable[[WriteCounts], None]) -> Iterator[None]:
        """Let the writes of the block do it."""
        self._note = note
        try:
            yield
        finally:
            self._note = None

    def done(self, counts: WriteCounts) -> WriteCounts:
        """Do it, where there is something to do; called by an engine in its transaction."""
        if self._note is not None:
            self._note(counts)
        return counts
