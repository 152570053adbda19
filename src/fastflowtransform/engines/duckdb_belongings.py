"""What hangs on DuckDB's tables, and is lost with them: indexes and comments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from fastflowtransform.engines.quoting import literal, quoted
from fastflowtransform.relation import Relation


@dataclass(frozen=True, slots=True)
class Belongings:
    """What hangs on a table: the statements that give it its indexes and comments again, and whether one is unique."""

    statements: tuple[str, ...] = ()
    unique: bool = False


def found(
    rows: Callable[[str], list[tuple[Any, ...]]], name: Callable[[Relation], str]
) -> dict[tuple[str, str], Belongings]:
    """Return what hangs on each table, by its folded name. All are asked for at once: any question looks at every one.

    Parameters
    ----------
    rows
        Sends a query.
    name
        Returns a relation's name as statements take it.
    """
    here = "database_name = current_database()"
    belongings: dict[tuple[str, str], Belongings] = {}
    for schema, table, kind, column, text in rows(
        "SELECT schema_name, table_name, 'index', NULL, sql FROM duckdb_indexes() "
        f"WHERE {here} AND sql IS NOT NULL "
        f"UNION ALL SELECT schema_name, table_name, 'unique', NULL, NULL FROM duckdb_indexes() "
        f"WHERE {here} AND is_unique "
        f"UNION ALL SELECT schema_name, table_name, 'unique', NULL, NULL FROM duckdb_constraints() "
        f"WHERE {here} AND constraint_type IN ('PRIMARY KEY', 'UNIQUE') "
        f"UNION ALL SELECT schema_name, table_name, 'table', NULL, comment FROM duckdb_tables() "
        f"WHERE {here} AND comment IS NOT NULL "
        f"UNION ALL SELECT schema_name, table_name, 'column', column_name, comment FROM duckdb_columns() "
        f"WHERE {here} AND comment IS NOT NULL"
    ):
        relation = Relation(schema, table)
        before = belongings.get(relation.folded, Belongings())
        if kind == "unique":
            belongings[relation.folded] = replace(before, unique=True)
            continue
        on = f"TABLE {name(relation)}" if kind == "table" else f"COLUMN {name(relation)}.{quoted(column or '')}"
        statement = text if kind == "index" else f"COMMENT ON {on} IS {literal(text)}"
        belongings[relation.folded] = replace(before, statements=(*before.statements, statement))
    return belongings
