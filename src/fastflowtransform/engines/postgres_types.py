"""Types on their way between PostgreSQL, Arrow and Ibis."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from fastflowtransform.engines.quoting import literal, quoted
from fastflowtransform.errors import EngineError, WrongResult
from fastflowtransform.row_values import python_values

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    import pyarrow as pa
    from ibis.expr.schema import Schema

# A numeric without a precision can have any; Arrow's have one. 20 digits before the point and 18 after it hold the sums
# and averages of everyday data, and a greater number is an error. The server casts: Arrow's own cast from a text gives
# another number where there are too many digits.
_ANY_NUMERIC = (38, 18)
# Driver's metadata of a field: the name of PostgreSQL's type, and its modifier.
_LOST = "__fft_lost "
"""Begins the text of a number that has more digits; the server cannot make a number of it."""
# The first value that PostgreSQL has of these types, and the first that it has no more, as Arrow counts them. The
# driver counts on from 1970 without a look at the end: infinity, and what is too late, come out below the first.
_DAYS = (-2_440_588, 2_145_042_906)
_MICROSECONDS = (-210_866_803_200_000_000, 9_224_318_016_000_000_000)
_NAME, _MODIFIER = b"POSTGRESQL:type", b"POSTGRESQL:typmod"


def ibis_type(field: pa.Field, parse: Callable[[str], dt.DataType]) -> dt.DataType:
    """Return the type of a described column; one that Ibis does not know is `unknown`.

    Parameters
    ----------
    field
        As the driver describes it.
    parse
        Ibis' reader of type names.
    """
    import ibis.expr.datatypes as dt

    metadata = field.metadata or {}
    name = metadata.get(_NAME, b"text").decode()
    if name.startswith("_"):
        import pyarrow as pa

        item = pa.field("item", field.type, metadata={**metadata, _NAME: name[1:].encode()})
        return dt.Array(ibis_type(item, parse))
    if name == "numeric":
        return dt.Decimal(*_precision_and_scale(int(metadata.get(_MODIFIER, b"-1"))))
    if name in ("bpchar", "char", "citext"):
        return dt.string
    if name == "jsonb":
        return dt.JSON(binary=True)
    if name == "json":
        return dt.JSON()
    if name in _PLAIN:
        return parse(name)
    return dt.Unknown(raw_type=name)


def spelt(field: pa.Field) -> str:
    """Return all that tells the type of a described column, as a text.

    Examples
    --------
    >>> import pyarrow as pa
    >>> spelt(pa.field("amount", pa.string(), metadata={_NAME: b"numeric", _MODIFIER: b"655366"}))
    'numeric 655366'
    """
    metadata = field.metadata or {}
    return " ".join(metadata[name].decode() for name in (_NAME, _MODIFIER) if name in metadata)


def written(text: str) -> str:
    """Return a type as SQL writes it, by all that is told of it.

    Examples
    --------
    >>> written("numeric 655366"), written("_int4"), written("varchar 14")
    ('numeric(10, 2)', 'int4[]', 'varchar')
    """
    name, _, modifier = text.partition(" ")
    if name in ("bound", "ibis"):
        return text
    if name.startswith("_"):
        return f"{written(text[1:])}[]"
    if name == "numeric":
        precision, scale = _precision_and_scale(int(modifier or -1))
        return "numeric(38, 10)" if precision is None else f"numeric({precision}, {scale})"
    return name


_PLAIN = frozenset(
    {"bool", "int2", "int4", "int8", "float4", "float8", "text", "varchar", "name", "bytea", "uuid", "oid"}
    | {"date", "timestamp", "timestamptz", "time", "interval"}
)


def _precision_and_scale(modifier: int) -> tuple[int | None, int | None]:
    """Read a numeric's modifier, as `numeric_typmod_precision` and `numeric_typmod_scale` of the server do."""
    if modifier < 4:
        return None, None
    precision, scale = (modifier - 4) >> 16 & 0xFFFF, (((modifier - 4) & 0x7FF) ^ 1024) - 1024
    # Ibis' decimals have neither zeros that are not kept, nor fewer digits than stand after the point.
    return (precision - scale, 0) if scale < 0 else (max(precision, scale), scale)


def is_read_as_it_is(dtype: dt.DataType) -> bool:
    """Whether the driver reads values of a type as what they are; others are read as texts."""
    if dtype.is_array():
        return is_read_as_it_is(dtype.value_type)
    temporal = dtype.is_date() or dtype.is_timestamp() or dtype.is_time()
    scalar = dtype.is_numeric() or dtype.is_boolean() or dtype.is_string() or dtype.is_binary()
    return bool(temporal or scalar or dtype.is_uuid() or dtype.is_json())


