"""The values of a column follow each other at one distance: none is missing, and none stands there twice.

```yaml
- sequential_values: {column: day, interval: 1, datepart: day, group_by_columns: [shop_id]}
```

- `column`: a column of whole numbers, dates or timestamps
- `interval`: the distance, a whole number of one or more; else 1
- `datepart`: what the distance is counted in, for dates and timestamps: `second`, `minute`, `hour`, `day`, `week`,
  `month`, `quarter` or `year`; needed for dates and timestamps
- `group_by_columns`: the columns of the groups; each is a sequence of its own; else all rows are one sequence

Each row fails whose value is not the one before it and the distance, with the one before it as `previous`. NULL is no
value, and passes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from fastflowtransform.checks.columns import free_name, present, read_groups
from fastflowtransform.document import Section
from fastflowtransform.errors import BadValue

if TYPE_CHECKING:
    import ibis.expr.types as ir


class DatePart(StrEnum):
    """A unit of time."""

    NONE = "none"
    SECOND = "second"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


def read(section: Section) -> dict[str, object]:
    """Read `column`, `interval`, `datepart` and `group_by_columns`."""
    interval = section.integer("interval", 1)
    if interval is None or interval < 1:
        raise section.bad("interval", "one or more")
    part = section.choice("datepart", DatePart, DatePart.NONE)
    return {
        "column": section.required_text("column"),
        "interval": interval,
        "part": None if part is DatePart.NONE else part,
        "groups": read_groups(section),
    }


def failing_rows(
    table: ir.Table,
    *,
    column: str,
    interval: int = 1,
    part: DatePart | None = None,
    groups: tuple[str, ...] = (),
) -> ir.Table:
    """Keep the rows whose value does not follow the one before it, with that one as the column `previous`.

    Parameters
    ----------
    table
        The table.
    column
        A column of whole numbers, dates or timestamps; NULL is no value.
    interval
        The distance between two values.
    part
        What it is counted in; None for numbers.
    groups
        The columns of the groups; without any, all rows are one.

    Raises
    ------
    MissingColumn
        The table lacks one of the columns.
    BadValue
        The column holds neither numbers nor times, or `part` does not fit it.

    Examples
    --------
    >>> import ibis
    >>> table = ibis.memtable({"id": [1, 2, 4, 5]})
    >>> failing_rows(table, column="id").to_pyarrow().to_pylist()
    [{'id': 4, 'previous': 2}]
    """
    import ibis

    present(table, [column], "column")
    present(table, groups, "group_by_columns")
    step = _step(table[column], interval, part)
    values = table.filter(table[column].notnull())
    window = ibis.window(group_by=list(groups) or None, order_by=values[column])
    previous = free_name("previous", table.columns)
    ordered = values.mutate(**{previous: values[column].lag().over(window)})
    return ordered.filter(ordered[column] != ordered[previous] + step)


def _step(column: ir.Column, interval: int, part: DatePart | None) -> ir.Scalar | int:
    import ibis

    dtype = column.type()
    if dtype.is_date() or dtype.is_timestamp():
        if part is None:
            raise _unfit(column, "and no datepart is given", "say what to count in, such as datepart: day")
        if dtype.is_date() and part in (DatePart.SECOND, DatePart.MINUTE, DatePart.HOUR):
            raise _unfit(column, f'and datepart is "{part}"', "a date has no time of day: count in days")
        return ibis.interval(interval, unit=_UNITS[part])
    if not dtype.is_numeric():
        raise _unfit(column, "which has no sequence", "name a column of whole numbers, dates or timestamps")
    if part is not None:
        raise _unfit(column, f'and datepart is "{part}"', "leave datepart out: it is for dates and timestamps")
    return interval


_UNITS = {
    DatePart.SECOND: "s",
    DatePart.MINUTE: "m",
    DatePart.HOUR: "h",
    DatePart.DAY: "D",
    DatePart.WEEK: "W",
    DatePart.MONTH: "M",
    DatePart.QUARTER: "Q",
    DatePart.YEAR: "Y",
}


def _unfit(column: ir.Column, complaint: str, hint: str) -> BadValue:
    return BadValue(f'column "{column.get_name()}" is of the type "{column.type()}", {complaint}', hint=hint)
