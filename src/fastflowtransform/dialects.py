"""The names of SQL dialects: those that sqlglot reads, and those that people give them."""

from __future__ import annotations

NAMES = frozenset(
    {
        *("athena", "bigquery", "clickhouse", "databricks", "dax", "doris", "dremio", "drill", "druid", "duckdb"),
        *("dune", "exasol", "fabric", "hive", "materialize", "mysql", "oracle", "postgres", "presto", "prql"),
        *("redshift", "risingwave", "snowflake", "solr", "spark", "spark2", "sqlite", "starrocks", "tableau"),
        *("teradata", "trino", "tsql"),
    }
)
"""As sqlglot has them, which takes a while to be loaded."""
_OTHERS = {
    "databricks_spark": "spark",
    "mssql": "tsql",
    "pg": "postgres",
    "postgresql": "postgres",
    "pyspark": "spark",
    "spark_sql": "spark",
    "sparksql": "spark",
    "sqlserver": "tsql",
}


def dialect_named(name: str) -> str | None:
    """Return the dialect of a name in any case; None where there is none.

    Examples
    --------
    >>> dialect_named("PostgreSQL"), dialect_named("duckdb"), dialect_named("duckbd")
    ('postgres', 'duckdb', None)
    """
    folded = name.strip().lower()
    return folded if folded in NAMES else _OTHERS.get(folded)
