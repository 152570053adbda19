"""Ibis' Spark backend over a session of ours; it compiles, and shows Spark what Python holds."""

from __future__ import annotations

import re
import string
from typing import Any

import ibis.backends.sql.compilers as compilers
import sqlglot as sg
import sqlglot.expressions as sge
from ibis.backends.pyspark import Backend
from ibis.backends.sql.compilers.base import NULL
from ibis.backends.sql.datatypes import PySparkType

from fastflowtransform.engines.spark_rows import frame_of
from fastflowtransform.engines.spark_session import Session
from fastflowtransform.patterns import for_java


class _Types(PySparkType):  # type: ignore[misc]
    """Local times and moments, which Ibis writes alike."""

    @classmethod
    def _from_ibis_Timestamp(cls, dtype: Any) -> sge.DataType:
        kind = sge.DataType.Type
        return sge.DataType(this=kind.TIMESTAMPNTZ if dtype.timezone is None else kind.TIMESTAMPLTZ)


class _Compiler(compilers.PySparkCompiler):  # type: ignore[misc]
    type_mapper = _Types

    def visit_IsNull(self, op: Any, *, arg: Any) -> Any:
        """Return `IS NULL`: to Ibis' own compiler, NaN is NULL as well, as it is on no other engine."""
        return arg.is_(NULL)

    def visit_NotNull(self, op: Any, *, arg: Any) -> Any:
        """Return `IS NOT NULL`."""
        return arg.is_(sg.not_(NULL))

    def visit_DefaultLiteral(self, op: Any, *, value: Any, dtype: Any) -> Any:
        """Return a literal; Ibis' own for a timestamp knows no local times, and Spark no quarters."""
        if dtype.is_timestamp():
            return self.cast(sge.convert(value.isoformat(sep=" ")), dtype)
        if dtype.is_interval() and dtype.unit.short == "Q":
            return sge.Interval(this=sge.convert(str(3 * value)), unit=sge.Var(this="MONTH"))
        if dtype.is_string():
            return self._text(value)
        return super().visit_DefaultLiteral(op, value=value, dtype=dtype)

    def visit_Strip(self, op: Any, *, arg: Any) -> Any:
        """Return a text without the white space around it, which is ASCII's; Ibis' own takes letters away as well."""
        return self.f.btrim(arg, self._text(string.whitespace))

    def _text(self, value: str) -> Any:
        """Return a text; to Spark, what sqlglot writes for these characters is the letter behind the backslash."""
        parts = [part for part in re.split(r"([\a\f\v])", value) if part]
        if not set(parts) & set("\a\f\v"):
            return sge.convert(value)
        return self.f.concat(*(self.f.char(ord(part)) if part in "\a\f\v" else sge.convert(part) for part in parts))

    def visit_RegexSearch(self, op: Any, *, arg: Any, pattern: Any) -> Any:
        """Return the search for a pattern that means to Java what it means to others."""
        if isinstance(pattern, sge.Literal):
            pattern = sge.convert(for_java(pattern.this))
        return self.f.regexp_like(arg, pattern)


class Compiling(Backend):  # type: ignore[misc]
    """Compiles for Spark; its statements are run by the engine."""

    compiler = _Compiler()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.register_options()
        self._ours = session
        self._session = session.spark
        self._mode = "batch"

    def _register_in_memory_table(self, op: Any) -> None:
        rows = op.data.to_pyarrow(op.schema)
        frame_of(self._ours, rows.to_reader()).createOrReplaceTempView(op.name)
