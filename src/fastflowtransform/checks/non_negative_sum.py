"""The sum of a column is not below zero.

```yaml
- non_negative_sum: {column: amount, group_by_columns: [account_id]}
```

- `column`: a column of numbers
- `group_by_columns`: the columns of the groups that are summed each by itself; else one sum of all rows

Each negative sum is one failing row, with the sum as `sum`. NULL is no value, and adds nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastflowtransform.checks.columns import free_name, number_column, present, read_groups
from fastflowtransform.checks.totals import one_row
from fastflowtransform.document import Section

if TYPE_CHECKING:
    import ibis.expr.types as ir


def read(section: Section) -> dict[str, object]:
    """Read `column` and `group_by_columns`."""
    return {"column": section.required_text("column"), "groups": read_groups(section)}


def failing_rows(table: ir.Table, *, column: str, groups: tuple[str, ...] = ()) -> ir.Table:
    """Return the sums that are negative, each with its group.

    Parameters
    ----------
    table
        The table.
    column
        A column of numbers.
    groups
        The columns of the groups; without any, all rows are one.

    Raises
    ------
    MissingColumn
        The table lacks `column` or one of `groups`.
    BadValue
        The column holds no numbers.

    Examples
    --------
    >>> import ibis
    >>> table = ibis.memtable({"account": ["a", "a", "b"], "amount": [5, -7, 1]})
    >>> failing_rows(table, column="amount", groups=("account",)).to_pyarrow().to_pylist()
    [{'account': 'a', 'sum': -2}]
    >>> failing_rows(table, column="amount").to_pyarrow().to_pylist()
    [{'sum': -1}]
    """
    present(table, groups, "group_by_columns")
    name = free_name("sum", groups)
    total = number_column(table, column).sum()
    summed = table.group_by(list(groups)).aggregate(**{name: total}) if groups else one_row(table, **{name: total})
    return summed.filter(summed[name] < 0)
