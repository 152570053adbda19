"""The values that a check compares a column with.

YAML, and Jinja in it, may give a value as another type than the column's; it is turned into that type here, once, so
that the engines need not guess, each in its way.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from fastflowtransform.checks.columns import present
from fastflowtransform.document import Section
from fastflowtransform.errors import BadValue, MissingKey

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    import ibis.expr.types as ir

_INT64 = 2**63
_INT64_DIGITS = 19
_DECIMAL_DIGITS = 38
"""How many digits a decimal can have on every engine."""


def read_value(section: Section, key: str) -> object:
    """Return the single value under `key`; None where there is none.

    Raises
    ------
    BadValue
        It is a list or a mapping.
    """
    value = section.raw(key)
    if value is not None and not isinstance(value, bool | int | float | str | date):
        raise section.bad(key, "a single value")
    return value


def read_values(section: Section) -> tuple[object, ...]:
    """Return the list under `values`.

    Raises
    ------
    BadValue
        It is no list, is empty, or holds anything but texts, numbers, dates, true and false.
    """
    values = section.raw("values")
    if not isinstance(values, list | tuple) or not values:
        raise section.bad("values", "a list of one or more values")
    if not all(isinstance(value, bool | int | float | str | date) for value in values):
        raise section.bad("values", "a list of texts, numbers, dates, true and false")
    return tuple(values)


def read_column_and_values(section: Section) -> dict[str, object]:
    """Read `column` and the list of `values`."""
    return {"column": section.required_text("column"), "values": read_values(section)}


def read_bounds(section: Section) -> tuple[object, object]:
    """Return what stands under `min` and `max`, of which one may be None.

    Raises
    ------
    MissingKey
        There is neither.
    """
    low, high = read_value(section, "min"), read_value(section, "max")
    if low is None and high is None:
        raise MissingKey(f'{section.title} has no "min" and no "max"', at=section.at(), hint="give one or both of them")
    numbers = isinstance(low, int | float) and isinstance(high, int | float)
    if (numbers or _are_dates(low, high)) and low > high:  # type: ignore[operator]
        raise BadValue(
            f'"min" of {section.title} is "{low}", and "max" is "{high}", so that nothing passes',
            at=section.at("min"),
            hint="exchange the two",
        )
    return low, high


def _are_dates(low: object, high: object) -> bool:
    """Whether both are dates: as such, or as texts of one form, which are in the dates' order."""
    if isinstance(low, str) and isinstance(high, str):
        return all(re.fullmatch(r"\d{4}-\d\d-\d\d", bound) for bound in (low, high))
    return type(low) is type(high) and isinstance(low, date)


def read_number(section: Section, key: str) -> float | int | None:
    """Return the number under `key`, or one that a text holds; None where there is none.

    Raises
    ------
    BadValue
        It is no number, or not a finite one.
    """
    value = section.raw(key)
    if value is None:
        return None
    try:
        number = None if isinstance(value, bool) else _number(value)
    except (TypeError, ValueError):
        number = None
    if number is None or not math.isfinite(number):
        raise section.bad(key, "a number")
    return number


def read_number_bounds(section: Section) -> tuple[float | int | None, float | int | None]:
    """Return the numbers under `min` and `max`, of which one may be None.

    Raises
    ------
    MissingKey
        There is neither.
    """
    read_bounds(section)
    return read_number(section, "min"), read_number(section, "max")


def among(table: ir.Table, column: str, values: Sequence[object]) -> ir.BooleanColumn:
    """Whether a column's value is one of `values`; NULL where it is NULL.

    Raises
    ------
    MissingColumn
        The table lacks `column`.
    BadValue
        The column cannot hold one of `values`.
    """
    present(table, [column], "column")
    found = table[column]
    if found.type().is_unknown():
        # Such as an enumeration: it has a text, and whatever else it is, only its engine knows.
        found = found.cast("string").name(column)
    return found.isin([like(found, value, "values") for value in values])


def outside(values: ir.Column, low: object, high: object) -> ir.BooleanColumn:
    """Whether a value is below `low` or above `high`, of which one may be None: no bound on that side.

    Raises
    ------
    BadValue
        The column cannot hold one of the bounds.
    """
    import ibis

    below = [] if low is None else [values < like(values, low, "min")]
    above = [] if high is None else [values > like(values, high, "max")]
    return ibis.or_(*below, *above)


def like(column: ir.Column, value: object, what: str) -> ir.Scalar:
    """Return a value as a literal that can be compared with a column.

    Parameters
    ----------
    column
        The column.
    value
        A text, number, date, true or false. A number may stand for a text, and a text for anything but true and false.
    what
        The argument that gives it, for the message.

    Raises
    ------
    BadValue
        The column cannot hold it.

    Examples
    --------
    >>> import ibis
    >>> table = ibis.table({"code": "string", "day": "date"})
    >>> like(table.code, 7, "values").op().value
    '7'
    >>> like(table.day, "2024-01-31", "min").op().value
    datetime.date(2024, 1, 31)
    """
    dtype = column.type()
    try:
        return _literal(value, dtype)
    except (AttributeError, InvalidOperation, TypeError, ValueError) as error:
        raise BadValue(
            f'{what} holds "{value}", and the column "{column.get_name()}" is of the type "{dtype}"',
            hint="cast the column in its model to a type that all engines have"
            if dtype.is_unknown()
            else "give a value of that type; without quotes, YAML takes yes and no for true and false",
        ) from error


def _literal(value: Any, dtype: dt.DataType) -> ir.Scalar:
    import ibis

    if isinstance(value, bool) is not dtype.is_boolean():
        raise TypeError(value)
    if dtype.is_integer() or dtype.is_decimal():
        return _exact(value, dtype)
    if dtype.is_numeric():
        number = _number(value)
        return ibis.literal(number if isinstance(number, int) and -_INT64 <= number < _INT64 else float(number))
    if isinstance(value, float | int) and not (dtype.is_string() or dtype.is_boolean()):
        raise TypeError(value)  # Ibis would count it from 1970.
    return ibis.literal(value, dtype)


def _exact(value: Any, dtype: Any) -> ir.Scalar:
    """Return a number that no engine rounds: a decimal where it has a fraction, or more digits than an integer."""
    import ibis
    import ibis.expr.datatypes as dt

    number = Decimal(str(value))
    if not number.is_finite():
        return ibis.literal(float(number))
    if number == number.to_integral_value() and -_INT64 <= number < _INT64:
        return ibis.literal(int(number))
    if dtype.is_decimal() and dtype.precision is None:
        return ibis.literal(number, dt.Decimal())
    # Ibis compares two decimals where one type holds all values of the other.
    precision, scale = (_INT64_DIGITS, 0) if dtype.is_integer() else (dtype.precision, dtype.scale)
    _, digits, exponent = number.as_tuple()
    own_scale = max(-int(exponent), 0)
    scale, whole = max(scale, own_scale), max(precision - scale, len(digits) + int(exponent))
    fits = scale + whole <= _DECIMAL_DIGITS
    return ibis.literal(number, dt.Decimal(scale + whole, scale)) if fits else ibis.literal(float(number))


def _number(value: Any) -> float | int:
    if isinstance(value, float | int):
        return value
    try:
        return int(value)
    except ValueError:
        return float(value)
