"""A table has about as many rows as it should.

```yaml
- row_count_between: {min: 1, max: 1000000}
```

- `min`: the smallest number of rows that is allowed; else no bound on this side
- `max`: the largest number of rows that is allowed; else no bound on this side

One of the two has to be given. The one failing row holds the number of rows as `rows`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastflowtransform.checks.totals import one_row
from fastflowtransform.checks.values import outside, read_bounds
from fastflowtransform.document import Section

if TYPE_CHECKING:
    import ibis.expr.types as ir


def read(section: Section) -> dict[str, object]:
    """Read `min`, `max` or both: whole numbers."""
    read_bounds(section)
    return {"low": section.integer("min"), "high": section.integer("max")}


def failing_rows(table: ir.Table, *, low: int | None = None, high: int | None = None) -> ir.Table:
    """Count the rows.

    Parameters
    ----------
    table
        The table.
    low, high
        The smallest and the largest number of rows that are allowed; None for no bound on that side.

    Returns
    -------
    ir.Table
        One row with the number as `rows` where it is out of bounds; else none.

    Examples
    --------
    >>> import ibis
    >>> table = ibis.memtable({"id": [1, 2, 3]})
    >>> failing_rows(table, low=10).to_pyarrow().to_pylist()
    [{'rows': 3}]
    """
    counted = one_row(table, rows=table.count())
    return counted.filter(outside(counted.rows, low, high))
