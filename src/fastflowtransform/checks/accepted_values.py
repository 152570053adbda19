"""A column holds nothing but certain values.

```yaml
- accepted_values: {column: status, values: [new, paid, sent]}
```

- `column`: a column
- `values`: a list of texts, numbers, dates, true and false

Each row with another value fails. NULL is no value, and passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastflowtransform.checks.values import among, read_column_and_values

if TYPE_CHECKING:
    import ibis.expr.types as ir

read = read_column_and_values


def failing_rows(table: ir.Table, *, column: str, values: Sequence[object]) -> ir.Table:
    """Keep the rows whose `column` is none of `values`; NULL is no value, and passes.

    Raises
    ------
    MissingColumn
        The table lacks `column`.
    BadValue
        The column cannot hold one of `values`.

    Examples
    --------
    >>> import ibis
    >>> table = ibis.memtable({"status": ["new", "sent", "sant", None]})
    >>> failing_rows(table, column="status", values=["new", "sent"]).to_pyarrow().to_pylist()
    [{'status': 'sant'}]
    """
    return table.filter(~among(table, column, values))
