"""An aggregate of a table is the same as one of another table.

```yaml
- reconcile_equal: {value: sum(amount), to: orders, to_value: sum(total), tolerance: 0.01}
```

- `value`: an aggregate of this table: `count()`, or `count`, `sum`, `avg`, `min` or `max` of a column, such as
  `sum(amount)` and `count(distinct id)`
- `to`: the other model or seed, such as `orders`, or a source, such as `source:raw.orders`
- `to_where`: a condition in the engine's SQL: only such rows of the other table count; else all rows
- `to_value`: the aggregate of the other table; else the same as `value`
- `group_by_columns`: columns of both tables: each group is compared by itself; else all rows are one group
- `tolerance`: by how much two numbers may differ; else 0

Each group whose aggregates differ is one failing row, with both as `value` and `to_value`. A group that is missing in
one of the tables fails as well. NULL equals NULL. `where` is about this table,
`to_where` about the other one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastflowtransform.checks.nodes import read_other
from fastflowtransform.checks.totals import Totals, read_totals, side_by_side
from fastflowtransform.checks.values import read_number
from fastflowtransform.document import Section
from fastflowtransform.errors import BadValue

if TYPE_CHECKING:
    import ibis.expr.types as ir


def read(section: Section) -> dict[str, object]:
    """Read the two aggregates, and `tolerance`."""
    tolerance = read_number(section, "tolerance")
    if tolerance is not None and tolerance < 0:
        raise section.bad("tolerance", "zero or more")
    return {"to": read_other(section), "totals": read_totals(section), "tolerance": tolerance or 0}


def failing_rows(
    table: ir.Table,
    other: ir.Table,
    *,
    totals: Totals,
    tolerance: float = 0,
) -> ir.Table:
    """Return the groups whose aggregates differ by more than `tolerance`, with both of them.

    Parameters
    ----------
    table, other
        The tables.
    totals
        The aggregate of each.
    tolerance
        By how much two numbers may differ; at 0 anything can be compared.

    Raises
    ------
    MissingColumn
        A table lacks a column.
    BadValue
        The aggregates cannot be compared, or, with a tolerance, are no numbers.

    Examples
    --------
    >>> import ibis
    >>> orders = ibis.memtable({"id": [1, 2, 3]})
    >>> copied = ibis.memtable({"id": [1, 2]})
    >>> from fastflowtransform.checks.totals import Total
    >>> count = Totals(Total("count"), Total("count"))
    >>> failing_rows(copied, orders, totals=count).to_pyarrow().to_pylist()
    [{'value': 2, 'to_value': 3}]
    """
    from ibis.common.exceptions import IbisTypeError

    both = side_by_side(table, other, totals)
    mine, theirs = (both[name] for name in both.columns[-2:])
    try:
        differ = ~mine.identical_to(theirs)
        if tolerance:
            near = (mine - theirs).abs() <= tolerance
            differ = differ & ~near.fill_null(False)
    except (AttributeError, IbisTypeError, TypeError) as error:
        raise BadValue(
            f'"{totals.value}" and "{totals.to_value}" are of the types "{mine.type()}" and "{theirs.type()}", '
            "which cannot be compared",
            hint="compare two numbers, or two values of one type without a tolerance",
        ) from error
    return both.filter(differ)
