"""The rows of a file with one JSON object a line.

Each value is handed on as a text, and with it what its spelling leaves to be found: a number in quotes is a text, a day
in quotes may be a date. A number is never computed with, so that none of its digits is lost.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastflowtransform.errors import BadSeed, Location
from fastflowtransform.seed_files.opening import Part, column_names, opened

if TYPE_CHECKING:
    pass

_ROWS = 1 << 13
"""Rows to take up at a time."""


class _Unsound(Exception):
    """What Python reads as JSON, and is none."""


class _Number(str):
    """A number as it is written."""

    __slots__ = ()


_NESTED = ("json",)
_ALLOWED: dict[type, tuple[str, ...]] = {
    _Number: ("int64", "decimal(38, 0)", "float64"),
    bool: ("boolean",),
    str: ("date", "timestamp", "timestamp('UTC')"),
    dict: _NESTED,
    list: _NESTED,
}


@dataclass(frozen=True, slots=True)
class JsonLines:
    """A file of objects, whose keys are the columns: those of all lines, in the order of their first time."""

    path: Path

    def fields(self) -> None:
        """Say that only the rows tell which columns there are."""

    def parts(self) -> Iterator[Part]:
        """Yield the objects, each checked for its keys; where one has no value for a column, it is NULL."""
        names: dict[str, None] = {}
        with opened(self.path) as file:
            numbered = ((number, line) for number, line in enumerate(file, start=1) if line.strip())
            while lines := list(itertools.islice(numbered, _ROWS)):
                records = [self._record(line, number) for number, line in lines]
                for record, (number, _) in zip(records, lines, strict=True):
                    if not names.keys() >= record.keys():
                        names.update(dict.fromkeys(record))
                        column_names(names, Location(self.path, number))
                if not names:
                    hint = 'write a key a column, such as {"id": 1}'
                    raise BadSeed("the objects have no keys", at=Location(self.path, lines[0][0]), hint=hint)
                yield _part(records, tuple(names), [number for number, _ in lines])
        if not names:
            raise BadSeed("the file is empty", at=Location(self.path), hint="write one JSON object a line")

    def _record(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            record = _JSON.decode(line.decode())
            if b"\\u" in line:
                # Half of a character can be written as an escape, and is no text.
                json.dumps(record, ensure_ascii=False).encode()
        except RecursionError as error:
            raise self._bad("it is nested too deeply", number) from error
        except UnicodeEncodeError as error:
            raise self._bad("it holds half of a character", number) from error
        except json.JSONDecodeError as error:
            raise self._bad(f"{error.msg} at character {error.colno}", number) from error
        except _Unsound as error:
            raise self._bad(str(error), number) from error
        if not isinstance(record, dict):
            raise self._bad("it is not an object", number)
        return record

    def _bad(self, why: str, number: int) -> BadSeed:
        hint = 'write one object a line, such as {"id": 1, "name": "Ann"}'
        return BadSeed(f"the line is no JSON object: {why}", at=Location(self.path, number), hint=hint)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _Unsound(f'the key "{next(key for key in keys if keys.count(key) > 1)}" stands in it twice')
    return found


def _refused(constant: str) -> None:
    raise _Unsound(f'"{constant}" is no number of JSON')


_JSON = json.JSONDecoder(object_pairs_hook=_object, parse_int=_Number, parse_float=_Number, parse_constant=_refused)


def _part(records: list[dict[str, Any]], names: tuple[str, ...], lines: list[int]) -> Part:
    import pyarrow as pa

    columns, allowed = [], {}
    for name in names:
        values = [record.get(name) for record in records]
        kinds = {_ALLOWED[type(value)] for value in values if value is not None}
        if kinds:
            allowed[name] = kinds.pop() if len(kinds) == 1 else ()
        columns.append(pa.array(map(_text, values), pa.string()))
    return Part(pa.record_batch(columns, names=list(names)), lines, allowed)


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else _written(value)


def _written(value: Any) -> str:
    """Return a value as JSON, its numbers as they were written."""
    if isinstance(value, _Number):
        return value
    if isinstance(value, dict):
        items = (f"{json.dumps(key, ensure_ascii=False)}: {_written(item)}" for key, item in value.items())
        return "{" + ", ".join(items) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
