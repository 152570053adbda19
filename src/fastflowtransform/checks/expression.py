"""A condition holds for each row.

```yaml
- expression: {expression: "shipped_at >= ordered_at"}
```

- `expression`: a condition in the engine's SQL
- `column`: the column that the condition begins with, where it begins with a comparison, such as `>= 0` or `is not
  null`; may be left out

Each row for which the condition is false fails. Where it is NULL, as `amount > 0` is for an `amount` that is NULL, the
row passes, as with `dbt_utils.expression_is_true`; to refuse it, say so: `amount is not null and amount > 0`. The SQL
is sent as it is written, so it is as portable as you write it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastflowtransform.document import Section

if TYPE_CHECKING:
    import ibis.expr.types as ir

HOLDS = "__fft_holds"
"""What the column of a condition is called, where the table has none of that name."""

_COMPARISON = re.compile(r"\s*(?:[<>=!]|(?:is|in|like|ilike|between|not\s+(?:in|like|ilike|between))\b)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition in SQL; in its place, `failing_rows` takes the name of a column that says whether it holds.

    `column` is what it is about, where the text begins with a comparison.
    """

    text: str
    column: str | None = None


def read(section: Section) -> dict[str, object]:
    """Read `expression`, and the `column` that it begins with."""
    text, column = section.required_text("expression"), section.text("column")
    return {"expression": Condition(text, column if _COMPARISON.match(text) else None)}


def failing_rows(table: ir.Table, *, expression: str = HOLDS) -> ir.Table:
    """Keep the rows for which the condition is false, without the column that says so; NULL passes.

    Parameters
    ----------
    table
        The table, with the condition as a boolean column.
    expression
        The name of that column.

    Examples
    --------
    >>> import ibis
    >>> table = ibis.memtable({"low": [1, 5], "high": [3, 2]})
    >>> failing_rows(table.mutate(**{HOLDS: table.low <= table.high})).to_pyarrow().to_pylist()
    [{'low': 5, 'high': 2}]
    """
    return table.filter(~table[expression]).drop(expression)
