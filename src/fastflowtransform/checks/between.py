"""The values of a column stay within bounds.

```yaml
- between: {column: share, min: 0, max: 1}
```

- `column`: a column of numbers, dates, timestamps or texts
- `min`: the smallest value that is allowed; else no bound on this side
- `max`: the largest value that is allowed; else no bound on this side

Each row with a value outside of the bounds fails; one of the two has to be given. NULL is no value, and passes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastflowtransform.checks.columns import present
from fastflowtransform.checks.values import outside, read_bounds
from fastflowtransform.document import Section

if TYPE_CHECKING:
    import ibis.expr.types as ir


def read(section: Section) -> dict[str, object]:
    """Read `column`, and `min`, `max` or both: numbers, dates or texts."""
    low, high = read_bounds(section)
    return {"column": section.required_text("column"), "low": low, "high": high}


def failing_rows(table: ir.Table, *, column: str, low: object = None, high: object = None) -> ir.Table:
    """Keep the rows whose `column` is below `low` or above `high`.

    Parameters
    ----------
    table
        The table.
    column
        A column whose values have an order; NULL is no value, and passes.
    low, high
        The smallest and the largest value that are allowed; None for no bound on that side.

    Raises
    ------
    MissingColumn
        The table lacks `column`.
    BadValue
        The column cannot hold one of the bounds.

    Examples
    --------
    >>> import ibis
    >>> table = ibis.memtable({"share": [-0.1, 0.0, 1.0, 1.5]})
    >>> failing_rows(table, column="share", low=0, high=1).to_pyarrow().to_pylist()
    [{'share': -0.1}, {'share': 1.5}]
    """
    present(table, [column], "column")
    return table.filter(outside(table[column], low, high))
