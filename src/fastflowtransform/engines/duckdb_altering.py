"""How the columns of a DuckDB table are changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fastflowtransform.engines.base import ColumnChanges
from fastflowtransform.engines.quoting import quoted


def altering(table: str, changes: ColumnChanges, described: Callable[[], list[tuple[str, ...]]]) -> Iterator[str]:
    """Yield the statements that change a table's columns.

    Parameters
    ----------
    table
        Its name as statements take it.
    changes
        What is to be changed.
    described
        Returns the names of the columns to come, and how DuckDB spells their types; asked where there are changes.
    """
    types = {name: spelt for name, spelt, *_ in described()} if changes else {}
    for column in changes.added:
        yield f"ALTER TABLE {table} ADD COLUMN {quoted(column)} {types[column]}"
    for column in changes.retyped:
        yield f"ALTER TABLE {table} ALTER COLUMN {quoted(column)} TYPE {types[column]}"
    for column in changes.dropped:
        yield f"ALTER TABLE {table} DROP COLUMN {quoted(column)}"
