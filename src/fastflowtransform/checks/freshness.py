"""The newest row of a table is not too old.

```yaml
- freshness: {column: loaded_at, max_age: 2 hours}
```

- `column`: a column of timestamps or dates
- `max_age`: a length of time, such as `90 minutes`, `1 day` or `2h`

Times are compared in UTC: a timestamp without a time zone is one in UTC, and a date is its first moment. The clock is
that of the machine on which `fft` runs. The one failing row holds the `newest` value, and the `oldest_allowed` one. A
table without any value is not fresh, so it fails as well.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from fastflowtransform.checks.columns import present
from fastflowtransform.checks.totals import one_row
from fastflowtransform.document import Section
from fastflowtransform.errors import BadValue
from fastflowtransform.incremental import Watermark
from fastflowtransform.rows import Moment

if TYPE_CHECKING:
    import ibis.expr.types as ir


def read(section: Section) -> dict[str, object]:
    """Read `column` and `max_age`."""
    section.required_text("max_age")
    return {"column": section.required_text("column"), "max_age": section.duration("max_age")}


def failing_rows(table: ir.Table, *, column: str, max_age: timedelta, now: datetime | Watermark) -> ir.Table:
    """Return the newest value where it is older than `max_age`, or where there is none.

    Parameters
    ----------
    table
        The table.
    column
        A column of timestamps or dates.
    max_age
        How old the newest value may be.
    now
        The time from which to count, with a time zone, or as a mark in UTC.

    Returns
    -------
    ir.Table
        One row with `newest` and `oldest_allowed`, or none.

    Raises
    ------
    MissingColumn
        The table lacks `column`.
    BadValue
        The column holds no timestamps and no dates.

    Examples
    --------
    >>> from datetime import UTC
    >>> import ibis
    >>> table = ibis.memtable({"at": [datetime(2026, 1, 1, 9), datetime(2026, 1, 1, 10)]})
    >>> noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    >>> failing_rows(table, column="at", max_age=timedelta(hours=1), now=noon).to_pyarrow().to_pylist()
    [{'newest': datetime.datetime(2026, 1, 1, 10, 0), 'oldest_allowed': datetime.datetime(2026, 1, 1, 11, 0)}]
    >>> failing_rows(table, column="at", max_age=timedelta(hours=2), now=noon).to_pyarrow().to_pylist()
    []
    """
    import ibis

    present(table, [column], "column")
    values = table[column]
    if not (values.type().is_timestamp() or values.type().is_date()):
        raise BadValue(
            f'column "{column}" is of the type "{values.type()}", and holds no timestamps and no dates',
            hint="name the column that says when a row came",
        )
    text = now.text if isinstance(now, Watermark) else Moment.of(now).text
    zoned = values.type().is_timestamp() and values.type().timezone is not None
    clock = Watermark(text, "timestamp('UTC')" if zoned else "timestamp").literal()
    moment = clock - ibis.interval(microseconds=max_age // timedelta(microseconds=1))
    newest = values.max() if values.type().is_timestamp() else values.max().cast("timestamp")
    found = one_row(table, newest=newest).mutate(oldest_allowed=moment)
    return found.filter(found.newest.isnull() | (found.newest < moment))
