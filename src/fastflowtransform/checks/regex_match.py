"""The texts of a column match a regular expression.

```yaml
- regex_match: {column: email, pattern: '^[^@ ]+@[^@ ]+$'}
```

- `column`: a column of texts
- `pattern`: a regular expression

Each row fails in whose text the pattern is not found. It may be found anywhere: `^` and `$` tie it to the text's
beginning and end. NULL is no text, and passes.

The engine matches: DuckDB with RE2, Postgres with its own expressions, Spark with Java's. These mean the same on all
three: characters, sets such as `[a-z0-9_]` and `[^@]`, groups, `|`, the counts `*`, `+`, `?`, `{2}` and `{2,5}`, `^`
and `$` for the beginning and the end of the whole text, `.` for any character but a line break, and the classes `\\d`,
`\\w` and `\\s`, which hold characters of ASCII only. Looking ahead or behind, references back, `\\b` and flags such as
`(?i)` are the engine's own. In YAML, put the pattern into single quotes: nothing has to be escaped there but the quote
itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastflowtransform.checks.columns import text_column
from fastflowtransform.document import Section
from fastflowtransform.patterns import portable

if TYPE_CHECKING:
    import ibis.expr.types as ir


def read(section: Section) -> dict[str, object]:
    """Read `column` and `pattern`."""
    return {"column": section.required_text("column"), "pattern": section.required_text("pattern")}


def failing_rows(table: ir.Table, *, column: str, pattern: str) -> ir.Table:
    """Keep the rows in whose `column` the pattern is not found; NULL is no text, and passes.

    Raises
    ------
    MissingColumn
        The table lacks `column`.
    BadValue
        The column holds no texts.

    Examples
    --------
    >>> import ibis
    >>> table = ibis.memtable({"code": ["A1", "B22", "7", None]})
    >>> failing_rows(table, column="code", pattern="^[A-Z][0-9]+$").to_pyarrow().to_pylist()
    [{'code': '7'}]
    """
    return table.filter(~text_column(table, column).re_search(portable(pattern)))
