"""The ratio of an aggregate of a table to one of another table stays within bounds.

```yaml
- reconcile_ratio_within: {value: count(), to: orders, min: 0.99, max: 1}
```

- `value`: an aggregate of this table, as for `reconcile_equal`
- `to`: the other model, seed or source
- `to_where`: a condition in the engine's SQL: only such rows of the other table count; else all rows
- `to_value`: the aggregate of the other table; else the same as `value`
- `group_by_columns`: columns of both tables: each group is compared by itself; else all rows are one group
- `min`: the smallest ratio that is allowed, `value` divided by `to_value`; else no bound on this side
- `max`: the largest ratio that is allowed; else no bound on this side

Each group whose ratio is out of bounds is one failing row, with the `ratio`; one of the two bounds has to be given.
Zero has the ratio 1 to zero, and any other number has none to it. Where there is no ratio, because of a zero, a NULL
or a missing group, the group fails; where both aggregates are NULL, it passes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    """Return the groups whose ratio is below `low` or above `high`, or is none.

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
    >>> orders, copied = ibis.memtable({"id": [1, 2, 3, 4]}), ibis.memtable({"id": [1]})
    >>> from fastflowtransform.checks.totals import Total
    >>> count = Totals(Total("count"), Total("count"))
    >>> failing_rows(copied, orders, totals=count, low=0.5).to_pyarrow().to_pylist()
    [{'value': 1, 'to_value': 4, 'ratio': 0.25}]
    """
    return compared_numbers(side_by_side(table, other, totals), "ratio", _ratio, (low, high))


def _ratio(mine: ir.NumericColumn, theirs: ir.NumericColumn) -> ir.NumericColumn:
    """Return the ratio: 1 of zero to zero, and NULL of anything else to zero."""
    import ibis

    shift = 10 ** max(_scale(mine), _scale(theirs))
    if shift > 1:
        # Whole numbers, because as floats 0.3 is less than three times 0.1.
        mine, theirs = mine * shift, theirs * shift
    ratio = mine.cast("float64") / theirs.cast("float64").nullif(0)
    return ibis.cases((theirs != 0, ratio), ((mine == 0) & (theirs == 0), ibis.literal(1.0)))


def _scale(number: ir.NumericColumn) -> int:
    dtype: Any = number.type()
    return dtype.scale or 0 if dtype.is_decimal() else 0
