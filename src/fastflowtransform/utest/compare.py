"""Two lists of rows, compared cell by cell. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from fastflowtransform.utest.case import Tolerance
from fastflowtransform.utest.values import Misfit, frozen, typed

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    from ibis.expr.schema import Schema

ROW = "(row)"
"""What stands in the place of a column where a whole row is missing or unexpected."""

_Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """One cell, or one row, that is not as it should be, as people read it."""

    key: str
    column: str
    expected: str
    actual: str


@dataclass(frozen=True, slots=True)
class Unfit:
    """An expected value that cannot be one of the column's type, so that nothing equals it."""

    value: Any

    def __str__(self) -> str:
        return f"{shown(self.value)} ({type(self.value).__name__})"


@dataclass(frozen=True, slots=True)
class Manner:
    """How rows are compared.

    Parameters
    ----------
    schema
        The columns that are compared, with the types that the actual rows have.
    key
        The columns that tell which rows belong together; where there are none, one that could be a key does, or else
        the most similar rows belong together.
    tolerance
        How far numbers may be off.
    ordered
        Whether the rows have to stand in their order.
    """

    schema: Schema
    key: tuple[str, ...] = ()
    tolerance: Tolerance = Tolerance()
    ordered: bool = False


def differences(expected: Sequence[_Row], actual: Sequence[_Row], manner: Manner) -> tuple[Difference, ...]:
    """Return each cell that differs, and each row that is missing or unexpected; none where the rows are equal.

    Parameters
    ----------
    expected
        As they are written; a column that a row lacks is NULL.
    actual
        As the engine gives them.
    manner
        How they are compared.

    Examples
    --------
    >>> import ibis
    >>> manner = Manner(ibis.schema({"id": "int64", "v": "int64"}), ("id",))
    >>> differences([{"id": 1, "v": 10}, {"id": 2, "v": 20}], [{"id": 2, "v": 21}], manner)[1]
    Difference(key='id = 2', column='v', expected='20', actual='21')
    """
    wanted: list[_Row] = [_wanted(row, manner.schema) for row in expected]
    found: list[_Row] = [{name: _held(row[name], dtype) for name, dtype in manner.schema.items()} for row in actual]
    if manner.ordered:
        return _in_order(wanted, found, manner)
    manner = manner if manner.key else replace(manner, key=_key_of(wanted, found))
    wanted, found = _without_equals(wanted, found)
    pairs, missing, unexpected = _paired(wanted, found, manner)
    absent = [Difference(_name(row, manner), ROW, _line(row), "no such row") for row in missing]
    cells = [difference for pair in pairs for difference in _cells(*pair, manner)]
    surplus = [Difference(_name(row, manner), ROW, "no such row", _line(row)) for row in unexpected]
    return (*absent, *cells, *surplus)


def shown(value: Any) -> str:
    """Return a value as people write it."""
    if value is None:
        return "NULL"
    if isinstance(value, datetime):
        return value.isoformat(" ")
    return value.isoformat() if isinstance(value, date) else str(value)


def _held(value: Any, dtype: dt.DataType) -> Any:
    """Return an actual value; one that no Python type holds stays the text that it is."""
    try:
        return typed(value, dtype)
    except Misfit:
        return str(value)


def _wanted(row: _Row, schema: Schema) -> dict[str, Any]:
    found = {}
    for name, dtype in schema.items():
        try:
            found[name] = typed(row.get(name), dtype)
        except Misfit:
            found[name] = Unfit(row.get(name))
    return found


def _in_order(wanted: Sequence[_Row], found: Sequence[_Row], manner: Manner) -> tuple[Difference, ...]:
    """Compare row by row."""
    result: list[Difference] = []
    for number in range(max(len(wanted), len(found))):
        title = f"row {number + 1}"
        if number >= len(found):
            result.append(Difference(title, ROW, _line(wanted[number]), "no such row"))
        elif number >= len(wanted):
            result.append(Difference(title, ROW, "no such row", _line(found[number])))
        else:
            result += _cells(wanted[number], found[number], manner, title)
    return tuple(result)


