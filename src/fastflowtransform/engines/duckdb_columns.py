"""The columns of DuckDB's tables and SELECTs, by DuckDB's own names of their types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from fastflowtransform.engines.quoting import literal, quoted
from fastflowtransform.relation import Relation
from fastflowtransform.rows import Named

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    import ibis.expr.types as ir
    from ibis.backends.duckdb import Backend
    from ibis.expr.schema import Schema


class Columns:
    """What is asked of one connection about columns.

    Parameters
    ----------
    rows
        Sends a statement and returns its rows.
    connection
        Gives Ibis' backend, whose import is more than half of what a plan takes.
    """

    def __init__(self, rows: Callable[[str], list[tuple[Any, ...]]], connection: Callable[[], Backend]) -> None:
        self._rows = rows
        self._connection = connection
        self._types: dict[str, dt.DataType] = {}

    def of(self, select: str) -> Mapping[str, str]:
        """Return the columns of a SELECT; Ibis' own way to ask takes Arrow, whose import takes a tenth of a second."""
        return {name: spelt for name, spelt, *_ in self._rows(f"DESCRIBE {select}")}

    def named(self, select: str) -> tuple[str, Mapping[str, str]]:
        """Return a SELECT and its columns; where two have one name, DuckDB tells them apart in a subquery."""
        rows = self._rows(f"DESCRIBE {select}")
        if len({name.lower() for name, *_ in rows}) < len(rows):
            select = f"SELECT * FROM (\n{select}\n) AS model"
            return select, self.of(select)
        return select, {name: spelt for name, spelt, *_ in rows}

    def schema(self, columns: Mapping[str, str]) -> Schema:
        """Return columns as Ibis has them; each name of a type is parsed once."""
        import ibis

        for spelt in columns.values():
            if spelt not in self._types:
                self._types[spelt] = self._connection().compiler.type_mapper.from_string(spelt)
        return ibis.schema({name: self._types[spelt] for name, spelt in columns.items()})

    def filled(self, relation: Relation) -> set[str]:
        """Return the columns of a table that have a default or an expression."""
        found = self._rows(
            "SELECT column_name FROM duckdb_columns() WHERE database_name = current_database() "
            f"AND lower(schema_name) = lower({literal(relation.database)}) "
            f"AND lower(table_name) = lower({literal(relation.name)}) AND upper(column_default) <> 'NULL'"
        )
        return {name for (name,) in found}

    def table(self, parts: tuple[str, ...]) -> Named:
        """Return a table by the parts of its name."""
        *catalog, database, name = parts
        printed = ".".join(map(quoted, parts))
        columns = self.of(f"SELECT * FROM {printed}")

        def build() -> ir.Table:
            import ibis.expr.operations as ops

            namespace = ops.Namespace(catalog=catalog[0] if catalog else None, database=database)
            schema, source = self.schema(columns), self._connection()
            return ops.DatabaseTable(name, schema=schema, source=source, namespace=namespace).to_expr()

        return Named(printed, columns, build)


def holds_moments(schema: Schema) -> bool:
    """Whether a column may hold dates, times or lengths of time.

    DuckDB gives one of Python's dates for an infinite one, fails over a long interval, and needs pytz for moments.
    """
    return any(dtype.is_temporal() or dtype.is_interval() or dtype.is_nested() for dtype in schema.types)
