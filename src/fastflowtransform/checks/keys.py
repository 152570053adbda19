"""Keys that stand in one table and not in another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fastflowtransform.errors import BadValue

if TYPE_CHECKING:
    import ibis.expr.types as ir


def without(table: ir.Table, other: ir.Table, columns: Mapping[str, str]) -> ir.Table:
    """Keep the rows whose key stands in no row of another table.

    Parameters
    ----------
    table
        The table.
    other
        The other table, which may be the same.
    columns
        The column of `other` for each column of the key; both are there.

    Raises
    ------
    BadValue
        The types of two columns cannot be compared.

    Examples
    --------
    >>> import ibis
    >>> orders = ibis.memtable({"id": [1, 2], "customer": ["ann", "bob"]})
    >>> customers = ibis.memtable({"name": ["ann", "cid"]})
    >>> without(orders, customers, {"customer": "name"}).to_pyarrow().to_pylist()
    [{'id': 2, 'customer': 'bob'}]
    """
    from ibis.common.exceptions import IbisTypeError

    named = {f"key_{number}": field for number, field in enumerate(columns.values())}
    keys = other.select(**{key: other[field] for key, field in named.items()}).distinct().view()
    try:
        return table.anti_join(keys, list(zip(columns, named, strict=True)))
    except IbisTypeError as error:
        raise incomparable(table, other, columns) from error


def incomparable(table: ir.Table, other: ir.Table, columns: Mapping[str, str]) -> BadValue:
    """Return the error for columns that cannot be compared, for the caller to raise."""
    found = [
        f'column "{column}" and field "{field}" are of the types "{table[column].type()}" and "{other[field].type()}"'
        for column, field in columns.items()
        if table[column].type() != other[field].type()
    ]
    return BadValue(f"{found[0]}, which cannot be compared", hint="cast one of them in its model")
