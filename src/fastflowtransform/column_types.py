"""The common type of two columns: one that holds every value of both, and keeps what it means.

Pure: types of Ibis go in and come out, and `converted` builds an expression. `docs/reference/semantics.md` has the
types in a table. Where two types have no common one, no table may go from one to the other by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fastflowtransform.names import Folding

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    import ibis.expr.types as ir

_SIGNED_DIGITS = {1: 3, 2: 5, 4: 10, 8: 19}
"""Digits that hold every signed integer of as many bytes; an unsigned one counts as the next larger signed one."""
_UNSIGNED_DIGITS = {1: 5, 2: 10, 4: 19, 8: 20}
_SIGNED_FLOAT = {1: 2, 2: 4, 4: 8}
"""Bytes of the float that holds every signed integer of as many bytes; none holds those of eight."""
_UNSIGNED_FLOAT = {1: 4, 2: 8, 4: 8}
_NANOSECONDS = 9


def common_type(one: dt.DataType, other: dt.DataType, folding: Folding = Folding.NONE) -> dt.DataType | None:
    """Return the narrowest type that holds the values of both; None if there is none.

    Its result takes NULL. Of two structs it has the fields of the first one, and those of the other one after them;
    `folding` says which names of fields are one.

    Examples
    --------
    >>> import ibis
    >>> def shown(one, other):
    ...     print(common_type(ibis.dtype(one), ibis.dtype(other)))
    >>> shown("int32", "int64"), shown("int32", "uint32"), shown("int64", "uint64")
    int64
    int64
    decimal(20, 0)
    (None, None, None)
    >>> shown("decimal(5, 2)", "decimal(10, 0)"), shown("int32", "decimal(5, 2)"), shown("int64", "float64")
    decimal(12, 2)
    decimal(12, 2)
    None
    (None, None, None)
    >>> shown("struct<a: int32>", "struct<a: int64, b: string>")
    struct<a: int64, b: string>
    """
    one, other = one(nullable=True), other(nullable=True)
    if one == other:
        return one
    if one.is_null() or other.is_null():
        return other if one.is_null() else one
    return next((join(one, other, folding) for holds, join in _JOINS if holds(one) and holds(other)), None)


def is_same(one: dt.DataType, other: dt.DataType, folding: Folding = Folding.NONE) -> bool:
    """Whether two types have the same values: NULL, and the order and the case of a struct's fields, do not count.

    Examples
    --------
    >>> import ibis
    >>> one, other = ibis.dtype("struct<a: int32, b: string>"), ibis.dtype("struct<B: string, a: int32>")
    >>> is_same(one, other), is_same(one, other, Folding.ASCII)
    (False, True)
    """
    return bool(_plain(one, folding) == _plain(other, folding))


def _plain(dtype: Any, folding: Folding) -> dt.DataType:
    import ibis.expr.datatypes as dt

    if dtype.is_struct():
        fields = {folding.fold(name): _plain(found, folding) for name, found in dtype.items()}
        return dt.Struct(dict(sorted(fields.items())))
    if dtype.is_array():
        return dt.Array(_plain(dtype.value_type, folding))
    if dtype.is_map():
        return dt.Map(_plain(dtype.key_type, folding), _plain(dtype.value_type, folding))
    plain: dt.DataType = dtype(nullable=True)
    return plain


def most_digits(dtype: Any) -> int:
    """Return the precision of the longest decimal in a type; 0 if there is none, or one without a precision."""
    if dtype.is_decimal():
        return int(dtype.precision or 0)
    if dtype.is_struct():
        return max(map(most_digits, dtype.types), default=0)
    if dtype.is_map():
        return max(most_digits(dtype.key_type), most_digits(dtype.value_type))
    return most_digits(dtype.value_type) if dtype.is_array() else 0


def is_castable(given: Any, wanted: Any) -> bool:
    """Whether all engines give the same value of another type, or refuse it: a number is no moment, for instance.

    Examples
    --------
    >>> import ibis
    >>> is_castable(ibis.dtype("date"), ibis.dtype("timestamp")), is_castable(ibis.dtype("date"), ibis.dtype("int64"))
    (True, False)
    """
    if given(nullable=True) == wanted(nullable=True) or given.is_null():
        return True
    if given.is_array() and wanted.is_array():
        return is_castable(given.value_type, wanted.value_type)
    if given.is_map() and wanted.is_map():
        return is_castable(given.key_type, wanted.key_type) and is_castable(given.value_type, wanted.value_type)
    if given.is_struct() and wanted.is_struct():
        common = set(given.names) & set(wanted.names)
        return bool(common) and all(is_castable(given[name], wanted[name]) for name in common)
    if given.is_nested() or wanted.is_nested() or given.is_binary() or wanted.is_binary():
        return False
    if given.is_string() or wanted.is_string():
        return True
    days = given.is_date() or given.is_timestamp(), wanted.is_date() or wanted.is_timestamp()
    numbers = given.is_numeric() or given.is_boolean(), wanted.is_numeric() or wanted.is_boolean()
    return all(days) or all(numbers)


def converted(value: ir.Value, wanted: dt.DataType, folding: Folding = Folding.NONE) -> ir.Value:
    """Return a value as one of another type: structs by the names of their fields, all else as the engine casts it.

    A field that the struct does not have is NULL, and one that `wanted` does not have is left out.
    """
    import ibis

    given: Any = value.type()
    target: Any = wanted
    if given(nullable=True) == target(nullable=True):
        return value
    if not (_has_struct(given) and _has_struct(target)):
        return value.cast(wanted)
    found: Any = value
    if given.is_struct() and target.is_struct():
        fields = {}
        for name, dtype in target.items():
            ours = folding.spelling(name, given.names)
            fields[name] = ibis.null(dtype) if ours is None else converted(found[ours], dtype, folding)
        return ibis.ifelse(found.isnull(), ibis.null(wanted), ibis.struct(fields))
    if given.is_array() and target.is_array():
        return found.map(lambda item: converted(item, target.value_type, folding))
    if given.is_map() and target.is_map():
        values = found.values().map(lambda item: converted(item, target.value_type, folding))
        return ibis.map(found.keys().cast(f"array<{target.key_type}>"), values)
    return value.cast(wanted)


def with_types(table: ir.Table) -> ir.Table:
    """Return a table in which columns without a type, such as a NULL, are texts.

    Examples
    --------
    >>> import ibis
    >>> print(with_types(ibis.table({"id": "int64"}, name="t").mutate(note=ibis.null())).schema()["note"])
    string
    """
    wanted = {name: _with_text(dtype) for name, dtype in table.schema().items()}
    other = {name: dtype for name, dtype in wanted.items() if dtype is not None}
    return table.cast(other) if other else table


def _with_text(dtype: Any) -> dt.DataType | None:
    """Return a type with texts for what has none; None where all of it has one."""
    import ibis.expr.datatypes as dt

    if dtype.is_null():
        return dt.string
    if dtype.is_array():
        item = _with_text(dtype.value_type)
        return None if item is None else dt.Array(item)
    if dtype.is_map():
        key, value = _with_text(dtype.key_type), _with_text(dtype.value_type)
        return None if key is None and value is None else dt.Map(key or dtype.key_type, value or dtype.value_type)
    if dtype.is_struct():
        found = {name: _with_text(field) for name, field in dtype.items()}
        if any(field is not None for field in found.values()):
            return dt.Struct({name: field or dtype[name] for name, field in found.items()})
    return None


def _has_struct(dtype: Any) -> bool:
    if dtype.is_array():
        return _has_struct(dtype.value_type)
    if dtype.is_map():
        return _has_struct(dtype.value_type)
    return bool(dtype.is_struct())


def _integers(one: Any, other: Any, _: Folding) -> dt.DataType:
    import ibis.expr.datatypes as dt

    signed, unsigned = (one, other) if one.is_signed_integer() else (other, one)
    if signed.is_signed_integer() == unsigned.is_signed_integer():
        return one if one.nbytes >= other.nbytes else other
    if unsigned.nbytes == 8:
        return dt.Decimal(_UNSIGNED_DIGITS[8], 0)
    by_size = {2: dt.int16, 4: dt.int32, 8: dt.int64}
    return by_size[max(signed.nbytes, unsigned.nbytes * 2)]


def _decimals(one: Any, other: Any, _: Folding) -> dt.DataType:
    """Return a decimal with the digits before and after the point that either of the two needs."""
    import ibis.expr.datatypes as dt

    (whole, scale), (other_whole, other_scale) = _digits(one), _digits(other)
    if whole is None or other_whole is None:
        return dt.Decimal()
    scale = max(scale, other_scale)
    return dt.Decimal(max(whole, other_whole) + scale, scale)


def _digits(dtype: Any) -> tuple[int | None, int]:
    """Return how many digits a number has before its point, None for any number of them, and after it."""
    if dtype.is_decimal():
        return (None, 0) if dtype.precision is None else (dtype.precision - dtype.scale, dtype.scale)
    digits = _SIGNED_DIGITS if dtype.is_signed_integer() else _UNSIGNED_DIGITS
    return digits[dtype.nbytes], 0


def _floats(one: Any, other: Any, _: Folding) -> dt.DataType | None:
    """Return the float that holds the values of both, if there is one."""
    import ibis.expr.datatypes as dt

    sizes = [_float_bytes(one), _float_bytes(other)]
    return None if None in sizes else {2: dt.float16, 4: dt.float32, 8: dt.float64}[max(filter(None, sizes))]


def _float_bytes(dtype: Any) -> int | None:
    if dtype.is_floating():
        return int(dtype.nbytes)
    return (_SIGNED_FLOAT if dtype.is_signed_integer() else _UNSIGNED_FLOAT).get(dtype.nbytes)


def _moments(one: Any, other: Any, _: Folding) -> dt.DataType | None:
    """Return the timestamp that holds both; a date is its midnight. One with a zone is a moment, and no local time."""
    import ibis.expr.datatypes as dt

    stamps = [dtype for dtype in (one, other) if dtype.is_timestamp()]
    zones = {stamp.timezone for stamp in stamps}
    scales = [stamp.scale for stamp in stamps]
    if len(zones) > 1 or (len(stamps) == 1 and None not in zones):
        return None
    if _NANOSECONDS in scales and (len(stamps) == 1 or set(scales) != {_NANOSECONDS}):
        # They span three centuries, and others all of history.
        return None
    return dt.Timestamp(zones.pop(), None if None in scales else max(scales))


def _texts(one: Any, other: Any, _: Folding) -> dt.DataType:
    import ibis.expr.datatypes as dt

    return dt.String() if None in (one.length, other.length) else dt.String(length=max(one.length, other.length))


def _structs(one: Any, other: Any, folding: Folding) -> dt.DataType | None:
    import ibis.expr.datatypes as dt

    fields: dict[str, dt.DataType | None] = dict(one.items())
    for name, dtype in other.items():
        ours = folding.spelling(name, one.names)
        fields[ours or name] = dtype if ours is None else common_type(one[ours], dtype, folding)
    return None if None in fields.values() else dt.Struct(fields)


def _arrays(one: Any, other: Any, folding: Folding) -> dt.DataType | None:
    import ibis.expr.datatypes as dt

    item = common_type(one.value_type, other.value_type, folding)
    return None if item is None else dt.Array(item)


def _maps(one: Any, other: Any, folding: Folding) -> dt.DataType | None:
    import ibis.expr.datatypes as dt

    key = common_type(one.key_type, other.key_type, folding)
    value = common_type(one.value_type, other.value_type, folding)
    return None if key is None or value is None else dt.Map(key, value)


_JOINS: tuple[tuple[Callable[[Any], bool], Callable[[Any, Any, Folding], Any]], ...] = (
    (lambda dtype: dtype.is_integer(), _integers),
    (lambda dtype: dtype.is_integer() or dtype.is_decimal(), _decimals),
    (lambda dtype: dtype.is_integer() or dtype.is_floating(), _floats),
    (lambda dtype: dtype.is_date() or dtype.is_timestamp(), _moments),
    (lambda dtype: dtype.is_string(), _texts),
    (lambda dtype: dtype.is_struct(), _structs),
    (lambda dtype: dtype.is_array(), _arrays),
    (lambda dtype: dtype.is_map(), _maps),
)
"""Of two types that a condition holds for, how their common type is found; the first pair counts."""
