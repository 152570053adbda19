"""An aggregate of a table differs from one of another table by no more than is allowed.

```yaml
- reconcile_diff_within: {value: count(), to: orders, min: -10, max: 0}
```

- `value`: an aggregate of this table, as for `reconcile_equal`
- `to`: the other model, seed or source
- `to_where`: a condition in the engine's SQL: only such rows of the other table count; else all rows
- `to_value`: the aggregate of the other table; else the same as `value`
- `group_by_columns`: columns of both tables: each group is compared by itself; else all rows are one group
- `min`: the smallest difference that is allowed, `value` less `to_value`; else no bound on this side
- `max`: the largest difference that is allowed; else no bound on this side

Each group whose difference is out of bounds is one failing row, with the `difference`; one of the two bounds has to be
given. Where one of the aggregates is NULL, or its group is missing, there is no difference, and the group fails; where
both are NULL, it passes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastflowtransform.checks.nodes import read_other
from fastflowtransform.checks.totals import Totals, compared_numbers, read_totals, side_by_side
from fastflowtransform.checks.values import read_number_bounds
from fastflowtransform.document import Section

if TYPE_CHECKING:
    import ibis.expr.types as ir


def read(section: Section) -> dict[str, object]:
    """Read the two aggregates, and `min`, `max` or both."""
    low, high = read_number_bounds(section)
    return {"to": read_other(section), "totals": read_totals(section), "low": low, "high": high}


def failing_rows(
    table: ir.Table,
    other: ir.Table,
    *,
    totals: Totals,
    low: float | None = None,
    high: float | None = None,
) -> ir.Table:
    """Return the groups whose difference is below `low` or above `high`, or is none.

    Parameters
    ----------
    table, other
        The tables.
    totals
        The aggregate of each, a number.
    low, high
        The bounds, of which one may be None.

    Raises
    ------
    MissingColumn
        A table lacks a column.
    BadValue
        The aggregates are no numbers.

    Examples
    --------
    >>> import ibis
    >>> orders, copied = ibis.memtable({"id": [1, 2, 3]}), ibis.memtable({"id": [1]})
    >>> from fastflowtransform.checks.totals import Total
    >>> count = Totals(Total("count"), Total("count"))
    >>> failing_rows(copied, orders, totals=count, low=-1).to_pyarrow().to_pylist()
    [{'value': 1, 'to_value': 3, 'difference': -2}]
    """
    return compared_numbers(
        side_by_side(table, other, totals), "difference", lambda mine, theirs: mine - theirs, (low, high)
    )
