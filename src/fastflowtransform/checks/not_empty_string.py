"""No text of a column is empty.

```yaml
- not_empty_string: {column: customer}
```

- `column`: a column of texts
- `trim_whitespace`: `true`, and a text of nothing but white space is empty; or `false`; else `true`

Each row with an empty text fails. NULL is no text, and passes: `not_null` is the check for that. White space is the
blank, the tabs and the line breaks of ASCII.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastflowtransform.checks.columns import text_column
from fastflowtransform.document import Section

if TYPE_CHECKING:
    import ibis.expr.types as ir


def read(section: Section) -> dict[str, object]:
    """Read `column` and `trim_whitespace`."""
    return {"column": section.required_text("column"), "trim": section.flag("trim_whitespace", True)}


def failing_rows(table: ir.Table, *, column: str, trim: bool = True) -> ir.Table:
    """Keep the rows whose `column` is an empty text, or with `trim` nothing but white space; NULL passes.

    Raises
    ------
    MissingColumn
        The table lacks `column`.
    BadValue
        The column holds no texts.

    Examples
    --------
    >>> import ibis
    >>> table = ibis.memtable({"name": ["Ada", " ", "", None]})
    >>> failing_rows(table, column="name").to_pyarrow().to_pylist()
    [{'name': ' '}, {'name': ''}]
    """
    texts = text_column(table, column)
    return table.filter((texts.strip() if trim else texts) == "")
