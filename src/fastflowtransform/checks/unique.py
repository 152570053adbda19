"""No two rows have the same key.

```yaml
- unique: {columns: [order_id, line]}
```

- `column` or `columns`: a column, or the columns of a composite key

Each key that stands in several rows is one failing row, with the number of its rows as `rows`. A key with a NULL part
equals no other, and passes: `not_null` is the check for that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastflowtransform.checks.columns import free_name, present, read_columns
from fastflowtransform.document import Section

if TYPE_CHECKING:
    import ibis.expr.types as ir


def read(section: Section) -> dict[str, object]:
    """Read `column`, or the several `columns` of a composite key."""
    return {"columns": read_columns(section)}


def failing_rows(table: ir.Table, *, columns: tuple[str, ...]) -> ir.Table:
    """Return each key that stands in more than one row.

    Parameters
    ----------
    table
        The table.
    columns
        The columns of the key, one or more.

    Returns
    -------
    ir.Table
        `columns`, and the number of the key's rows as `rows` (`rows_` where that is a column of the key). A key with
        a NULL part equals no other, so it is never among them: `not_null` is the check for that.

    Raises
    ------
    MissingColumn
        The table lacks one of `columns`.

    Examples
    --------
    >>> import ibis
    >>> table = ibis.memtable({"id": [1, 1, 2, None, None]})
    >>> failing_rows(table, columns=("id",)).to_pyarrow().to_pylist()
    [{'id': 1.0, 'rows': 2}]
    """
    present(table, columns, "column")
    count = free_name("rows", columns)
    keyed = table.drop_null(list(columns), how="any")
    counted = keyed.group_by(list(columns)).aggregate(**{count: keyed.count()})
    return counted.filter(counted[count] > 1)
