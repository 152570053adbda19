"""What a column refers to is there: no row of it is an orphan."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fastflowtransform.checks.columns import present
from fastflowtransform.document import Section
from fastflowtransform.errors import BadValue

if TYPE_CHECKING:
    import ibis.expr.types as ir

OTHER = "to"

_REF = re.compile(r"""\s*ref\(\s*(["'])(?P<name>.+?)\1\s*\)\s*""")


def read(section: Section) -> dict[str, object]:
    """Read `column`, `to` (a model or seed, as `customers` or `ref('customers')`), and the `field` of it."""
    to = section.required_text("to")
    found = _REF.fullmatch(to)
    return {
        "to": (found["name"] if found else to.strip()).removesuffix(".ff"),
        "column": section.required_text("column"),
        "field": section.required_text("field"),
    }


def failing_rows(table: ir.Table, other: ir.Table, *, column: str, field: str) -> ir.Table:
    """Keep the rows whose `column` has a value that stands in no row of `field`.

    Parameters
    ----------
    table
        The table that refers. A NULL in `column` refers to nothing, so its row is no orphan.
    other
        The table referred to; it may be `table` itself, and hold NULL.
    column
        A column of `table`.
    field
        A column of `other`.

    Raises
    ------
    MissingColumn
        The tables lack `column` or `field`.
    BadValue
        The types of the two cannot be compared.

    Examples
    --------
    >>> import ibis
    >>> orders = ibis.memtable({"id": [1, 2], "customer": ["ann", "bob"]})
    >>> customers = ibis.memtable({"name": ["ann", "cid"]})
    >>> failing_rows(orders, customers, column="customer", field="name").to_pyarrow().to_pylist()
    [{'id': 2, 'customer': 'bob'}]
    """
    from ibis.common.exceptions import IbisTypeError

    present(table, [column], "column")
    present(other, [field], "field")
    keys = other.select(key=field).distinct().view()
    try:
        return table.filter(table[column].notnull()).anti_join(keys, [(column, "key")])
    except IbisTypeError as error:
        types = f'"{table[column].type()}" and "{keys.key.type()}"'
        message = f'column "{column}" and field "{field}" are of the types {types}, which cannot be compared'
        raise BadValue(message, hint="cast one of them in its model") from error
