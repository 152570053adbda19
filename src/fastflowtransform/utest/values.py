"""Values as people write them, and as columns hold them: exact, and never rounded on the way."""

from __future__ import annotations

import functools
import json
import math
import re
import struct
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any
from uuid import UUID

from fastflowtransform.seed_files.types import PATTERNS

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt

    from fastflowtransform.engines.base import Engine

INT64 = range(-(2**63), 2**63)


class Misfit(ValueError):
    """A value is not of the type that it should be."""


@functools.cache
def dtype_of(text: str) -> dt.DataType:
    """Return an Ibis type by its name.

    Raises
    ------
    Misfit
        There is none of that name.

    Examples
    --------
    >>> dtype_of("decimal(10, 2)")
    Decimal(precision=10, scale=2, nullable=True)
    """
    import ibis
    import ibis.expr.datatypes as dt

    # Making the parser takes longer than a test.
    simple: dict[str, dt.DataType] = {
        "int64": dt.int64,
        "float64": dt.float64,
        "string": dt.string,
        "timestamp": dt.timestamp,
        "timestamp('UTC')": dt.Timestamp(timezone="UTC"),
        "date": dt.date,
    }
    if text in simple:
        return simple[text]
    try:
        return ibis.dtype(text)
    except (RuntimeError, TypeError, ValueError) as error:  # The parser's own error is a RuntimeError.
        raise Misfit(text) from error


def type_of(values: Iterable[Any]) -> str | None:
    """Return the type of a column, from its values; None where all are NULL.

    Texts that are all dates, or all timestamps, are taken as such, as in a seed.

    Raises
    ------
    Misfit
        They are of no one type.

    Examples
    --------
    >>> type_of([1, None, 2.5]), type_of(["007"]), type_of(["2026-01-01 10:00"]), type_of([None]) is None
    ('float64', 'string', 'timestamp', True)
    """
    present = [value for value in values if value is not None]
    kinds = {_kind(value) for value in present}
    if not kinds:
        return None
    if kinds == {"string"}:
        return narrowest(present, ("date", "timestamp", "timestamp('UTC')"))
    for wider in ("decimal(38, 0)", "float64", "timestamp"):
        if kinds <= _WITHIN[wider]:
            return wider if len(kinds) > 1 else kinds.pop()
    if len(kinds) > 1:
        raise Misfit(" and ".join(sorted(kinds)))
    return kinds.pop()


_WITHIN = {
    "decimal(38, 0)": {"int64", "decimal(38, 0)"},
    "float64": {"int64", "float64"},
    "timestamp": {"date", "timestamp"},
}


def narrowest(texts: Iterable[str], kinds: Iterable[str] = tuple(PATTERNS)) -> str:
    """Return the first of the types that all texts look like, or `string`."""
    texts = list(texts)
    for kind in kinds:
        if texts and all(re.match(PATTERNS[kind], text) for text in texts):
            return kind
    return "string"


