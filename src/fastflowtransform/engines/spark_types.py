"""Spark's types and Ibis', with moments and local times kept apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyspark.sql.types as st

from fastflowtransform.errors import EngineError, WrongResult
from fastflowtransform.row_values import distinct

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    import pyarrow as pa
    from ibis.expr.schema import Schema


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a table."""

    fields: st.StructType

    @property
    def spelt(self) -> Mapping[str, str]:
        """Return Spark's type by name."""
        return {field.name: field.dataType.simpleString() for field in self.fields}

    def schema(self) -> Schema:
        """Return the columns as Ibis knows them."""
        import ibis

        return ibis.schema({field.name: ibis_type(field.dataType) for field in self.fields})

    def told_apart(self, text: str, quote: Callable[[str], str]) -> tuple[str, Columns]:
        """Return the SELECT whose columns these are, and its columns; a name that comes again gets a number."""
        names = distinct(self.fields.names, str.lower)
        if names == self.fields.names:
            return text, self
        fields = [st.StructField(name, field.dataType) for name, field in zip(names, self.fields, strict=True)]
        listed = ", ".join(map(quote, names))
        return f"SELECT * FROM (\n{text}\n) AS model ({listed})", Columns(st.StructType(fields))


def ibis_type(spark: st.DataType) -> dt.DataType:
    """Return Ibis' type; Spark's `timestamp` is a moment, and its `timestamp_ntz` has no zone.

    Raises
    ------
    EngineError
        Ibis has no such type.

    Examples
    --------
    >>> print(ibis_type(st.TimestampType()), "|", ibis_type(st.ArrayType(st.TimestampNTZType())))
    timestamp('UTC', 6) | array<timestamp(6)>
    """
    import ibis.expr.datatypes as dt
    from ibis.backends.pyspark.datatypes import PySparkType
    from ibis.common.exceptions import IbisError

    if isinstance(spark, st.TimestampType):
        return dt.Timestamp("UTC", 6)
    if isinstance(spark, st.TimestampNTZType):
        return dt.Timestamp(scale=6)
    if isinstance(spark, st.ArrayType):
        return dt.Array(ibis_type(spark.elementType))
    if isinstance(spark, st.MapType):
        return dt.Map(ibis_type(spark.keyType), ibis_type(spark.valueType))
    if isinstance(spark, st.StructType):
        return dt.Struct({field.name: ibis_type(field.dataType) for field in spark.fields})
    try:
        found: dt.DataType = PySparkType.to_ibis(spark)
    except (IbisError, NotImplementedError) as error:
        raise EngineError(
            f'Ibis has no type for Spark\'s "{spark.simpleString()}"', hint="cast the column in the model"
        ) from error
    return found


_BY_ARROW: dict[str, st.DataType] = {
    "bool": st.BooleanType(),
    "int8": st.ByteType(),
    "int16": st.ShortType(),
    "int32": st.IntegerType(),
    "int64": st.LongType(),
    "uint8": st.ShortType(),
    "uint16": st.IntegerType(),
    "uint32": st.LongType(),
    "uint64": st.DecimalType(20, 0),
    "halffloat": st.FloatType(),
    "float": st.FloatType(),
    "double": st.DoubleType(),
    "string": st.StringType(),
    "large_string": st.StringType(),
    "string_view": st.StringType(),
    "binary": st.BinaryType(),
    "large_binary": st.BinaryType(),
    "date32[day]": st.DateType(),
    "date64[ms]": st.DateType(),
    "null": st.StringType(),
}


def spark_type(arrow: pa.DataType, column: str) -> st.DataType:
    """Return the type that Spark keeps values of an Arrow type in.

    Raises
    ------
    WrongResult
        Spark has none for `column`.
    """
    import pyarrow.types as at

    if (found := _BY_ARROW.get(str(arrow))) is not None:
        return found
    if isinstance(arrow, at.lib.BaseExtensionType):
        return st.StringType()
    if at.is_timestamp(arrow):
        return st.TimestampNTZType() if arrow.tz is None else st.TimestampType()
    if at.is_decimal(arrow) and arrow.precision <= 38 and 0 <= arrow.scale <= arrow.precision:
        return st.DecimalType(arrow.precision, arrow.scale)
    if at.is_dictionary(arrow):
        return spark_type(arrow.value_type, column)
    if at.is_list(arrow) or at.is_large_list(arrow) or at.is_fixed_size_list(arrow):
        return st.ArrayType(spark_type(arrow.value_type, column))
    if at.is_struct(arrow):
        return st.StructType([st.StructField(field.name, spark_type(field.type, column)) for field in arrow])
    if at.is_map(arrow):
        return st.MapType(spark_type(arrow.key_type, column), spark_type(arrow.item_type, column))
    raise WrongResult(
        f'"{column}" is of type "{arrow}", which Spark has no column for', hint="make a text or a number of it"
    )


def arrow_type(spark: st.DataType) -> pa.DataType:
    """Return the Arrow type by which values of a Spark type go in and out."""
    from pyspark.sql.pandas.types import to_arrow_type

    return to_arrow_type(spark)


def sent(rows: pa.Table) -> tuple[pa.Table, st.StructType]:
    """Return Arrow rows as Spark takes them, and its types for them."""
    import pyarrow as pa

    fields = [st.StructField(field.name, spark_type(field.type, field.name)) for field in rows.schema]
    columns = [_plain(column, arrow_type(field.dataType)) for column, field in zip(rows.columns, fields, strict=True)]
    return pa.table(columns, names=rows.column_names), st.StructType(fields)


def _plain(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    import pyarrow as pa

    if column.type == wanted:
        return column
    if isinstance(column.type, pa.BaseExtensionType):
        return pa.chunked_array([_printed(column)], wanted)
    return column.cast(wanted)


def _printed(column: pa.ChunkedArray) -> list[Any]:
    """Return values of an extension type, such as UUIDs, as texts."""
    return [None if value is None else str(value) for value in column.to_pylist()]
