"""Claims about a table's rows: one module a check, which gives the rows that break the claim as an expression.

A new check is a module with the members of `CheckType`, and a line in `BY_NAME`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, cast

from fastflowtransform.document import Section

if TYPE_CHECKING:
    import ibis.expr.types as ir

BY_NAME: Mapping[str, str] = MappingProxyType(
    {
        "accepted_values": "fastflowtransform.checks.accepted_values",
        "between": "fastflowtransform.checks.between",
        "greater_equal": "fastflowtransform.checks.greater_equal",
        "not_accepted_values": "fastflowtransform.checks.not_accepted_values",
        "not_null": "fastflowtransform.checks.not_null",
        "relationships": "fastflowtransform.checks.relationships",
        "row_count_between": "fastflowtransform.checks.row_count_between",
        "unique": "fastflowtransform.checks.unique",
    }
)


class CheckType(Protocol):
    """What the module of a check has."""

    OTHER: str | None
    """The argument that names another model, whose table `failing_rows` takes in its place; mostly None."""

    def read(self, section: Section) -> dict[str, object]:
        """Read the check's arguments; the caller closes the section."""

    def failing_rows(self, table: ir.Table, *other: ir.Table, **arguments: Any) -> ir.Table:
        """Return the rows that break the claim; what `read` gave, without `OTHER`, are the arguments."""


def check(name: str) -> CheckType:
    """Return the module of a check.

    Parameters
    ----------
    name
        A key of `BY_NAME`.

    Examples
    --------
    >>> import ibis
    >>> table = ibis.memtable({"id": [1, 2, 2]})
    >>> check("unique").failing_rows(table, columns=("id",)).to_pyarrow().to_pylist()
    [{'id': 2, 'rows': 2}]
    """
    return cast(CheckType, importlib.import_module(BY_NAME[name]))
