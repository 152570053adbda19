"""The SQL of rows that functions make of tables: compiled once for all tables of the same columns.

Ibis compiles a function's expression over tables and watermarks that have numbers instead of names. That text is kept,
and a statement is that text with the names of the tables at hand: it is the same whether Ibis was asked today or a week
ago. What the text follows from is its key: the functions and their settings, the columns that the engine says the
tables have, and the engine itself; and what is read of an earlier command was made by the same sources and packages.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from fastflowtransform import kept_file
from fastflowtransform.incremental import Watermark
from fastflowtransform.kept_file import Entries, key_of
from fastflowtransform.rows import Built, Derived, Mark, Moment, Named, Newest, Rows

if TYPE_CHECKING:
    import ibis.expr.types as ir

NAME = "statements.bin"
_MOST = 5_000
"""Entries of which those that a command did not ask for are let go."""
_SOURCES = (
    *(
        f"{name}.py"
        for name in ("contract", "failing", "incremental", "ledger", "names", "patterns", "results", "rows")
    ),
    *("run_checks.py", "steady.py", "checks", "engines", "materializations"),
)
"""What has a part in entries beside Ibis and sqlglot: functions that are called, what compiles, spells and parses."""

_FROM, _AT = "__fft_from_", "__fft_at_"
_PLACES = re.compile(rf"([\"`]){_FROM}(\d+)\1|'{_AT}(\d+)'")


class Preparing:
    """How one engine makes statements of rows.

    Parameters
    ----------
    engine
        Its name.
    compiled
        Gives the SQL of an expression.
    literal
        How it writes a text.
    """

    def __init__(self, engine: str, compiled: Callable[[ir.Table], str], literal: Callable[[str], str]) -> None:
        self.statements = Entries()
        self._engine = engine
        self._compiled = compiled
        self._literal = literal

    def select(self, rows: Rows) -> str:
        """Return the SELECT that gives rows.

        Raises
        ------
        BadSql
            The engine has no such operation.
        """
        if isinstance(rows, Named):
            return rows.text or f"SELECT * FROM {rows.name}"
        places = _Places()
        form = places.form(rows)
        if not isinstance(rows, Derived) or not places.can_be_kept(form):
            return self._compiled(rows.table())
        key = key_of("select", self._engine, form)
        kept = self.statements.get(key)
        text = self._form(rows, places) if kept is None else kept.decode()
        if kept is None:
            self.statements.put(key, text.encode())
        named = _PLACES.sub(lambda found: self._put(found, places), text)
        texts = [f"{table.name} AS (\n{table.text}\n)" for table in places.tables if table.text is not None]
        return f"WITH {', '.join(texts)} SELECT * FROM (\n{named}\n) AS model" if texts else named

    def says(self, question: Callable[..., bool], rows: Rows, *given: object) -> bool:
        """Return the answer of a function about the columns or the form of rows; what it raises is raised each time."""
        places = _Places()
        form = places.form(rows.into(question, *given))
        key, is_kept = key_of("says", self._engine, form), places.can_be_kept(form)
        if is_kept and (known := self.statements.get(key)) is not None:
            return known == b"yes"
        tables = [each.table() if isinstance(each, Rows) else each for each in given]
        answer = question(rows.table(), *tables)
        if is_kept:
            self.statements.put(key, b"yes" if answer else b"no")
        return answer

    def _form(self, rows: Derived, places: _Places) -> str:
        """Return the SQL of rows with numbers in place of names."""

        @functools.cache
        def numbered(table: Rows) -> ir.Table:
            assert isinstance(table, Named)
            schema = table.schema()  # It sees to it that one thread imports Ibis.
            import ibis

            return ibis.table(schema, name=f"{_FROM}{places.tables.index(table)}")

        def mark(found: Mark) -> Watermark:
            return found.watermark(f"{_AT}{places.marks.index(found)}")

        return self._compiled(rows.expression(numbered, mark))

    def _put(self, found: re.Match[str], places: _Places) -> str:
        _, table, mark = found.groups()
        return places.tables[int(table)].name if table else self._literal(places.marks[int(mark)].text)


class _Places:
    """The tables and the watermarks of an expression, in the order in which they are come across."""

    def __init__(self) -> None:
        self.tables: list[Named] = []
        self.marks: list[Mark] = []
        self._has_built = False

    def form(self, given: object) -> str:
        """Return what tells an expression from all others, but for the names of tables and the watermarks."""
        if isinstance(given, Derived):
            assert "<" not in given.make.__qualname__, "only the name of a module's function tells it from all others"
            parts = [*map(self.form, given.given)]
            parts += [f"{name}={self.form(value)}" for name, value in given.settings.items()]
            return f"{given.make.__module__}.{given.make.__qualname__}({', '.join(parts)})"
        if isinstance(given, Named):
            if given in self.tables:
                return f"table {self.tables.index(given)}"
            self.tables.append(given)
            return f"table {len(self.tables) - 1} of {list(given.columns.items())!r}"
        if isinstance(given, Newest | Moment):
            if given not in self.marks:
                self.marks.append(given)
            return f"mark {self.marks.index(given)} of {given.spelt!r}"
        if isinstance(given, Built):
            # Nothing is kept of it, and Ibis has no text for some of its expressions.
            self._has_built = True
            return "built"
        return repr(given)

    def can_be_kept(self, form: str) -> bool:
        """Whether a form tells all: no rows are an expression already, and nothing in it looks like a number."""
        return not (self._has_built or _FROM in form or _AT in form)


@contextlib.contextmanager
def keeping(folder: Path) -> Iterator[Entries]:
    """Read what is kept of a project's statements while the block runs, and write what came in it.

    Parameters
    ----------
    folder
        The project's; what is kept stands in `target/`.
    """
    path = folder / "target" / NAME
    entries = Entries(lambda: kept_file.read(path, made_by()))
    try:
        yield entries
    finally:
        if entries.used and entries.used.keys() - entries.read.keys():
            both = {**entries.read, **entries.used}
            kept_file.write(path, made_by(), both if len(both) <= _MOST else entries.used)


def made_by() -> bytes:
    """Return what has a part in a text beside its key."""
    return kept_file.made_by(_SOURCES, ["ibis", "sqlglot"])
