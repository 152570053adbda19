"""Ibis' Spark backend over a session of ours; it compiles, and shows Spark what Python holds."""

from __future__ import annotations

from typing import Any

import sqlglot.expressions as sge
from ibis.backends.pyspark import Backend
from ibis.backends.sql.datatypes import PySparkType

from fastflowtransform.engines.spark_operations import SparkOperations
from fastflowtransform.engines.spark_rows import frame_of
from fastflowtransform.engines.spark_session import Session


class _Types(PySparkType):  # type: ignore[misc]
    """Local times and moments, which Ibis writes alike."""

    @classmethod
    def _from_ibis_Timestamp(cls, dtype: Any) -> sge.DataType:
        kind = sge.DataType.Type
        return sge.DataType(this=kind.TIMESTAMPNTZ if dtype.timezone is None else kind.TIMESTAMPLTZ)


class _Compiler(SparkOperations):
    type_mapper = _Types

    def visit_DefaultLiteral(self, op: Any, *, value: Any, dtype: Any) -> Any:
        """Return a literal; Ibis' own for a timestamp knows no local times, and Spark no quarters."""
        if dtype.is_timestamp():
            return self.cast(sge.convert(value.isoformat(sep=" ")), dtype)
        if dtype.is_interval() and dtype.unit.short == "Q":
            return sge.Interval(this=sge.convert(str(3 * value)), unit=sge.Var(this="MONTH"))
        if dtype.is_string():
            return self._text(value)
        return super().visit_DefaultLiteral(op, value=value, dtype=dtype)


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
