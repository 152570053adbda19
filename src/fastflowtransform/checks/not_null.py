"""No NULL stands in a column.

```yaml
- not_null: {columns: [order_id, updated_at]}
```

- `column` or `columns`: a column, or a list of them

Each row with a NULL in any of the columns fails. An empty text is not NULL: see `not_empty_string`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastflowtransform.checks.columns import present, read_columns
from fastflowtransform.document import Section

if TYPE_CHECKING:
    import ibis.expr.types as ir


def read(section: Section) -> dict[str, object]:
    """Read `column`, or several `columns`."""
    return {"columns": read_columns(section)}


def failing_rows(table: ir.Table, *, columns: tuple[str, ...]) -> ir.Table:
    """Keep the rows in which any of `columns` is NULL.

    Raises
    ------
    MissingColumn
        The table lacks one of `columns`.

    Examples
    --------
    >>> import ibis
    >>> table = ibis.memtable({"id": [1, 2], "city": ["Bern", None]})
    >>> failing_rows(table, columns=("city",)).to_pyarrow().to_pylist()
    [{'id': 2, 'city': None}]
    """
    import ibis

    present(table, columns, "column")
    return table.filter(ibis.or_(*(table[name].isnull() for name in columns)))
