"""A column is of a certain type.

```yaml
- column_type: {column: amount, data_type: "decimal(10, 2)"}
```

- `column`: a column
- `data_type`: a type of Ibis, such as `int64`, `string`, `decimal(10, 2)`, `timestamp`, `timestamp('UTC')`; or a list
  of those that are allowed

The one failing row holds the `column`, its `type`, and the `expected` one. No row of the table is read. A type counts
as it is seen by Ibis, which is the same on all engines as far as they have it. What is left out of one may be anything,
as in a contract: `decimal` is a decimal of any precision, and `timestamp` one of any, without a time zone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastflowtransform.checks.columns import present
from fastflowtransform.checks.totals import one_row
from fastflowtransform.contract import fits
from fastflowtransform.document import Section
from fastflowtransform.errors import BadValue

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    import ibis.expr.types as ir


def read(section: Section) -> dict[str, object]:
    """Read `column` and `data_type`, which may be a list."""
    types = section.texts("data_type") or (section.required_text("data_type"),)
    return {"column": section.required_text("column"), "types": types}


def failing_rows(table: ir.Table, *, column: str, types: tuple[str, ...]) -> ir.Table:
    """Return the column's type where it is none of `types`.

    Raises
    ------
    MissingColumn
        The table lacks `column`.
    BadValue
        One of `types` is no type.

    Examples
    --------
    >>> import ibis
    >>> table = ibis.memtable({"id": ["1", "2"]})
    >>> failing_rows(table, column="id", types=("int64",)).to_pyarrow().to_pylist()
    [{'column': 'id', 'type': 'string', 'expected': 'int64'}]
    >>> failing_rows(table, column="id", types=("int64", "string")).to_pyarrow().to_pylist()
    []
    """
    import ibis

    present(table, [column], "column")
    found = table[column].type()(nullable=True)
    wanted = [_parsed(text) for text in types]
    nothing = table.limit(0)
    said = one_row(nothing, rows=nothing.count()).select(
        column=ibis.literal(column), type=ibis.literal(str(found)), expected=ibis.literal(" or ".join(types))
    )
    return said.limit(0) if any(fits(dtype, found) for dtype in wanted) else said


def _parsed(text: str) -> dt.DataType:
    import ibis

    try:
        return ibis.dtype(text)
    except RuntimeError as error:  # Ibis lets its parser's own error through.
        raise BadValue(
            f'data_type is "{text}", which is none',
            hint="use a type of Ibis, such as int64, string, decimal(10, 2), timestamp",
        ) from error