def _key_of(wanted: Sequence[_Row], found: Sequence[_Row]) -> tuple[str, ...]:
    """Return the first column that is a key of the expected rows, if it is one of the actual rows too; else none."""
    for name in wanted[0] if wanted else ():
        ours, theirs = ([frozen(row[name]) for row in rows] for rows in (wanted, found))
        if any(isinstance(row[name], Unfit) for row in wanted):
            return ()
        if len(set(ours)) == len(ours):
            shared = set(ours) & set(theirs)
            return (name,) if None not in shared and len(set(theirs)) == len(theirs) and shared else ()
    return ()


def _without_equals(wanted: Sequence[_Row], found: Sequence[_Row]) -> tuple[list[_Row], list[_Row]]:
    """Take away the rows that stand on both sides, each as often as on both."""
    common = Counter(map(_frozen, wanted)) & Counter(map(_frozen, found))
    return _less(wanted, common), _less(found, common)


def _less(rows: Sequence[_Row], common: Counter[Any]) -> list[_Row]:
    left = Counter(common)
    kept = []
    for row in rows:
        if left[_frozen(row)]:
            left[_frozen(row)] -= 1
        else:
            kept.append(row)
    return kept


def _frozen(row: _Row) -> tuple[Any, ...]:
    # An Unfit may hold what has no hash.
    return tuple(id(value) if isinstance(value, Unfit) else (type(value), frozen(value)) for value in row.values())


def _paired(
    wanted: Sequence[_Row], found: Sequence[_Row], manner: Manner
) -> tuple[list[tuple[_Row, _Row]], list[_Row], list[_Row]]:
    """Return which rows belong together, and those that have no other."""
    rest = list(found)
    pairs: list[tuple[_Row, _Row]] = []
    missing: list[_Row] = []
    for row in wanted:
        scores = [_likeness(row, other, manner) for other in rest]
        best = max(scores, default=0)
        if best:
            pairs.append((row, rest.pop(scores.index(best))))
        else:
            missing.append(row)
    return pairs, missing, rest


def _likeness(row: _Row, other: _Row, manner: Manner) -> int:
    """Return how many cells two rows share; 0 where they do not belong together."""
    key = [name for name in manner.key if name in row]
    if any(not _equal(row[name], other[name], manner.tolerance.of(name)) for name in key):
        return 0
    same = sum(_equal(row[name], other[name], manner.tolerance.of(name)) for name in row)
    return same if key or 2 * same >= len(row) else 0


def _cells(row: _Row, other: _Row, manner: Manner, title: str | None = None) -> list[Difference]:
    title = title or _name(row, manner)
    return [
        Difference(title, name, *_told_apart(row[name], other[name]))
        for name in row
        if not _equal(row[name], other[name], manner.tolerance.of(name))
    ]


def _told_apart(expected: Any, actual: Any) -> tuple[str, str]:
    """Return two values as texts that differ."""
    texts = shown(expected), shown(actual)
    if texts[0] != texts[1] and not isinstance(expected, Unfit):
        return texts
    return texts[0], texts[1] if actual is None else f"{texts[1]} ({type(actual).__name__})"


def _equal(expected: Any, actual: Any, tolerance: Decimal) -> bool:
    if isinstance(expected, Unfit):
        return False
    if frozen(expected) == frozen(actual):
        return True
    if not tolerance or not all(isinstance(value, int | float | Decimal) for value in (expected, actual)):
        return False
    off = abs(Decimal(str(expected)) - Decimal(str(actual)))
    return off.is_finite() and off <= tolerance


def _name(row: _Row, manner: Manner) -> str:
    """Return what tells a row from others: its key, or its first column."""
    key = [name for name in manner.key if name in row] or list(row)[:1]
    return ", ".join(f"{name} = {shown(row[name])}" for name in key)


def _line(row: _Row) -> str:
    return ", ".join(f"{name} = {shown(value)}" for name, value in row.items())
