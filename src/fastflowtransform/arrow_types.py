"""Types of Arrow as engines take them: one that some engine would read otherwise, or not at all, becomes a plain one.

Pure: types in, types out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

WIDE_DECIMAL = (38, 9)
"""Precision and scale of decimals whose type nothing tells: wide enough that a day's values hardly ever decide."""


def plain_type(dtype: pa.DataType, *, nanoseconds: bool = False) -> pa.DataType | None:
    """Return the type in which engines take values of an Arrow type; None where no column can hold them.

    Parameters
    ----------
    dtype
        Any type of Arrow.
    nanoseconds
        Whether a timestamp may keep them; else it has microseconds, as all times and durations do.

    Examples
    --------
    >>> import pyarrow as pa
    >>> plain_type(pa.dictionary(pa.int8(), pa.string())), plain_type(pa.decimal256(40, 2))
    (DataType(string), Decimal128Type(decimal128(38, 2)))
    >>> plain_type(pa.list_(pa.float16())), plain_type(pa.sparse_union([])) is None
    (ListType(list<item: float>), True)
    """
    import pyarrow as pa
    import pyarrow.types as at

    if isinstance(dtype, pa.BaseExtensionType):
        return _extension(dtype)
    if at.is_dictionary(dtype) or at.is_run_end_encoded(dtype):
        return plain_type(dtype.value_type, nanoseconds=nanoseconds)
    if at.is_union(dtype):
        return None
    if at.is_decimal(dtype):
        return _decimal(dtype.precision, dtype.scale)
    if at.is_nested(dtype):
        return _nested(dtype, nanoseconds=nanoseconds)
    if at.is_timestamp(dtype) and not (nanoseconds and dtype.unit == "ns"):
        return pa.timestamp("us", dtype.tz)
    for applies, plain in (
        (at.is_float16, pa.float32()),
        (at.is_time, pa.time64("us")),
        (at.is_duration, pa.duration("us")),
        (at.is_date64, pa.date32()),
        (at.is_string_view, pa.string()),
        (lambda t: at.is_binary_view(t) or at.is_fixed_size_binary(t), pa.binary()),
    ):
        if applies(dtype):
            return plain
    return dtype


def filled(dtype: pa.DataType, known: pa.DataType | None) -> pa.DataType:
    """Return a type in which whatever is of no type is as `known` has it at the same place, or else text.

    Examples
    --------
    >>> import pyarrow as pa
    >>> filled(pa.null(), None), filled(pa.null(), pa.int64()), filled(pa.list_(pa.null()), pa.list_(pa.int64()))
    (DataType(string), DataType(int64), ListType(list<item: int64>))
    """
    import pyarrow as pa
    import pyarrow.types as at

    if at.is_null(dtype):
        return pa.string() if known is None else filled(known, None)
    if not at.is_nested(dtype) or isinstance(dtype, pa.BaseExtensionType):
        return dtype
    alike = known is not None and at.is_nested(known) and at.is_struct(known) == at.is_struct(dtype)
    told = {field.name if at.is_struct(dtype) else place: field.type for place, field in _parts(known) if alike}
    parts = [
        filled(field.type, told.get(field.name if at.is_struct(dtype) else place)) for place, field in _parts(dtype)
    ]
    return _with_parts(dtype, parts)


def _parts(dtype: pa.DataType | None) -> Iterator[tuple[int, pa.Field]]:
    """Yield the types that a nested type is made of."""
    import pyarrow as pa

    if dtype is None or not pa.types.is_nested(dtype):
        return iter(())
    if pa.types.is_map(dtype):
        return enumerate((dtype.key_field, dtype.item_field))
    return enumerate(dtype.field(place) for place in range(dtype.num_fields))


def with_wide_decimals(dtype: pa.DataType) -> pa.DataType:
    """Return a type whose decimals hold those of other days too: Arrow takes no more digits than it sees.

    Examples
    --------
    >>> import pyarrow as pa
    >>> with_wide_decimals(pa.list_(pa.decimal128(3, 2)))
    ListType(list<item: decimal128(38, 9)>)
    """
    import pyarrow as pa

    if isinstance(dtype, pa.BaseExtensionType):
        return dtype
    if pa.types.is_decimal(dtype):
        digits = dtype.precision - dtype.scale
        precision, scale = WIDE_DECIMAL
        fits = dtype.scale <= scale and digits <= precision - scale
        return pa.decimal128(precision, scale if fits else min(dtype.scale, precision))
    if not pa.types.is_nested(dtype):
        return dtype
    return _with_parts(dtype, [with_wide_decimals(field.type) for _, field in _parts(dtype)])


def _extension(dtype: pa.BaseExtensionType) -> pa.DataType | None:
    import pyarrow as pa

    if dtype.extension_name == "arrow.bool8":
        return pa.bool_()
    return dtype if dtype.extension_name in ("arrow.uuid", "arrow.json") else None


def _decimal(precision: int, scale: int) -> pa.DataType | None:
    import pyarrow as pa

    digits = max(precision, scale, precision - scale)
    return pa.decimal128(min(digits, 38), max(scale, 0)) if scale <= 38 else None


def _nested(dtype: pa.DataType, *, nanoseconds: bool) -> pa.DataType | None:
    inner = [plain_type(field.type, nanoseconds=nanoseconds) for _, field in _parts(dtype)]
    parts = [part for part in inner if part is not None]
    return _with_parts(dtype, parts) if len(parts) == len(inner) else None


def _with_parts(dtype: pa.DataType, parts: list[pa.DataType]) -> pa.DataType:
    """Return a nested type with other types in it."""
    import pyarrow as pa
    import pyarrow.types as at

    fields = [field.with_type(part) for (_, field), part in zip(_parts(dtype), parts, strict=True)]
    if at.is_struct(dtype):
        return pa.struct(fields)
    if at.is_map(dtype):
        return pa.map_(parts[0], parts[1])
    if at.is_fixed_size_list(dtype):
        return pa.list_(fields[0], dtype.list_size)
    if at.is_large_list(dtype) or at.is_large_list_view(dtype):
        return pa.large_list(fields[0])
    return pa.list_(fields[0])