def selected(select: str, schema: Schema, *, plain: bool) -> str:
    """Return a SELECT whose columns the driver can read: as texts where it could not.

    Parameters
    ----------
    select
        The SELECT.
    schema
        Its columns.
    plain
        Whether UUIDs and JSON are to be texts too, and numerics of one precision, as DataFrames want them.
    """
    casts = {name: _cast(dtype, plain) for name, dtype in schema.items()}
    if not any(casts.values()):
        return select
    columns = [
        quoted(name) if cast is None else f"{_kept_whole(name, cast, schema[name])}::{cast} AS {quoted(name)}"
        for name, cast in casts.items()
    ]
    return f"SELECT {', '.join(columns)} FROM (\n{select}\n) AS model"


def _cast(dtype: dt.DataType, plain: bool) -> str | None:
    """Return what a column is cast to before the driver reads it; None where it is read as it is."""
    if dtype.is_array() and is_read_as_it_is(dtype):
        item = _cast(dtype.value_type, plain)
        return None if item is None else f"{item}[]"
    if not is_read_as_it_is(dtype) or (plain and (dtype.is_uuid() or dtype.is_json())):
        return "text"
    if plain and dtype.is_decimal() and not _fits(dtype):
        return f"numeric({_ANY_NUMERIC[0]}, {_ANY_NUMERIC[1]})"
    return None


def _kept_whole(name: str, cast: str, dtype: dt.DataType) -> str:
    """Return a column whose numbers the cast is not to round, as SQL.

    A quotient below 1 is what the server has rounded to 20 digits itself; two of them may go.
    """
    if not cast.startswith("numeric"):
        return quoted(name)
    column = quoted(name)
    if not dtype.is_array():
        return f"(CASE WHEN {_is_lost(column)} THEN ({literal(_LOST)} || {column}::text)::numeric ELSE {column} END)"
    lost = f"SELECT v FROM unnest({column}) AS given(v) WHERE {_is_lost('v')} LIMIT 1"
    return f"(CASE WHEN EXISTS ({lost}) THEN ARRAY[({literal(_LOST)} || ({lost})::text)::numeric] ELSE {column} END)"


def _is_lost(value: str) -> str:
    """Return the condition that a number has digits that a DataFrame would not keep."""
    quotient = f"scale({value}) = 20 AND abs({value}) < 1 AND abs({value}) >= 0.0001"
    return f"min_scale({value}) > {_ANY_NUMERIC[1]} AND NOT ({quotient})"


def lost_digits(error: EngineError) -> EngineError:
    """Return the error for a number that has more digits than a DataFrame keeps, where it is about one."""
    found = re.search(f'{_LOST}([^"]*)', error.message)
    if found is None:
        return error
    return EngineError(
        f"{found[1]} has more than {_ANY_NUMERIC[1]} digits after the point, and its column no precision",
        hint="round it in the model that is read, or cast it, as in cast(x as numeric(38, 20))",
    )


def _fits(dtype: dt.DataType) -> bool:
    """Whether Arrow has a decimal for all values of a numeric type."""
    return dtype.precision is not None and dtype.precision <= 76 and 0 <= dtype.scale <= dtype.precision


def values(column: pa.ChunkedArray, dtype: dt.DataType) -> list[Any]:
    """Return a column's values as Python has them; the driver gives a numeric as its text."""
    found = python_values(column)
    if dtype.is_decimal():
        return [None if value is None else Decimal(value) for value in found]
    return list(found)


def arrow_schema(schema: pa.Schema, types: Schema) -> pa.Schema:
    """Return a streamed result's columns as DataFrames want them: numerics as decimals."""
    import pyarrow as pa

    fields = []
    for field, dtype in zip(schema, types.types, strict=True):
        fields.append(pa.field(field.name, _arrow_type(field.type, dtype)))
    return pa.schema(fields)


def _arrow_type(given: pa.DataType, dtype: dt.DataType) -> pa.DataType:
    import pyarrow as pa

    # An array of a type that Ibis does not know, such as an enum, comes as a text.
    if dtype.is_array() and pa.types.is_list(given):
        return pa.list_(_arrow_type(given.value_type, dtype.value_type))
    if not dtype.is_decimal():
        return given
    precision, scale = (dtype.precision, dtype.scale) if _fits(dtype) else _ANY_NUMERIC
    return (pa.decimal128 if precision <= 38 else pa.decimal256)(precision, scale)


