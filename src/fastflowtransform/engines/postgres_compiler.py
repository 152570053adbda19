"""Ibis' PostgreSQL backend as a compiler alone: its statements are run by the engine."""

from __future__ import annotations

from typing import Any

import ibis.backends.sql.compilers as compilers
import sqlglot.expressions as sge
from ibis.backends.postgres import Backend
from ibis.backends.sql.compilers.base import SQLGlotCompiler


class _Compiler(compilers.PostgresCompiler):  # type: ignore[misc]
    """What is written into a table, and not fetched."""

    def to_sqlglot(self, expr: Any, *, limit: Any = None, params: Any = None) -> Any:
        """Compile an expression as it is: Ibis' own form makes texts of JSON, which a table would then hold."""
        return SQLGlotCompiler.to_sqlglot(self, expr, limit=limit, params=params)

    def visit_RegexSearch(self, op: Any, *, arg: Any, pattern: Any) -> Any:
        """Return `~`: Ibis' `regexp_like` came with version 15."""
        return sge.RegexpLike(this=arg, expression=pattern)


class Compiling(Backend):  # type: ignore[misc]
    """Compiles for PostgreSQL, and is never connected."""

    compiler = _Compiler()
