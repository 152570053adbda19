"""No value of a column is below a threshold.

```yaml
- greater_equal: {column: amount, threshold: 0}
```

- `column`: a column of numbers, dates, timestamps or texts
- `threshold`: the smallest value that is allowed; else 0

Each row with a smaller value fails. NULL is no value, and passes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastflowtransform.checks.columns import present
from fastflowtransform.checks.values import like, read_value
from fastflowtransform.document import Section

if TYPE_CHECKING:
    import ibis.expr.types as ir


def read(section: Section) -> dict[str, object]:
    """Read `column` and `threshold`, which is 0 where it is not given."""
    threshold = read_value(section, "threshold")
    return {"column": section.required_text("column"), "threshold": 0 if threshold is None else threshold}


def failing_rows(table: ir.Table, *, column: str, threshold: object = 0) -> ir.Table:
    """Keep the rows whose `column` is less than `threshold`; NULL is no value, and passes.

    Raises
    ------
    MissingColumn
        The table lacks `column`.
    BadValue
        The column cannot hold `threshold`.

    Examples
    --------
    >>> import ibis
    >>> table = ibis.memtable({"amount": [-5, 0, 5]})
    >>> failing_rows(table, column="amount").to_pyarrow().to_pylist()
    [{'amount': -5}]
    """
    present(table, [column], "column")
    return table.filter(table[column] < like(table[column], threshold, "threshold"))
