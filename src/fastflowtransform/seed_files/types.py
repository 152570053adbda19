"""Which type a column of texts has, and how texts become values of it.

Arrow's casts refuse what they would have to round or cut. What they accept besides, such as a leading zero, is no text
of the type here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from fastflowtransform.errors import BadValue, Location, MissingColumn, hint_from, nearest

if TYPE_CHECKING:
    import pyarrow as pa

_DATE = r"\d{4}-\d\d-\d\d"
_TIME = r"\d\d:\d\d(:\d\d(\.\d{1,6})?)?"
# What a text must look like to be taken for a type, from the narrowest type on. A leading zero or plus makes an
# identifier of a number, and more digits than a type can hold make it another type's.
PATTERNS = {
    "boolean": r"(?i)^(true|false)$",
    "int64": r"^(0|-?[1-9]\d{0,18})$",
    "decimal(38, 0)": r"^(0|-?[1-9]\d{0,37})$",
    "float64": r"^-?((0|[1-9]\d{0,14})(\.\d*)?|\.\d+)([eE][-+]?\d{1,2})?$",
    "date": rf"^{_DATE}$",
    "timestamp": rf"^{_DATE}([ T]{_TIME})?$",
    "timestamp('UTC')": rf"^{_DATE}[ T]{_TIME}(Z|[-+]\d\d(:?\d\d)?)$",
}
_NARROWER = {"decimal(38, 0)": "int64", "timestamp": "date"}
"""By type, another one whose every text is a text of the first."""
_TYPES: tuple[str, ...] = ("boolean", "date", "decimal(18, 2)", "float64", "int32", "int64", "json", "string", "uuid")
_TYPES += ("timestamp", "timestamp('UTC')")
_FIRST = 64
"""Rows that tell most of the types that a column has not."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """The types that a column may still have.

    Parameters
    ----------
    left
        Those that hold all values so far, narrowest first; None before the first value.
    ended
        Where none is left, the row of the last part and the value after which that was so; None where it were values
        of several kinds.
    """

    left: tuple[str, ...] | None = None
    ended: tuple[int, str] | None = None

    @property
    def type(self) -> str:
        """The type of the column, if no more values follow."""
        return self.left[0] if self.left else "string"

    def narrowed(self, column: pa.StringArray, allowed: tuple[str, ...] | None = None) -> tuple[Candidates, pa.Array]:
        """Take the values of `column` up as well.

        Returns
        -------
        tuple of Candidates and Array
            Those that hold all values, and the column in the narrowest of them; as it is where that is text, JSON, or
            not known yet.

        Examples
        --------
        >>> import pyarrow as pa
        >>> whole, values = Candidates().narrowed(pa.array(["1", None, "2"]))
        >>> whole.type, values.to_pylist()
        ('int64', [1, None, 2])
        >>> whole.narrowed(pa.array(["1", "007"]))[0]
        Candidates(left=(), ended=(1, '007'))
        """
        if self.left == () or column.null_count == len(column):
            return self, column
        before = tuple(PATTERNS) if self.left is None else self.left
        if allowed is not None:
            before = allowed if self.left is None else tuple(name for name in before if name in allowed)
        if allowed == ("json",) or not before:
            return Candidates(before), column
        if self.left is None and len(column) > _FIRST:
            # Arrow notes each value that cannot be cast, and takes a microsecond for it: most types are out sooner.
            first, _ = self.narrowed(column.slice(0, _FIRST), allowed)
            if first.left is not None:
                return first.narrowed(column)
        left, values = _left(before, column)
        if left is None:
            return self, column
        return Candidates(left, None if left else _end(before, column)), values


def _left(candidates: Iterable[str], column: pa.StringArray) -> tuple[tuple[str, ...] | None, pa.Array]:
    """Return those of the candidates that hold all values, None where there is no value, and the column in the first.

    A whole number is a float too, unless it has too many digits for one.
    """
    if column.null_count == len(column):
        return None, column
    left: dict[str, pa.Array | None] = {}
    texts, bare = _Texts(column.drop_null()), None
    for name in candidates:
        if _NARROWER.get(name) in left or (name == "float64" and "int64" in left and texts.longest <= 15):
            left[name] = None
            continue
        values = _surely(name, column, texts)
        if values is None:
            if bare is None:
                bare = bared(column)
                if bare.null_count == len(bare):
                    return None, column
            values = _by_pattern(name, bare)
        if values is not None:
            left[name] = values
    return tuple(left), next(iter(left.values()), column)


def _end(candidates: tuple[str, ...], column: pa.StringArray) -> tuple[int, str]:
    """Return the first row at which none of the candidates is left, and its value."""
    bare = bared(column)
    row = max(_failure(name, bare) for name in candidates)
    return row, str(column[row])


def _failure(name: str, bare: pa.StringArray) -> int:
    """Return the first row whose text is not of a type that does not hold all."""
    import pyarrow as pa
    from pyarrow import compute

    matches = compute.match_substring_regex(bare, PATTERNS[name])
    # Arrow loads pandas for each value that it is given by Python, which takes longer than 100,000 rows; so this False
    # is one of its own, and so is the NULL of `bared`.
    found = compute.index(matches, compute.is_valid(pa.nulls(1))[0]).as_py()
    few, many = 0, len(bare) if found < 0 else found
    if found >= 0 and _cast_or_none(bare.slice(0, many), name) is not None:
        return many
    # All look like it up to there, and one of them is not, as the thirtieth of February.
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if _cast_or_none(bare.slice(0, middle), name) is None else (middle, many)
    return few


def _by_pattern(name: str, bare: pa.StringArray) -> pa.Array | None:
    """Return values of a type; None where a text is not of it."""
    from pyarrow import compute

    matches = compute.match_substring_regex(bare, PATTERNS[name])
    return _cast_or_none(bare, name) if compute.all(matches, min_count=0).as_py() else None


def _surely(name: str, column: pa.StringArray, texts: _Texts) -> pa.Array | None:
    """Return the same without reading each text by a pattern; None where that is not enough."""
    proof = _PROOFS.get(name)
    values = None if proof is None else _cast_or_none(column, name)
    return values if values is not None and proof is not None and proof(texts, values) else None


def _cast_or_none(texts: pa.StringArray, name: str) -> pa.Array | None:
    import pyarrow as pa

    try:
        return texts.cast(arrow_type(name))
    except pa.ArrowException:
        return None


class _Texts:
    """Some texts, of which none is NULL, and their bytes."""

    def __init__(self, texts: pa.StringArray) -> None:
        import numpy as np

        _, offsets, data = texts.buffers()
        self._texts = texts
        self._ends = np.frombuffer(offsets, np.int32, len(texts) + 1, texts.offset * 4)
        self._bytes = np.frombuffer(data or b"", np.uint8)
        self.lengths = np.diff(self._ends)
        self.longest = int(self.lengths.max())

    def at(self, place: int | npt.NDArray[np.int_]) -> _Bytes:
        """Return the byte of each text in a place, and another text's where it is shorter."""
        found: _Bytes = self._bytes.take(self._ends[:-1] + place, mode="clip")
        return found

    def with_letter(self, letter: str) -> tuple[pa.StringArray, npt.NDArray[np.bool_]]:
        """Return the texts that hold a letter of any case, and for all of the texts whether each is one of them."""
        import numpy as np
        import pyarrow as pa

        found = np.flatnonzero((self._bytes[self._ends[0] : self._ends[-1]] | 32) == ord(letter)) + self._ends[0]
        held = np.zeros(len(self._texts), bool)
        held[np.searchsorted(self._ends, found, side="right") - 1] = True
        rows = np.flatnonzero(held)
        return self._texts.take(pa.Array.from_buffers(pa.int64(), len(rows), [None, pa.py_buffer(rows)])), held


