"""Ibis' DuckDB backend over a connection of ours, whose statements are written for tables and not for fetching."""

from __future__ import annotations

from typing import Any

import ibis.backends.sql.compilers as compilers
import ibis.expr.datatypes as dt
from ibis.backends.duckdb import Backend
from ibis.backends.sql.compilers.base import SQLGlotCompiler


class _Compiler(compilers.DuckDBCompiler):  # type: ignore[misc]
    def to_sqlglot(self, expr: Any, *, limit: Any = None, params: Any = None) -> Any:
        """Compile an expression as it is: Ibis' own form makes bytes of geometries, which a table would then hold."""
        return SQLGlotCompiler.to_sqlglot(self, expr, limit=limit, params=params)

    def visit_ExtractEpochSeconds(self, op: Any, *, arg: Any) -> Any:
        """Return whole seconds, as Ibis says; DuckDB's own function gives their fraction, too."""
        return self.cast(self.f.floor(super().visit_ExtractEpochSeconds(op, arg=arg)), dt.int64)

    def visit_LPad(self, op: Any, *, arg: Any, length: Any, pad: Any) -> Any:
        """Return a text of at least a length; Ibis' own repeats the whole of a longer pad."""
        return self.if_(length <= self.f.length(arg), arg, self.f.anon.lpad(arg, length, pad))

    def visit_RPad(self, op: Any, *, arg: Any, length: Any, pad: Any) -> Any:
        """Return a text of at least a length."""
        return self.if_(length <= self.f.length(arg), arg, self.f.anon.rpad(arg, length, pad))


class Compiling(Backend):  # type: ignore[misc]
    """Ibis' backend with that compiler."""

    compiler = _Compiler()
