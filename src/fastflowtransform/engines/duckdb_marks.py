"""What DuckDB's tables were written with: a table beside them notes a mark, and a digest of the rows it stands for."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from fastflowtransform.engines.base import MARKS, Kind
from fastflowtransform.engines.quoting import literal, quoted
from fastflowtransform.relation import Relation

Rows = Callable[[str], list[tuple[Any, ...]]]


def prepare(marks: str, run: Callable[[str], Any]) -> None:
    """Make the table that marks are noted in, where there is none."""
    run(f"CREATE TABLE IF NOT EXISTS {marks} (name VARCHAR, mark VARCHAR, rows VARCHAR)")


def mark(name: str, marks: str, key: str, text: str, rows: Rows, run: Callable[[str], Any]) -> None:
    """Note the mark of a table as it stands; called in the transaction that wrote it.

    Parameters
    ----------
    name, marks
        The table and the one that marks are noted in, as statements take them.
    key
        What the table is called there.
    text
        The mark.
    rows, run
        Send a query, and a statement that changes something.
    """
    run(f"DELETE FROM {marks} WHERE name = {literal(key)}")
    run(f"INSERT INTO {marks} VALUES ({literal(key)}, {literal(text)}, {literal(_digest(name, rows))})")


def is_marked(name: str, marks: str, key: str, text: str | None, rows: Rows) -> bool:
    """Whether a table is as it was when it was given a mark; without a text, whether it was given any.

    There is a table that marks are noted in.
    """
    if text is None:
        return bool(rows(f"SELECT 1 FROM {marks} WHERE name = {literal(key)}"))
    noted = rows(f"SELECT rows FROM {marks} WHERE name = {literal(key)} AND mark = {literal(text)}")
    return bool(noted) and noted == [(_digest(name, rows),)]


def state(relation: Relation, name: str, kind: Kind, rows: Rows) -> str:
    """Return what tells a table's columns and rows from any others, or a view's definition."""
    if kind is Kind.TABLE:
        return f"table {_short(_digest(name, rows))}"
    database, view = map(literal, relation.folded)
    ((definition,),) = rows(
        "SELECT sql FROM duckdb_views() WHERE database_name = current_database() "
        f"AND lower(schema_name) = {database} AND lower(view_name) = {view}"
    )
    return f"view {_short(definition)}"


def states(names: Mapping[Relation, str], rows: Rows, *, all_at_once: bool) -> dict[Relation, str]:
    """Return what `state` does, of many tables in few statements.

    Parameters
    ----------
    names
        The tables, with their names as statements take them.
    rows
        Sends a query.
    all_at_once
        Whether their columns are asked for in one query, which looks at all tables of the database.
    """
    known = _columns_of_all(rows) if all_at_once else {}
    columns = {each: known.get(each.folded) or _described(name, rows) for each, name in names.items()}
    found: dict[Relation, str] = {}
    every = list(names.items())
    for start in range(0, len(every), _AT_ONCE):
        part = every[start : start + _AT_ONCE]
        selects = (_select(name, columns[each], str(number)) for number, (each, name) in enumerate(part))
        for number, *told in rows(" UNION ALL ".join(selects)):
            each = part[int(number)][0]
            found[each] = f"table {_short(_told(columns[each], *told))}"
    return found


_AT_ONCE = 100
"""Tables of one statement: with 25 it takes a tenth longer for each, and with 250 two thirds."""


def _columns_of_all(rows: Rows) -> dict[tuple[str, str], list[tuple[str, str]]]:
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for schema, name, column, dtype in rows(
        "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() "
        "WHERE database_name = current_database() ORDER BY schema_name, table_name, column_index"
    ):
        found.setdefault(Relation(schema, name).folded, []).append((column, dtype))
    return found


def _short(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _digest(name: str, rows: Rows) -> str:
    """Return what tells a table's columns and rows, in whatever order, from any others.

    Another DuckDB may hash in another way, so its version is a part of it.
    """
    columns = _described(name, rows)
    ((_, *told),) = rows(_select(name, columns, ""))
    return _told(columns, *told)


def _described(name: str, rows: Rows) -> list[tuple[str, str]]:
    return [(column, dtype) for column, dtype, *_ in rows(f"DESCRIBE SELECT * FROM {name}")]


def _select(name: str, columns: list[tuple[str, str]], word: str) -> str:
    """Return the SELECT of what is digested of a table, after a word that tells it from others."""
    values = ", ".join(value for column, dtype in columns for value in _hashed(quoted(column), dtype))
    return f"SELECT {literal(word)}, version(), count(*), sum(hash({values})) FROM {name}"


def _told(columns: list[tuple[str, str]], version: str, number: int, total: object) -> str:
    return json.dumps([version, columns, number, str(total)])


def _hashed(column: str, dtype: str) -> tuple[str, ...]:
    """Return what is hashed of a column: DuckDB gives one hash to values that it calls equal, and not only to the same.

    Such are 0.0 and -0.0, 30 days and 1 month, and what holds them.

    Examples
    --------
    >>> _hashed('"a"', "DECIMAL(9,2)"), _hashed('"a"', "DOUBLE"), _hashed('"a"', "INTERVAL[]")
    (('"a"',), ('"a"', 'signbit("a")'), ('"a"', '"a"::VARCHAR'))
    """
    if _PLAIN.fullmatch(dtype):
        return (column,)
    return (column, f"signbit({column})" if dtype in ("DOUBLE", "FLOAT") else f"{column}::VARCHAR")


_PLAIN = re.compile(
    r"(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|VARCHAR|JSON|BOOLEAN|DATE|TIME|TIMESTAMP(_S|_MS|_NS| WITH TIME ZONE)?"
    r"|UUID|BLOB|DECIMAL\(\d+,\d+\)|ENUM\(.*\))",
    re.DOTALL,
)
"""The types of which equal values are the same."""


def marks_of(relation: Relation) -> Relation:
    """Return the table that marks of a relation's schema are noted in."""
    return Relation(relation.database, MARKS)


def key_of(relation: Relation) -> str:
    """Return what a table is called among the marks, whose upper and lower case is one here."""
    return relation.name.casefold()
