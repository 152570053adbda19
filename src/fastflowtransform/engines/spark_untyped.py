"""Columns of a SELECT that have no type, `void` to Spark, of which Delta keeps nothing: they are texts here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyspark.sql.types as st

from fastflowtransform.engines.spark_catalog import ticked
from fastflowtransform.engines.spark_types import Columns


def typed(select: str, described: Callable[[str], Columns]) -> tuple[str, Columns]:
    """Return a SELECT whose columns all have a type and a name of their own, and these, as `described` gives them."""
    select, columns = described(select).told_apart(select, ticked)
    if not any(_is_untyped(field.dataType) for field in columns.fields):
        return select, columns
    names = ", ".join(
        f"CAST({ticked(field.name)} AS {_spelt(field.dataType)}) AS {ticked(field.name)}"
        if _is_untyped(field.dataType)
        else ticked(field.name)
        for field in columns.fields
    )
    found = f"SELECT {names} FROM (\n{select}\n) AS model"
    return found, described(found)


def _is_untyped(dtype: Any) -> bool:
    if isinstance(dtype, st.StructType):
        return any(_is_untyped(field.dataType) for field in dtype.fields)
    if isinstance(dtype, st.MapType):
        return _is_untyped(dtype.keyType) or _is_untyped(dtype.valueType)
    return _is_untyped(dtype.elementType) if isinstance(dtype, st.ArrayType) else isinstance(dtype, st.NullType)


def _spelt(dtype: Any) -> str:
    """Return a type as a CAST takes it, with texts for what has none."""
    if isinstance(dtype, st.StructType):
        return f"STRUCT<{', '.join(f'{ticked(field.name)}: {_spelt(field.dataType)}' for field in dtype.fields)}>"
    if isinstance(dtype, st.MapType):
        return f"MAP<{_spelt(dtype.keyType)}, {_spelt(dtype.valueType)}>"
    if isinstance(dtype, st.ArrayType):
        return f"ARRAY<{_spelt(dtype.elementType)}>"
    return "STRING" if isinstance(dtype, st.NullType) else str(dtype.simpleString())
