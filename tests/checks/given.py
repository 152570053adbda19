"""What the tests of checks start from."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from fastflowtransform.document import Section
from fastflowtransform.errors import Location


def section(**values: object) -> Section:
    """Return what a user wrote of a check."""
    return Section(values, Location(Path("project.yml"), 7), 'check "x"')


def rows(table: ir.Table) -> list[tuple[object, ...]]:
    """Run an expression; return its rows in order of their texts, because a query has none."""
    return sorted((tuple(row.values()) for row in table.to_pyarrow().to_pylist()), key=str)


def table(values: Iterable[tuple[object, ...]], **types: pa.DataType) -> ir.Table:
    """Return rows as a table whose columns have these types, so that one without rows or of NULLs has them too."""
    named = [dict(zip(types, row, strict=True)) for row in values]
    return ibis.memtable(pa.Table.from_pylist(named, pa.schema(list(types.items()))))
