"""What the tests of checks start from."""

from __future__ import annotations

from pathlib import Path

import ibis.expr.types as ir

from fastflowtransform.document import Section
from fastflowtransform.errors import Location


def section(**values: object) -> Section:
    """Return what a user wrote of a check."""
    return Section(values, Location(Path("project.yml"), 7), 'check "x"')


def rows(table: ir.Table) -> list[tuple[object, ...]]:
    """Run an expression; return its rows in order of their texts, because a query has none."""
    return sorted((tuple(row.values()) for row in table.to_pyarrow().to_pylist()), key=str)
