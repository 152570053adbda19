"""Columns of PostgreSQL that hold texts up to a number of characters, and new texts that are longer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastflowtransform.engines.postgres_rows import printed
from fastflowtransform.engines.postgres_session import Session
from fastflowtransform.engines.quoting import literal, quoted
from fastflowtransform.relation import Relation
from fastflowtransform.rows import Named, Rows

_TEXTS = frozenset({"varchar", "bpchar", "_varchar", "_bpchar"})
"""Types of columns, and of lists in columns, that may be limited to a number of characters."""


def outgrown(
    session: Session, select: Callable[[Rows], str], relation: Relation, table: Named, rows: Rows
) -> dict[str, int]:
    """Return the columns of a table that are too short for a text of `rows`, and how many characters they hold."""
    shared = {name: spelt for name, spelt in table.columns.items() if name in rows.columns}
    return too_short(session, relation, shared, lambda: select(rows))


def too_short(
    session: Session, relation: Relation, columns: Mapping[str, str], select: Callable[[], str]
) -> dict[str, int]:
    """Return those of a table's columns that are too short for a text that a SELECT has, and how many they hold.

    Parameters
    ----------
    session, relation
        The table.
    columns
        The columns that both have, with the types of the table's.
    select
        Gives the SELECT, which is read only where a column is limited.
    """
    both = [name for name, spelt in columns.items() if spelt in _TEXTS]
    if not both:
        return {}
    # The driver tells the modifier of numerics only. The server counts four bytes of its own.
    limits = dict(
        session.rows(
            "SELECT attname, atttypmod - 4 AS characters FROM pg_attribute "
            f"WHERE attrelid = {literal(printed(relation))}::regclass AND atttypmod > 4 "
            f"AND attname IN ({', '.join(map(literal, both))})"
        )
    )
    if not limits:
        return {}
    longest = ", ".join(
        f"max({_length(quoted(name), is_list=columns[name].startswith('_'))}) AS longest_{number}"
        for number, name in enumerate(limits)
    )
    (found,) = session.rows(f"SELECT {longest} FROM ({select()}) AS fresh")
    return {name: limits[name] for name, length in zip(limits, found, strict=True) if (length or 0) > limits[name]}


def _length(column: str, *, is_list: bool) -> str:
    return f"(SELECT max(length(item)) FROM unnest({column}) AS item)" if is_list else f"length({column}::text)"