def converted(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return a streamed batch in the types of `arrow_schema`."""
    import pyarrow as pa

    columns = []
    for column, field in zip(batch.columns, schema, strict=True):
        if (wrong := _beyond(column)) is not None:
            raise EngineError(
                f'"{field.name}" holds infinity, or a {wrong} later than any that a DataFrame can hold',
                hint="replace it in the model that is read, as in nullif(until, 'infinity'), or cast it to text",
            )
        try:
            columns.append(_storage(column).cast(field.type) if column.type != field.type else column)
        except pa.ArrowInvalid as error:
            raise EngineError(
                f'"{field.name}" holds what is not a number: {error}',
                hint=f'cast it in the model, as in cast("{field.name}" as numeric(38, 6))',
            ) from error
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _beyond(column: pa.Array) -> str | None:
    """Return what a column holds, date or time, where a value is none that PostgreSQL has; infinity is read as one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    dtype = column.type
    if pa.types.is_list(dtype):
        return _beyond(column.flatten())
    is_date = pa.types.is_date32(dtype)
    if not (is_date or (pa.types.is_timestamp(dtype) and dtype.unit == "us")) or not len(column):
        return None
    found = pc.min_max(column.cast(pa.int32() if is_date else pa.int64()))
    low, high = found["min"].as_py(), found["max"].as_py()
    first, end = _DAYS if is_date else _MICROSECONDS
    return None if low is None or (low >= first and high < end) else "date" if is_date else "timestamp"


def sent(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return a batch in the types that `postgres_type` gave for its columns."""
    import pyarrow as pa

    columns = []
    for column, field in zip(batch.columns, schema, strict=True):
        # Nanoseconds are cut off; of a coarser unit, nothing is, but there may be no such microsecond.
        fine = pa.types.is_temporal(column.type) and getattr(column.type, "unit", None) == "ns"
        try:
            found = column if column.type == field.type else column.cast(field.type, safe=not fine)
        except pa.ArrowInvalid as error:
            raise WrongResult(
                f'"{field.name}" holds a value that PostgreSQL has no {field.type} for: {error}', hint=_LIMITS
            ) from error
        if (wrong := _beyond(found)) is not None:
            raise WrongResult(f'"{field.name}" holds a {wrong} beyond those that PostgreSQL has', hint=_LIMITS)
        columns.append(found)
    return pa.RecordBatch.from_arrays(columns, schema=schema)


_LIMITS = "it has dates from 4713 BC to 5874897, and timestamps until 294276; leave others out, or give them as text"


def _storage(column: pa.Array) -> pa.Array:
    """Return the texts behind the driver's numerics, in arrays too."""
    import pyarrow as pa

    if pa.types.is_list(column.type):
        values = _storage(column.values)
        return (
            pa.ListArray.from_arrays(column.offsets, values, mask=column.is_null())
            if column.null_count
            else (pa.ListArray.from_arrays(column.offsets, values))
        )
    return column.storage if isinstance(column, pa.ExtensionArray) else column


def postgres_type(dtype: pa.DataType) -> tuple[str, pa.DataType] | None:
    """Return the column that takes values of an Arrow type, and the Arrow type to send; None where there is none."""
    import pyarrow as pa
    import pyarrow.types as kinds

    if kinds.is_dictionary(dtype):
        return postgres_type(dtype.value_type)
    if isinstance(dtype, pa.BaseExtensionType):
        name = {"arrow.uuid": "uuid", "arrow.json": "jsonb"}.get(dtype.extension_name)
        return postgres_type(dtype.storage_type) if name is None else (name, dtype)
    if kinds.is_list(dtype) or kinds.is_large_list(dtype) or kinds.is_fixed_size_list(dtype):
        item = postgres_type(dtype.value_type)
        # PostgreSQL's arrays have no depth in their type, and must be rectangular.
        return None if item is None or item[0].endswith("[]") else (f"{item[0]}[]", pa.list_(item[1]))
    if kinds.is_decimal(dtype):
        return f"numeric({dtype.precision}, {dtype.scale})", dtype
    if kinds.is_timestamp(dtype):
        zoned = dtype.tz is not None
        return ("timestamptz" if zoned else "timestamp"), pa.timestamp("us", "UTC" if zoned else None)
    for holds, name, sent in (
        (kinds.is_boolean, "boolean", None),
        (kinds.is_uint64, "numeric(20, 0)", pa.decimal128(20, 0)),
        (lambda t: kinds.is_uint32(t) or kinds.is_int64(t), "bigint", pa.int64()),
        (lambda t: kinds.is_uint16(t) or kinds.is_int32(t), "integer", pa.int32()),
        (kinds.is_integer, "smallint", pa.int16()),
        (lambda t: kinds.is_float16(t) or kinds.is_float32(t), "real", pa.float32()),
        (kinds.is_float64, "double precision", None),
        (lambda t: kinds.is_string(t) or kinds.is_large_string(t) or kinds.is_string_view(t), "text", None),
        (
            lambda t: kinds.is_binary(t) or kinds.is_large_binary(t) or kinds.is_fixed_size_binary(t),
            "bytea",
            pa.binary(),
        ),
        (kinds.is_date, "date", pa.date32()),
        (kinds.is_time, "time", pa.time64("us")),
        (kinds.is_duration, "interval", pa.duration("us")),
        (kinds.is_null, "text", pa.string()),
    ):
        if holds(dtype):
            return name, dtype if sent is None else sent
    return None
