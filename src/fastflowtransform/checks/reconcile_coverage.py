"""The keys of another table are all in this one: nothing got lost on the way.

```yaml
- reconcile_coverage: {columns: [order_id], to: source:raw.orders, min: 0.99}
```

- `column` or `columns`: the key's columns in this table
- `to`: the other model or seed, such as `orders`, or a source, such as `source:raw.orders`
- `to_where`: a condition in the engine's SQL: only such rows of the other table count; else all rows
- `to_columns`: the key's columns in the other table, in the same order; else the same names
- `min`: the share of the other table's keys that has to be here, from 0 to 1; else 1

Each key of the other table that is missing here is one failing row, where the share that is covered is less than
`min`. A key with a NULL part is none, on either side. `relationships` is the same the other way round.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from fastflowtransform.checks.columns import present, read_columns
from fastflowtransform.checks.keys import without
from fastflowtransform.checks.nodes import read_other
from fastflowtransform.checks.values import read_number
from fastflowtransform.document import Section
from fastflowtransform.errors import BadValue

if TYPE_CHECKING:
    import ibis.expr.types as ir


def read(section: Section) -> dict[str, object]:
    """Read `columns`, `to`, `to_columns` and `min`."""
    columns = read_columns(section)
    to_columns = section.texts("to_columns") or columns
    if len(to_columns) != len(columns):
        raise BadValue(
            f'"to_columns" of {section.title} names {len(to_columns)}, and "columns" {len(columns)}',
            at=section.at("to_columns"),
            hint="name as many, in the same order",
        )
    share = read_number(section, "min")
    if share is not None and not 0 <= share <= 1:
        raise section.bad("min", "a share from 0 to 1")
    return {
        "to": read_other(section),
        "columns": columns,
        "to_columns": to_columns,
        "share": 1 if share is None else share,
    }


def failing_rows(
    table: ir.Table, other: ir.Table, *, columns: tuple[str, ...], to_columns: tuple[str, ...], share: float = 1
) -> ir.Table:
    """Return the keys of `other` that `table` lacks, where it has less than `share` of them.

    Parameters
    ----------
    table, other
        The tables.
    columns, to_columns
        The key's columns in the one and in the other, in the same order.
    share
        Which share of the keys is enough, from 0 to 1.

    Raises
    ------
    MissingColumn
        A table lacks one of the columns.
    BadValue
        The types of two columns cannot be compared.

    Examples
    --------
    >>> import ibis
    >>> raw, kept = ibis.memtable({"id": [1, 2, 3]}), ibis.memtable({"id": [1, 3]})
    >>> failing_rows(kept, raw, columns=("id",), to_columns=("id",)).to_pyarrow().to_pylist()
    [{'id': 2}]
    >>> failing_rows(kept, raw, columns=("id",), to_columns=("id",), share=0.5).to_pyarrow().to_pylist()
    []
    """
    import ibis
    import ibis.expr.datatypes as dt

    present(table, columns, "columns")
    present(other, to_columns, "to_columns")
    keys = other.select(*to_columns).drop_null(how="any").distinct()
    missing = without(keys, table, dict(zip(to_columns, columns, strict=True)))
    if share == 1:
        return missing
    # As a decimal, because nine tenths of ten keys are nine of them, and 1 - 0.9 is less than a tenth.
    left_out = Decimal(1) - Decimal(str(share))
    digits = max(-int(left_out.as_tuple().exponent), 0)
    allowed = keys.count().as_scalar() * ibis.literal(left_out, dt.Decimal(digits + 1, digits))
    return missing.filter(missing.count().as_scalar() > allowed)
