"""Ibis' PostgreSQL backend as a compiler alone: its statements are run by the engine."""

from __future__ import annotations

from typing import Any

from ibis.backends.postgres import Backend
from ibis.backends.sql.compilers.base import SQLGlotCompiler

from fastflowtransform.engines.postgres_operations import PostgresOperations, by_code_point


class _Compiler(PostgresOperations):
    """What is written into a table, and not fetched."""

    def to_sqlglot(self, expr: Any, *, limit: Any = None, params: Any = None) -> Any:
        """Compile an expression as it is: Ibis' own form makes texts of JSON, which a table would then hold."""
        return SQLGlotCompiler.to_sqlglot(self, expr, limit=limit, params=params)

    def visit_Less(self, op: Any, *, left: Any, right: Any) -> Any:
        """Return `<`; of texts, by code point, as on every other engine."""
        return super().visit_Less(op, left=_by_code_point(op.left, left), right=right)

    def visit_LessEqual(self, op: Any, *, left: Any, right: Any) -> Any:
        """Return `<=`."""
        return super().visit_LessEqual(op, left=_by_code_point(op.left, left), right=right)

    def visit_Greater(self, op: Any, *, left: Any, right: Any) -> Any:
        """Return `>`."""
        return super().visit_Greater(op, left=_by_code_point(op.left, left), right=right)

    def visit_GreaterEqual(self, op: Any, *, left: Any, right: Any) -> Any:
        """Return `>=`."""
        return super().visit_GreaterEqual(op, left=_by_code_point(op.left, left), right=right)

    def visit_SortKey(self, op: Any, *, arg: Any, ascending: bool, nulls_first: bool) -> Any:
        """Return a part of an order."""
        arg = _by_code_point(op.arg, arg)
        return super().visit_SortKey(op, arg=arg, ascending=ascending, nulls_first=nulls_first)


def _by_code_point(value: Any, written: Any) -> Any:
    """Return a text whose order is that of code points; other values as they are."""
    return by_code_point(written) if value.dtype.is_string() else written


class Compiling(Backend):  # type: ignore[misc]
    """Compiles for PostgreSQL, and is never connected."""

    compiler = _Compiler()