if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    _Bytes = npt.NDArray[np.uint8]


def _are_booleans(texts: _Texts, values: pa.Array) -> bool:
    return bool((texts.lengths > 3).all())  # Arrow takes 0 and 1 too.


def _are_whole(texts: _Texts, values: pa.Array) -> bool:
    first, second = texts.at(0), texts.at(1)
    return not (((first == ord("0")) & (texts.lengths > 1)) | ((first == ord("-")) & (second == ord("0")))).any()


def _are_floats(texts: _Texts, values: pa.Array) -> bool:
    """Whether no text has zeros or letters that a float's has not, or too many digits."""
    import numpy as np

    signed = (texts.at(0) == ord("-")).astype(int)
    first, second, lengths = texts.at(signed), texts.at(signed + 1), texts.lengths - signed
    if not (_is_digit(first) | (first == ord("."))).all():
        return False
    if ((first == ord("0")) & (lengths > 1) & _is_digit(second)).any():
        return False
    with_power, has_power = texts.with_letter("e")
    values = values.drop_null()
    sizes = np.abs(np.frombuffer(values.buffers()[1], np.float64, len(values), values.offset * 8))
    if not ((lengths <= 15) | (sizes < 1e15) | has_power).all():
        return False
    return len(with_power) == 0 or _by_pattern("float64", with_power) is not None


def _is_digit(places: _Bytes) -> npt.NDArray[np.bool_]:
    return (places >= ord("0")) & (places <= ord("9"))


def _are_dates(texts: _Texts, values: pa.Array) -> bool:
    return bool((texts.lengths == 10).all())


def _are_timestamps(texts: _Texts, values: pa.Array) -> bool:
    lengths = texts.lengths
    timed = (lengths == 16) | (lengths == 19) | ((lengths > 20) & (lengths < 27))
    return bool(((lengths == 10) | (timed & (texts.at(13) == ord(":")))).all())


_PROOFS: Mapping[str, Callable[[_Texts, pa.Array], bool]] = MappingProxyType(
    {
        "boolean": _are_booleans,
        "int64": _are_whole,
        "float64": _are_floats,
        "date": _are_dates,
        "timestamp": _are_timestamps,
    }
)
"""By type, whether texts that Arrow casts to it are of it by their pattern too; False where it is not sure."""


