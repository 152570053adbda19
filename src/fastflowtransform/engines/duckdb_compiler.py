"""Ibis' DuckDB backend over a connection of ours, whose statements are written for tables and not for fetching."""

from __future__ import annotations

from typing import Any

import ibis.backends.sql.compilers as compilers
from ibis.backends.duckdb import Backend
from ibis.backends.sql.compilers.base import SQLGlotCompiler


class _Compiler(compilers.DuckDBCompiler):  # type: ignore[misc]
    def to_sqlglot(self, expr: Any, *, limit: Any = None, params: Any = None) -> Any:
        """Compile an expression as it is: Ibis' own form makes bytes of geometries, which a table would then hold."""
        return SQLGlotCompiler.to_sqlglot(self, expr, limit=limit, params=params)


class Compiling(Backend):  # type: ignore[misc]
    """Ibis' backend with that compiler."""

    compiler = _Compiler()
