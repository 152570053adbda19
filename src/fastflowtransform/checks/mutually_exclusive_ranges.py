"""The ranges of a table's rows do not overlap.

```yaml
- mutually_exclusive_ranges:
    lower_bound_column: valid_from
    upper_bound_column: valid_to
    partition_by: [customer_id]
    gaps: not_allowed
```

- `lower_bound_column`: the column in which a range begins
- `upper_bound_column`: the column in which it ends; the end is no part of the range
- `partition_by`: a column, or a list: only the ranges of one partition exclude each other; else all rows are one
  partition
- `gaps`: between one range and the next a gap is `allowed`, `not_allowed` or `required`; else `allowed`
- `zero_length_range_allowed`: whether a range may end where it begins: `true` or `false`; else `false`

A row fails whose range ends before it begins, or runs into the next one; and by `gaps` one with, or without, a gap
behind it. NULL as the lower bound means from the beginning of time, and as the upper bound for ever.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from fastflowtransform.checks.columns import free_name, present, read_groups
from fastflowtransform.document import Section

if TYPE_CHECKING:
    import ibis.expr.types as ir


class Gaps(StrEnum):
    """Whether there may be, must be or must not be a gap between a range and the next one."""

    ALLOWED = "allowed"
    NOT_ALLOWED = "not_allowed"
    REQUIRED = "required"


def read(section: Section) -> dict[str, object]:
    """Read the names of the columns, `gaps` and `zero_length_range_allowed`."""
    return {
        "lower": section.required_text("lower_bound_column"),
        "upper": section.required_text("upper_bound_column"),
        "partition": read_groups(section, "partition_by"),
        "gaps": section.choice("gaps", Gaps, Gaps.ALLOWED),
        "empty": section.flag("zero_length_range_allowed"),
    }


def failing_rows(
    table: ir.Table,
    *,
    lower: str,
    upper: str,
    partition: tuple[str, ...] = (),
    gaps: Gaps = Gaps.ALLOWED,
    empty: bool = False,
) -> ir.Table:
    """Keep the rows whose range is none, or does not stand to the next one as it should.

    Parameters
    ----------
    table
        The table.
    lower, upper
        The columns of the bounds; a range begins with the one, and ends before the other.
    partition
        The columns of the partitions; without any, all rows are one.
    gaps
        Whether a gap between two ranges is allowed.
    empty
        Whether a range may end where it begins.

    Raises
    ------
    MissingColumn
        The table lacks one of the columns.

    Examples
    --------
    >>> import ibis
    >>> prices = ibis.memtable({"since": [1, 4, 6], "until": [4, 7, 9]})
    >>> failing_rows(prices, lower="since", upper="until").to_pyarrow().to_pylist()
    [{'since': 4, 'until': 7}]
    """
    present(table, [lower], "lower_bound_column")
    present(table, [upper], "upper_bound_column")
    present(table, partition, "partition_by")
    following, has_next = free_name("next", table.columns), free_name("has_next", table.columns)
    ranges = _with_next(table, (lower, upper), partition, (following, has_next))
    upside_down = ranges[upper] < ranges[lower] if empty else ranges[upper] <= ranges[lower]
    wrong = {
        Gaps.ALLOWED: ranges[upper] > ranges[following],
        Gaps.NOT_ALLOWED: ranges[upper] != ranges[following],
        Gaps.REQUIRED: ranges[upper] >= ranges[following],
    }[gaps]
    # With a NULL on either side, the range runs into the next one.
    into_next = ranges[has_next].notnull() & wrong.fill_null(True)
    return ranges.filter(upside_down.fill_null(False) | into_next).drop(following, has_next)


def _with_next(
    table: ir.Table, bounds: tuple[str, str], partition: tuple[str, ...], names: tuple[str, str]
) -> ir.Table:
    """Return the table with the lower bound of the next range, and a column that is NULL where there is none."""
    import ibis

    begin, end = table[bounds[0]], table[bounds[1]]
    # Engines do not agree where NULL stands in an order.
    order = [begin.notnull(), begin, end.isnull(), end]
    window = ibis.window(group_by=list(partition) or None, order_by=order)
    return table.mutate(
        **{names[0]: begin.lead().over(window), names[1]: begin.isnull().lead().over(window)},
    )