def declared_types(types: Mapping[str, str], path: Path) -> dict[str, pa.DataType]:
    """Return the Arrow type of each column that has one declared.

    Raises
    ------
    BadValue
        A type is none that a text could be read as.
    """
    declared = {}
    for name, text in types.items():
        if not _is_readable(text):
            message = f'the type of the column "{name}" is "{text}"'
            hint = nearest(text, _TYPES) or f"use one of: {', '.join(_TYPES)}"
            raise BadValue(message, at=Location(path), hint=hint)
        declared[name] = arrow_type(text)
    return declared


def require_columns(declared: Iterable[str], names: Iterable[str], path: Path) -> None:
    """Raise `MissingColumn` for a declared column that the file does not have."""
    known = {name.casefold() for name in names}
    for name in declared:
        if name.casefold() not in known:
            message = f'a type is declared for "{name}", which is not a column of the file'
            raise MissingColumn(message, at=Location(path), hint=hint_from(name, names, "columns"))


def _is_readable(text: str) -> bool:
    """Whether `text` is an Ibis type that the text of a value can be read as."""
    import ibis

    try:
        dtype = ibis.dtype(text)
        dtype.to_pyarrow()
    except (RuntimeError, TypeError, ValueError, ImportError):  # The parser's own error is a RuntimeError.
        return False
    scalar = dtype.is_boolean() or dtype.is_numeric() or dtype.is_string() or dtype.is_uuid() or dtype.is_json()
    return bool(scalar or dtype.is_date() or dtype.is_timestamp())


@functools.cache
def usual_types() -> Mapping[str, tuple[pa.DataType, str]]:
    """Return the types that values tell, with Arrow's and Ibis' full name: Ibis itself would have to be loaded."""
    import pyarrow as pa

    return {
        "boolean": (pa.bool_(), "boolean"),
        "int64": (pa.int64(), "int64"),
        "decimal(38, 0)": (pa.decimal128(38, 0), "decimal(38, 0)"),
        "float64": (pa.float64(), "float64"),
        "date": (pa.date32(), "date"),
        "timestamp": (pa.timestamp("us"), "timestamp(6)"),
        "timestamp('UTC')": (pa.timestamp("us", "UTC"), "timestamp('UTC', 6)"),
        "string": (pa.string(), "string"),
    }


@functools.cache
def arrow_type(text: str) -> pa.DataType:
    """Return the Arrow type that values of an Ibis type are sent as."""
    if text in usual_types():
        return usual_types()[text][0]
    import ibis
    import pyarrow as pa

    dtype = ibis.dtype(text)
    if dtype.is_uuid():
        return pa.uuid()
    return pa.json_(pa.string()) if dtype.is_json() else dtype.to_pyarrow()


def ibis_name(type_: pa.DataType) -> str:
    """Return how Ibis calls an Arrow type."""
    for arrow, name in usual_types().values():
        if arrow == type_:
            return name
    import ibis
    import pyarrow as pa

    if isinstance(type_, pa.BaseExtensionType):
        return {"arrow.uuid": "uuid", "arrow.json": "json"}.get(type_.extension_name, str(type_))
    return str(ibis.Schema.from_pyarrow(pa.schema([("it", type_)]))["it"])


def typed(rows: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return rows in the types of a schema; a column that they do not have is NULL."""
    import pyarrow as pa

    found = set(rows.schema.names)
    columns = [
        cast(rows.column(field.name), field.type) if field.name in found else pa.nulls(len(rows), field.type)
        for field in schema
    ]
    return pa.record_batch(columns, schema=schema)


def cast(column: pa.Array, type_: pa.DataType) -> pa.Array:
    """Return a column in another type.

    Raises
    ------
    ArrowException
        A value is not of that type.
    """
    import pyarrow as pa

    if column.type == type_:
        return column
    if isinstance(type_, pa.BaseExtensionType):
        return _extended(bared(column), type_)
    try:
        return column.cast(type_)
    except pa.ArrowInvalid:
        if not pa.types.is_string(column.type):
            raise
        return bared(column).cast(type_)  # Spaces around a value, or an empty text; else it is refused again.


def _extended(texts: pa.StringArray, type_: pa.BaseExtensionType) -> pa.ExtensionArray:
    """Return UUIDs or JSON of texts."""
    import json
    import uuid

    import pyarrow as pa

    def stored(text: str) -> bytes | str:
        if type_ == pa.uuid():
            return uuid.UUID(text).bytes
        json.loads(text)
        return text

    try:
        values = [None if text is None else stored(text) for text in texts.to_pylist()]
    except ValueError as error:
        raise pa.ArrowInvalid(str(error)) from error
    return pa.ExtensionArray.from_storage(type_, pa.array(values, type_.storage_type))


def bared(texts: pa.StringArray) -> pa.StringArray:
    """Strip spaces, and let NULL stand for an empty text: what every type but text does."""
    import pyarrow as pa
    from pyarrow import compute

    stripped = compute.utf8_trim_whitespace(texts)
    is_empty = compute.invert(compute.cast(compute.binary_length(stripped), pa.bool_()))
    return compute.if_else(is_empty, pa.nulls(1, pa.string())[0], stripped)
