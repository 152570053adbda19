"""The same work by fft, dbt-duckdb, SQLMesh and a script of SQL: a file for each, with the same names in it."""
