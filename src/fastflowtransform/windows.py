"""Stretches of a cursor's values: how one is cut into windows, and what is missing between others. Pure."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation

from fastflowtransform.errors import UsageError

Point = int | Decimal | datetime
MOST = 100_000
"""Windows of one backfill: each is a transaction, and a row of the ledger."""
_UNITS = {"minute": 60, "hour": 3600, "day": 86400, "week": 604800}


@dataclass(frozen=True, slots=True)
class Window:
    """The values from `start` on that are before `end`, both as the texts that an engine reads.

    `with_null` says that rows without a value are in it too, as in the first window of a table that is built anew.
    """

    start: str
    end: str
    with_null: bool = False

    def __str__(self) -> str:
        return f"{self.start} to {self.end}"


def cut(start: str, end: str, step: str | None) -> tuple[Window, ...]:
    """Cut a stretch into windows.

    Parameters
    ----------
    start, end
        A number, a date, or a date with a time: all from `start` on that is before `end`.
    step
        How long a window is: a number for numbers, else a length of time such as `7 days`; None for one window.

    Raises
    ------
    UsageError
        They cannot be read, or `end` is not after `start`.

    Examples
    --------
    >>> [str(window) for window in cut("2026-01-30", "2026-02-03", "3 days")]
    ['2026-01-30 to 2026-02-02', '2026-02-02 to 2026-02-03']
    >>> [str(window) for window in cut("0", "25", "10")]
    ['0 to 10', '10 to 20', '20 to 25']
    """
    first, last = point(start, "--from"), point(end, "--to")
    if type(first) is not type(last):
        raise UsageError(f'--from "{start}" and --to "{end}" differ in kind', hint="give two numbers, or two dates")
    if not _is_before(first, last):
        raise UsageError(f'--to "{end}" is not after --from "{start}"', hint="--to is the first value that is left out")
    if step is None:
        return (Window(start, end),)
    length = _length(step, first)
    is_date = re.fullmatch(r"\d+-\d+-\d+", start.strip()) and re.fullmatch(r"\d+-\d+-\d+", end.strip())
    whole_days = isinstance(length, timedelta) and not length % timedelta(days=1)
    if (number := _number(first, last, length)) > MOST:
        hint = f"the most is {MOST:,}: give a longer step, or a part of it at a time"
        raise UsageError(f'--step "{step}" cuts "{start}" to "{end}" into {number:,} windows', hint=hint)
    bounds: list[Point] = [first]
    for _ in range(number - 1):
        bounds.append(_after(bounds[-1], length))
    texts = [_spelt(bound, as_date=bool(is_date) and whole_days) for bound in (*bounds, last)]
    return tuple(Window(one, other) for one, other in zip(texts, texts[1:], strict=False))


def gaps(covered: Iterable[tuple[str | None, str]]) -> list[Window]:
    """Return what lies between stretches and is in none of them.

    Parameters
    ----------
    covered
        Where each begins and ends; None for a beginning that reaches back to all there was.

    Examples
    --------
    >>> [str(gap) for gap in gaps([("5", "7"), (None, "3"), ("2", "4"), ("7", "9")])]
    ['4 to 5']
    """
    known = [
        (None if start is None else point(start, "a window"), point(end, "a window"), start, end)
        for start, end in covered
    ]
    known.sort(key=lambda found: (found[0] is not None, _key(found[0])))
    found: list[Window] = []
    reached: tuple[Point, str] | None = None
    for first, last, start, end in known:
        if reached is not None and first is not None and start is not None and _is_before(reached[0], first):
            found.append(Window(reached[1], start))
        if reached is None or _is_before(reached[0], last):
            reached = (last, end)
    return found


def point(text: str, what: str) -> Point:
    """Return a value of a cursor as a number or a moment; one without a time zone is in UTC.

    Raises
    ------
    UsageError
        It is neither.
    """
    given = text.strip()
    if re.fullmatch(r"[+-]?\d+", given):
        return int(given)
    with contextlib.suppress(InvalidOperation):
        if (number := Decimal(given)).is_finite():
            return number
    try:
        found = datetime.fromisoformat(given)
    except ValueError as error:
        raise UsageError(
            f'{what} "{text}" is neither a number nor a date', hint="write 2026-01-31, 2026-01-31 12:00 or 1000"
        ) from error
    return found if found.tzinfo is None else found.astimezone(UTC).replace(tzinfo=None)


def _length(step: str, first: Point) -> int | Decimal | timedelta:
    if not isinstance(first, datetime):
        number = point(step, "--step") if re.fullmatch(r"\s*\d+(\.\d+)?\s*", step) else 0
        if isinstance(number, datetime) or number <= 0:
            raise UsageError(
                f'--step "{step}" is no number above 0', hint="the windows are of numbers, and so is a step"
            )
        return number
    match = re.fullmatch(r"\s*(\d+)\s*([a-z]+?)s?\s*", step.lower())
    with contextlib.suppress(OverflowError):
        if match is not None and match[2] in _UNITS and int(match[1]):
            return timedelta(seconds=int(match[1]) * _UNITS[match[2]])
    raise UsageError(
        f'--step "{step}" is no length of time',
        hint='write "1 day", "12 hours" or "2 weeks": a number of minutes, hours, days or weeks',
    )


def _number(first: Point, last: Point, length: int | Decimal | timedelta) -> int:
    """Return how many steps it takes to reach the last point."""
    step = length // timedelta(microseconds=1) if isinstance(length, timedelta) else length
    return math.ceil((_key(last) - _key(first)) / Decimal(step))


def _after(bound: Point, length: int | Decimal | timedelta) -> Point:
    if isinstance(bound, datetime):
        assert isinstance(length, timedelta)
        return bound + length
    assert not isinstance(length, timedelta)
    return bound + length


def _is_before(one: Point, other: Point) -> bool:
    return _key(one) < _key(other)


def _key(value: Point | None) -> Decimal:
    """Return a number that is in the order of values: of moments, the microseconds since one of them."""
    if value is None:
        return Decimal("-Infinity")
    if isinstance(value, datetime):
        return Decimal((value - datetime(1, 1, 1)) // timedelta(microseconds=1))
    return Decimal(value)


def _spelt(value: Point, *, as_date: bool) -> str:
    if isinstance(value, datetime):
        return str(date(value.year, value.month, value.day)) if as_date else value.isoformat(" ")
    return str(value)
