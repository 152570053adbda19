"""DuckDB's driver as such: `import duckdb` opens a database of its own and asks what is installed, half of its time."""

from __future__ import annotations

try:
    import _duckdb as driver
except ModuleNotFoundError:
    # A DuckDB to come may keep it elsewhere; what it does beside is time alone.
    import duckdb as driver  # type: ignore[no-redef]

__all__ = ["driver"]
