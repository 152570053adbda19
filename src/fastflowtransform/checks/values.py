"""The values that a check compares a column with.

YAML, and Jinja in it, may give a value as another type than the column's; it is turned into that type here, once, so
that the engines need not guess, each in its way.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from fastflowtransform.document import Section
from fastflowtransform.errors import BadValue

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    import ibis.expr.types as ir


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
    except (TypeError, ValueError) as error:
        raise BadValue(
            f'{what} holds "{value}", and the column "{column.get_name()}" is of the type "{dtype}"',
            hint="give a value of that type; without quotes, YAML takes yes and no for true and false",
        ) from error


def _literal(value: Any, dtype: dt.DataType) -> ir.Scalar:
    import ibis

    if isinstance(value, bool) is not dtype.is_boolean():
        raise TypeError(value)
    if dtype.is_numeric():
        return ibis.literal(_number(value))
    if isinstance(value, float | int) and not (dtype.is_string() or dtype.is_boolean()):
        raise TypeError(value)  # Ibis would count it from 1970.
    return ibis.literal(value, dtype)


def _number(value: Any) -> float | int:
    if isinstance(value, float | int):
        return value
    try:
        return int(value)
    except ValueError:
        return float(value)
