"""Arrow rows as Python has them, for people and files: what Python cannot hold becomes the text of it.

Python's dates end with the year 9999, and begin with 1; a warehouse's do not, and some of them are infinite. A value
that cannot be held never ends a command that only shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

_DAY = 86_400
_A_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_SINCE_2000 = 10_957
"""Days from 1970 to 2000, from where PostgreSQL counts. Its driver adds them to what is infinite too, and that sum goes
round the end of the integers."""
_LAST_DAY, _LAST_MOMENT = 2**31 - 1, 2**63 - 1
_ENDLESS_DAYS = {
    _LAST_DAY: "infinity",
    -_LAST_DAY: "-infinity",
    _LAST_DAY + _SINCE_2000 - 2**32: "infinity",
    -_LAST_DAY - 1 + _SINCE_2000: "-infinity",
}
_ENDLESS_MOMENTS = {
    _LAST_MOMENT: "infinity",
    -_LAST_MOMENT: "-infinity",
    _LAST_MOMENT + _SINCE_2000 * _DAY * 1_000_000 - 2**64: "infinity",
    -_LAST_MOMENT - 1 + _SINCE_2000 * _DAY * 1_000_000: "-infinity",
}


def python_rows(batches: Iterable[pa.RecordBatch]) -> list[dict[str, Any]]:
    """Return rows as mappings from the names of their columns; a name that comes again gets a number."""
    found: list[dict[str, Any]] = []
    for batch in batches:
        names = distinct(batch.schema.names)
        columns = [python_values(column) for column in batch.columns]
        found += [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        if not columns:
            found += [{} for _ in range(batch.num_rows)]
    return found


def python_values(column: pa.Array | pa.ChunkedArray) -> list[Any]:
    """Return a column's values, each as Python's own, or as a text where Python has none.

    Examples
    --------
    >>> import pyarrow as pa
    >>> python_values(pa.array([0, 2**31 - 1, 6_585_141, -735_532], pa.date32()))
    [datetime.date(1970, 1, 1), 'infinity', '19999-07-04', '0045-03-08 BC']
    """
    import pyarrow as pa

    if pa.types.is_interval(column.type) or pa.types.is_time(column.type) or _is_nanoseconds(column.type):
        return [_value(scalar) for scalar in column]
    try:
        found: list[Any] = column.to_pylist()
    except (OverflowError, ValueError, pa.ArrowException):
        return [_value(scalar) for scalar in column]
    return found


def distinct(names: Iterable[str], fold: Callable[[str], str] = str) -> list[str]:
    """Return names of which each is another one as `fold` compares them; those that come again get a number.

    Examples
    --------
    >>> distinct(["a", "b", "a", "a_1", "a"])
    ['a', 'b', 'a_2', 'a_1', 'a_3']
    """
    names = list(names)
    taken, seen = {fold(name) for name in names}, set()
    found = []
    for name in names:
        free, number = name, 0
        while fold(free) in seen or (number and fold(free) in taken):
            number += 1
            free = f"{name}_{number}"
        seen.add(fold(free))
        found.append(free)
    return found


def _is_nanoseconds(dtype: pa.DataType) -> bool:
    import pyarrow as pa

    return bool((pa.types.is_timestamp(dtype) or pa.types.is_duration(dtype)) and dtype.unit == "ns")


def _in_microseconds(dtype: pa.DataType) -> pa.DataType:
    """Return a type of nanoseconds as Python has it, whether pandas is installed or not."""
    import pyarrow as pa

    return pa.timestamp("us", dtype.tz) if pa.types.is_timestamp(dtype) else pa.duration("us")


def _value(scalar: pa.Scalar) -> Any:
    """Return one value; of a list, a struct or a map each of its parts."""
    import pyarrow as pa

    dtype = scalar.type
    if not scalar.is_valid:
        return None
    if pa.types.is_nested(dtype):
        return _parts(scalar)
    if pa.types.is_interval(dtype):
        return _interval(scalar.value)
    if pa.types.is_time(dtype) and scalar.value >= _DAY * _A_SECOND[dtype.unit]:
        return "24:00:00"
    if _is_nanoseconds(dtype):
        if pa.types.is_timestamp(dtype) and scalar.value % 1000:
            return _moment(scalar.value, dtype)
        scalar = scalar.cast(_in_microseconds(dtype))
    try:
        return scalar.as_py()
    except (OverflowError, ValueError, pa.ArrowException):
        return _spelt(scalar)


def _parts(scalar: pa.Scalar) -> Any:
    import pyarrow as pa

    if pa.types.is_struct(scalar.type):
        return {name: _value(scalar[name]) for name in scalar.type.names}
    if pa.types.is_map(scalar.type):
        return [(_value(entry["key"]), _value(entry["value"])) for entry in scalar.values]
    if pa.types.is_union(scalar.type):
        return _value(scalar.value)
    return [_value(item) for item in scalar.values]


def _spelt(scalar: pa.Scalar) -> str:
    """Return the text of a value that Python cannot hold."""
    import pyarrow as pa

    dtype = scalar.type
    if pa.types.is_date(dtype):
        days = scalar.value if dtype.bit_width == 32 else scalar.value // (_DAY * 1000)
        return _ENDLESS_DAYS.get(days) or _date(days)
    if pa.types.is_timestamp(dtype):
        return _ENDLESS_MOMENTS.get(scalar.value) or _moment(scalar.value, dtype)
    if pa.types.is_string(dtype) or pa.types.is_large_string(dtype):
        return str(scalar.as_buffer().to_pybytes(), "utf-8", "backslashreplace")
    return str(scalar)


def _date(days: int) -> str:
    """Return the date that many days after 1970-01-01, in the Gregorian calendar of any year."""
    # The calendar repeats every 400 years, of 146,097 days; years are counted from March, so that a leap day is last.
    era, day = divmod(days + 719_468, 146_097)
    year = (day - day // 1_460 + day // 36_524 - day // 146_096) // 365
    day_of_year = day - (365 * year + year // 4 - year // 100)
    month = (5 * day_of_year + 2) // 153
    day_of_month = day_of_year - (153 * month + 2) // 5 + 1
    year, month = year + 400 * era + (month >= 10), month + 3 if month < 10 else month - 9
    if year > 0:
        return f"{year:04}-{month:02}-{day_of_month:02}"
    return f"{1 - year:04}-{month:02}-{day_of_month:02} BC"


def _moment(value: int, dtype: pa.TimestampType) -> str:
    seconds, rest = divmod(value, _A_SECOND[dtype.unit])
    days, second = divmod(seconds, _DAY)
    digits = len(str(_A_SECOND[dtype.unit])) - 1
    fraction = f".{rest:0{digits}}".rstrip("0") if rest else ""
    clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}{fraction}"
    date, _, era = _date(days).partition(" ")
    return " ".join(part for part in (date, clock + ("+00:00" if dtype.tz else ""), era) if part)


def _interval(value: Any) -> timedelta | str:
    """Return a length of time; with months, which have no length, in words."""
    if not value.months and abs(value.days) < 999_999_000:
        return timedelta(days=value.days, microseconds=value.nanoseconds // 1000)
    named = ((value.months, "months"), (value.days, "days"), (value.nanoseconds / 1e9, "seconds"))
    return ", ".join(f"{number:.15g} {unit}" for number, unit in named if number)
