"""What hangs on DuckDB's tables and goes with them: indexes, constraints and comments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fastflowtransform.engines.duckdb_merging import ANEW, IN_PLACE
from fastflowtransform.engines.quoting import literal, quoted
from fastflowtransform.relation import Relation


@dataclass(frozen=True, slots=True)
class Belongings:
    """What hangs on a table.

    Parameters
    ----------
    statements
        They give it its indexes and comments again.
    unique
        Whether there is a unique index or key.
    constrained
        Whether it may refuse rows, or compares them by another order than that of code points.
    """

    statements: tuple[str, ...] = ()
    unique: bool = False
    constrained: bool = False

    @property
    def merge(self) -> str:
        """How rows are merged into the table."""
        return IN_PLACE if self.unique else ANEW


_HERE = "database_name = current_database()"
_ALL = f"""
SELECT schema_name, table_name, 'index', NULL, sql FROM duckdb_indexes() WHERE {_HERE} AND sql IS NOT NULL
UNION ALL SELECT schema_name, table_name, 'unique', NULL, NULL FROM duckdb_indexes() WHERE {_HERE} AND is_unique
UNION ALL SELECT schema_name, table_name,
if(constraint_type IN ('PRIMARY KEY', 'UNIQUE'), 'unique', 'constraint'), NULL, NULL FROM duckdb_constraints()
WHERE {_HERE}
UNION ALL SELECT schema_name, table_name, if(sql ILIKE '% COLLATE %', 'collated', 'table'), NULL, comment
FROM duckdb_tables() WHERE {_HERE} AND (comment IS NOT NULL OR sql ILIKE '% COLLATE %')
UNION ALL SELECT schema_name, table_name, 'column', column_name, comment FROM duckdb_columns()
WHERE {_HERE} AND comment IS NOT NULL
"""


def belongings(
    rows: Callable[[str], list[tuple[Any, ...]]], name_of: Callable[[Relation], str]
) -> Mapping[tuple[str, str], Belongings]:
    """Return what hangs on each table. All are asked for at once: each question looks at every one of them.

    Parameters
    ----------
    rows
        Sends a query.
    name_of
        Gives a relation's name as statements take it.
    """
    found: dict[tuple[str, str], Belongings] = {}
    for schema, table, kind, column, text in rows(_ALL):
        relation = Relation(schema, table)
        before = found.get(relation.folded, Belongings())
        if kind in ("unique", "constraint", "collated"):
            before = replace(before, unique=before.unique or kind == "unique", constrained=True)
            found[relation.folded] = before
        if text is None:
            continue
        name = name_of(relation)
        on = f"TABLE {name}" if kind in ("table", "collated") else f"COLUMN {name}.{quoted(column or '')}"
        statement = text if kind == "index" else f"COMMENT ON {on} IS {literal(text)}"
        found[relation.folded] = replace(before, statements=(*before.statements, statement))
    return found
