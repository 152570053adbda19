"""What a column refers to is there: no row of it is an orphan.

```yaml
- relationships: {column: customer_id, to: customers, field: customer_id}
```

- `column`: a column
- `to`: the model or seed referred to, such as `customers`, or a source, such as `source:raw.customers`
- `to_where`: a condition in the engine's SQL: only such rows of the other table count; else all rows
- `field`: the column of `to`

Each row fails whose value stands in no row of the other table. NULL refers to nothing, and passes.
`reconcile_coverage` is the same the other way round.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastflowtransform.checks.columns import present
from fastflowtransform.checks.keys import without
from fastflowtransform.checks.nodes import read_other
from fastflowtransform.document import Section

if TYPE_CHECKING:
    import ibis.expr.types as ir


def read(section: Section) -> dict[str, object]:
    """Read `column`, `to` (a model, seed or source), and the `field` of it."""
    return {
        "to": read_other(section),
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
    present(table, [column], "column")
    present(other, [field], "field")
    return without(table.filter(table[column].notnull()), other, {column: field})
