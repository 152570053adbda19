"""The names of columns in a check's arguments, spelt as its tables spell them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from fastflowtransform.checks.totals import Total, Totals
from fastflowtransform.names import Folding

_OF_TABLE = frozenset({"column", "columns", "groups", "lower", "partition", "upper"})
_OF_OTHER = frozenset({"field", "to_columns"})


def spelt(
    arguments: Mapping[str, Any], columns: Collection[str], of_other: Collection[str], folding: Folding
) -> dict[str, Any]:
    """Return arguments whose columns are spelt as those of the table, or of the other table that a check reads.

    Parameters
    ----------
    arguments
        As a check takes them.
    columns, of_other
        The columns of the two tables.
    folding
        Which names are one.

    Examples
    --------
    >>> spelt({"column": "ID", "values": ("ID",)}, ["id"], (), Folding.ASCII)
    {'column': 'id', 'values': ('ID',)}
    """

    def named(value: Any, among: Collection[str]) -> Any:
        if isinstance(value, str):
            return folding.spelling(value, among) or value
        if isinstance(value, Total):
            return replace(value, column=named(value.column, among))
        return tuple(named(name, among) for name in value) if isinstance(value, tuple) else value

    found = {}
    for name, value in arguments.items():
        if isinstance(value, Totals):
            of_value, of_to = named(value.value, columns), named(value.to_value, of_other)
            value = replace(value, value=of_value, to_value=of_to, groups=named(value.groups, columns))
        elif name in _OF_TABLE or name in _OF_OTHER:
            value = named(value, columns if name in _OF_TABLE else of_other)
        found[name] = value
    return found
