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
        "column_type": "fastflowtransform.checks.column_type",
        "expression": "fastflowtransform.checks.expression",
        "freshness": "fastflowtransform.checks.freshness",
        "greater_equal": "fastflowtransform.checks.greater_equal",
        "mutually_exclusive_ranges": "fastflowtransform.checks.mutually_exclusive_ranges",
        "non_negative_sum": "fastflowtransform.checks.non_negative_sum",
        "not_accepted_values": "fastflowtransform.checks.not_accepted_values",
        "not_empty_string": "fastflowtransform.checks.not_empty_string",
        "not_null": "fastflowtransform.checks.not_null",
        "reconcile_coverage": "fastflowtransform.checks.reconcile_coverage",
        "reconcile_diff_within": "fastflowtransform.checks.reconcile_diff_within",
        "reconcile_equal": "fastflowtransform.checks.reconcile_equal",
        "reconcile_ratio_within": "fastflowtransform.checks.reconcile_ratio_within",
        "regex_match": "fastflowtransform.checks.regex_match",
        "relationships": "fastflowtransform.checks.relationships",
        "row_count_between": "fastflowtransform.checks.row_count_between",
        "sequential_values": "fastflowtransform.checks.sequential_values",
        "unique": "fastflowtransform.checks.unique",
    }
)


class CheckType(Protocol):
    """What the module of a check has; its docstring is the check's entry in `docs/reference/checks.md`."""

    __doc__: str | None

    def read(self, section: Section) -> dict[str, object]:
        """Read the check's arguments; the caller closes the section."""

    def failing_rows(self, table: ir.Table, *other: ir.Table, **arguments: Any) -> ir.Table:
        """Return the rows that break the claim.

        What `read` gave are the arguments, except for two kinds: an `Other` is the name of a second table, and a
        `Condition` becomes a column of the first. Where one is a length of time, `now` comes with them.
        """


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