def _kind(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return "int64" if value in INT64 else "decimal(38, 0)"
    if isinstance(value, datetime):
        return "timestamp" if value.tzinfo is None else "timestamp('UTC')"
    kind = "float64" if isinstance(value, float) else _KINDS.get(type(value))
    if kind is None:
        raise Misfit("a list or a mapping")
    return kind


_KINDS: Mapping[type, str] = {
    bool: "boolean",
    date: "date",
    str: "string",
    bytes: "binary",
    Decimal: "decimal(38, 9)",
    UUID: "uuid",
    time: "time",
}


def typed(value: Any, dtype: dt.DataType) -> Any:
    """Return a value as a column of type `dtype` holds it.

    Raises
    ------
    Misfit
        It is of another type, or would lose something.

    Examples
    --------
    >>> typed("2026-01-01T10:00:00.000001Z", dtype_of("timestamp"))
    datetime.datetime(2026, 1, 1, 10, 0, 0, 1)
    >>> typed(1.25, dtype_of("decimal(10, 1)"))
    Traceback (most recent call last):
    ...
    fastflowtransform.utest.values.Misfit: 1.25
    """
    if value is None:
        return None
    for applies, read in _READERS:
        if applies(dtype):
            try:
                return read(value, dtype)
            except (TypeError, ValueError, InvalidOperation, OverflowError, struct.error) as error:
                raise Misfit(str(value)) from error
    return value


def _boolean(value: Any, _: dt.DataType) -> bool:
    found = {True: True, False: False, "true": True, "false": False}.get(
        value.lower() if isinstance(value, str) else value
    )
    if found is None or isinstance(value, int) and not isinstance(value, bool):
        raise Misfit(value)
    return found


def _integer(value: Any, _: dt.DataType) -> int:
    if isinstance(value, bool) or int(value) != (Decimal(value) if isinstance(value, str) else value):
        raise Misfit(value)
    return int(value)


def _floating(value: Any, dtype: Any) -> float:
    if isinstance(value, bool):
        raise Misfit(value)
    number = float(value)
    return float(struct.unpack("f", struct.pack("f", number))[0]) if dtype.is_float32() else number


def _decimal(value: Any, dtype: Any) -> Decimal:
    if isinstance(value, bool):
        raise Misfit(value)
    number = Decimal(str(value))
    exponent = number.normalize().as_tuple().exponent
    if dtype.scale is not None and isinstance(exponent, int) and -exponent > dtype.scale:
        raise Misfit(value)
    return number


def _text(value: Any, _: dt.DataType) -> str:
    if not isinstance(value, str):
        raise Misfit(value)
    return value


_BEYOND = re.compile(r"-?infinity|\d{4,}-\d\d-\d\d.* BC|\d{5,}-\d\d-\d\d.*|24:00:00")
"""Dates and times that warehouses have and Python has not; they stay texts, as the warehouse's rows have them."""


def _timestamp(value: Any, dtype: Any) -> datetime | str:
    if isinstance(value, str):
        if _BEYOND.fullmatch(value):
            return value
        if re.search(r"\.\d{7}", value):
            raise Misfit(value)
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        value = datetime.combine(value, time())
    in_utc = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    found: datetime = in_utc if dtype.timezone else in_utc.replace(tzinfo=None)
    return datetime.fromisoformat(found.isoformat())  # Without what a driver's own class adds.


def _date(value: Any, _: dt.DataType) -> date | str:
    if isinstance(value, str):
        if _BEYOND.fullmatch(value):
            return value
        return date.fromisoformat(value)
    if isinstance(value, datetime) or not isinstance(value, date):
        raise Misfit(value)
    return value


def _time(value: Any, _: dt.DataType) -> time | str:
    if isinstance(value, str) and _BEYOND.fullmatch(value):
        return value
    found = time.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(found, time):
        raise Misfit(value)
    return found


def _binary(value: Any, _: dt.DataType) -> bytes:
    return bytes.fromhex(value.removeprefix("\\x")) if isinstance(value, str) else bytes(value)


def _json(value: Any, _: dt.DataType) -> str:
    return json.dumps(json.loads(value) if isinstance(value, str) else value, sort_keys=True)


def _uuid(value: Any, _: dt.DataType) -> UUID:
    return UUID(str(value))


def _array(value: Any, dtype: Any) -> list[Any]:
    if isinstance(value, str | Mapping):
        raise Misfit(value)
    return [typed(item, dtype.value_type) for item in value]


def _struct(value: Any, dtype: Any) -> dict[str, Any]:
    if set(value) - set(dtype.names):
        raise Misfit(value)
    return {name: typed(value.get(name), kind) for name, kind in dtype.items()}


def _map(value: Any, dtype: Any) -> dict[Any, Any]:
    return {typed(key, dtype.key_type): typed(item, dtype.value_type) for key, item in dict(value).items()}


_READERS: tuple[tuple[Callable[[Any], bool], Callable[[Any, Any], Any]], ...] = (
    (lambda dtype: dtype.is_boolean(), _boolean),
    (lambda dtype: dtype.is_integer(), _integer),
    (lambda dtype: dtype.is_floating(), _floating),
    (lambda dtype: dtype.is_decimal(), _decimal),
    (lambda dtype: dtype.is_json(), _json),
    (lambda dtype: dtype.is_uuid(), _uuid),
    (lambda dtype: dtype.is_string(), _text),
    (lambda dtype: dtype.is_timestamp(), _timestamp),
    (lambda dtype: dtype.is_date(), _date),
    (lambda dtype: dtype.is_time(), _time),
    (lambda dtype: dtype.is_binary(), _binary),
    (lambda dtype: dtype.is_array(), _array),
    (lambda dtype: dtype.is_struct(), _struct),
    (lambda dtype: dtype.is_map(), _map),
)


def is_nested(dtype: Any) -> bool:
    """Whether no text can be cast to the type on every engine."""
    return bool(dtype.is_nested() or dtype.is_binary())


def spelt(value: Any, dtype: dt.DataType, engine: Engine) -> str:
    """Return a typed value as SQL: a text to be cast, or the engine's own literal where no text will do."""
    if value is None:
        return "NULL"
    if is_nested(dtype):
        import ibis

        return f"({engine.connection.compile(ibis.literal(value, type=dtype))})"
    if isinstance(value, bool):
        return literal_in(str(value).lower(), engine.dialect)
    return literal_in(value.isoformat(" ") if isinstance(value, datetime) else str(value), engine.dialect)


def literal_in(text: str, dialect: str) -> str:
    """Return a text as a dialect quotes it."""
    if text.isprintable() and "'" not in text and "\\" not in text:
        return f"'{text}'"
    from sqlglot import exp

    return exp.Literal.string(text).sql(dialect=dialect)


def frozen(value: Any) -> Any:
    """Return a typed value so that two equal ones are equal, have one hash, and NaN is itself."""
    if isinstance(value, float | Decimal) and math.isnan(value):
        return "NaN", None
    if isinstance(value, list | tuple):
        return tuple(map(frozen, value))
    if isinstance(value, Mapping):
        return frozenset((frozen(key), frozen(item)) for key, item in value.items())
    return value
