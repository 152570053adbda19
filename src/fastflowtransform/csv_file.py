"""The rows of a seed file, as a stream of Arrow batches that is the same for every engine.

A file is read twice, a few megabytes at a time: once to find the columns' types and whatever is wrong with it, so
that no engine is given a part of a bad file, and once for the rows. Python's `csv` decides where a record ends, unless
there is no quote, so that each line is one; and Arrow, whose casts refuse what they would have to round or cut, what a
value is.

DuckDB's CSV reader is faster. It is not used because 1.5.6 in parallel refuses large files with quoted line breaks, and
otherwise drops what stands behind an open quote without a word and needs memory that grows with the file.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from fastflowtransform.errors import BadSeed, BadValue, Location, MissingColumn, hint_from, nearest

if TYPE_CHECKING:
    import pyarrow as pa

_DELIMITERS = ",;\t|"
_PIECE = 1 << 20  # characters of text to take up at a time, to the end of a line
_LONGEST_VALUE = 1 << 24  # characters; an open quote in a large file is noticed when this is reached

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


@contextmanager
def read_rows(path: Path, types: Mapping[str, str]) -> Iterator[pa.RecordBatchReader]:
    r"""Open a seed file and give its rows, a few megabytes at a time.

    In a `.csv` file the columns are separated by whichever of comma, semicolon, tab and bar stands most often in the
    header, in a `.tsv` file by tabs. The first line is the header; blank lines are skipped. An empty field is NULL, a
    quoted one (`""`) an empty text, or NULL in a column that holds no texts. Of a column without a type in `types`,
    the values decide: it is text unless all of them are of one other type.

    Parameters
    ----------
    path
        A file that ends in `.csv`, `.tsv` or `.parquet`.
    types
        Ibis types by column, such as `{"price": "decimal(10, 2)"}`; may be empty.

    Yields
    ------
    pa.RecordBatchReader
        All rows in the file's order; after the `with` block it gives no more.

    Raises
    ------
    BadSeed
        The file cannot be read, is empty, ragged, not UTF-8 or no Parquet, or holds a value that is not of its type.
    BadValue
        A type in `types` is none of a boolean, number, text, date or timestamp.
    MissingColumn
        `types` names a column that the file does not have.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "shops.csv")
    >>> _ = path.write_text("code,opened,sales\n007,2024-01-31,12\n112,,\n")
    >>> with read_rows(path, {"sales": "decimal(10, 2)"}) as reader:
    ...     table = reader.read_all()
    >>> [str(field.type) for field in table.schema]
    ['string', 'date32[day]', 'decimal128(10, 2)']
    >>> table["code"].to_pylist()
    ['007', '112']
    """
    import pyarrow as pa

    source = _source(path)
    schema = _schema(source, types)
    batches = (_typed(part, schema) for part in source.parts())
    with closing(batches):
        yield pa.RecordBatchReader.from_batches(schema, batches)


def columns(path: Path, types: Mapping[str, str]) -> dict[str, str]:
    r"""Return the Ibis type of each column that `read_rows` gives; the errors are its, too.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "shops.csv")
    >>> _ = path.write_text("code;rate\n007;0.5\n")
    >>> columns(path, {})
    {'code': 'string', 'rate': 'float64'}
    """
    import ibis

    schema = ibis.Schema.from_pyarrow(_schema(_source(path), types))
    return {name: str(dtype) for name, dtype in schema.items()}


@dataclass(frozen=True, slots=True)
class _Part:
    """Some rows of a file; `lines` holds the line on which each begins, where the file has lines."""

    rows: pa.RecordBatch
    lines: Sequence[int] | None = None


@dataclass(frozen=True, slots=True)
class _Text:
    """A file of separated values; its parts hold texts, with NULL for an empty field."""

    path: Path
    delimiter: str
    names: tuple[str, ...]

    def fields(self) -> dict[str, pa.DataType | None]:
        """Return the columns, whose types the values tell."""
        return dict.fromkeys(self.names)

    def parts(self) -> Iterator[_Part]:
        """Yield the records below the header, each checked for its quotes and its number of values."""
        with _opened(self.path) as file:
            _, line = _header(file, self.path, self.delimiter)
            lines: list[str] = []
            while text := file.read(_PIECE):
                text += file.readline()
                if not lines and (rows := self._plain(text)) is not None:
                    yield _Part(rows, range(line, line + rows.num_rows))
                    line += rows.num_rows
                    continue
                lines += io.StringIO(text, newline="")
                starts, whole = self._split(lines, line)
                if starts:
                    yield _Part(self._parsed("".join(lines[:whole])), starts)
                line += whole
                del lines[:whole]
            if lines:
                raise _unsplittable(Location(self.path, line))

    def _plain(self, text: str) -> pa.RecordBatch | None:
        """Return the rows of a text without quotes whose lines are one record each; None for any other text."""
        import pyarrow as pa

        if '"' in text or not text.strip() or text.count("\r") != text.count("\r\n") or len(text) > _LONGEST_VALUE:
            return None
        try:
            rows = self._parsed(text)
        except pa.ArrowInvalid:
            return None  # It is ragged, and `_split` tells where.
        return rows if rows.num_rows == text.count("\n") + (not text.endswith("\n")) else None

    def _split(self, lines: Sequence[str], first: int) -> tuple[list[int], int]:
        """Return the line on which each record begins, and how many of the lines hold whole records."""
        reader = csv.reader(lines, delimiter=self.delimiter, strict=True)
        starts, whole = list[int](), 0
        try:
            for record in reader:
                if record:
                    starts.append(first + whole)
                    if len(record) != len(self.names):
                        raise self._ragged(first + whole, len(record))
                whole = reader.line_num
        except csv.Error as error:
            if reader.line_num < len(lines):  # Else the record may go on in lines yet unread.
                raise _unsplittable(Location(self.path, first + whole)) from error
        return starts, whole

    def _parsed(self, text: str) -> pa.RecordBatch:
        import pyarrow as pa
        from pyarrow import csv as pa_csv

        data = text.encode()
        table = pa_csv.read_csv(
            pa.BufferReader(data),
            # One block: Arrow drops the "\n" of a quoted "\r\n" that two blocks share.
            read_options=pa_csv.ReadOptions(column_names=self.names, block_size=len(data) + 1, use_threads=False),
            parse_options=pa_csv.ParseOptions(delimiter=self.delimiter, newlines_in_values=True),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(self.names, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
        return table.combine_chunks().to_batches()[0]

    def _ragged(self, line: int, found: int) -> BadSeed:
        few = found < len(self.names)
        return BadSeed(
            f'the number of values is "{found}", and that of columns "{len(self.names)}"',
            at=Location(self.path, line),
            hint="end each missing value with a separator" if few else f'quote a value that holds "{self.delimiter}"',
        )


@dataclass(frozen=True, slots=True)
class _Parquet:
    """A Parquet file; its parts hold values of the file's own types."""

    path: Path

    def fields(self) -> dict[str, pa.DataType | None]:
        """Return the type of each column; a dictionary's is that of its values."""
        import pyarrow as pa
        from pyarrow import parquet

        with _translated(self.path), self.path.open("rb") as file:
            schema = parquet.read_schema(file)
        _names(schema.names, Location(self.path))
        types = (type_.value_type if pa.types.is_dictionary(type_) else type_ for type_ in schema.types)
        return dict(zip(schema.names, types, strict=True))

    def parts(self) -> Iterator[_Part]:
        """Yield the rows in batches."""
        from pyarrow import parquet

        with _translated(self.path), self.path.open("rb") as file:
            for batch in parquet.ParquetFile(file).iter_batches():
                yield _Part(batch)


def _source(path: Path) -> _Text | _Parquet:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _Parquet(path)
    if suffix not in (".csv", ".tsv"):
        raise BadSeed(f'"{path.suffix}" is no format of a seed', at=Location(path), hint="use .csv, .tsv or .parquet")
    with _opened(path) as file:
        first = next((line for line in file if line.strip()), "")
    delimiter = "\t" if suffix == ".tsv" else _delimiter(first)
    with _opened(path) as file:
        header, line = _header(file, path, delimiter)
    return _Text(path, delimiter, _names(header, Location(path, line - 1)))


def _delimiter(header: str) -> str:
    """Return the character that separates the names of a header; a comma where nothing does.

    Examples
    --------
    >>> _delimiter('id;"street, number";city')
    ';'
    >>> _delimiter("id")
    ','
    """
    bare = re.sub(r'"[^"]*"', "", header)
    return max(_DELIMITERS, key=bare.count)


def _names(header: Iterable[str], at: Location) -> tuple[str, ...]:
    """Return the names of the columns, without the spaces around them; each is there, and there once."""
    names = tuple(name.strip() for name in header)
    if not names:
        raise BadSeed("the file is empty", at=Location(at.path), hint="name the columns in the first line")
    seen: set[str] = set()
    for number, name in enumerate(names, start=1):
        if not name:
            raise BadSeed(f'column "{number}" has no name', at=at, hint="name each column in the first line")
        if name.casefold() in seen:
            hint = "give each column a name of its own; upper and lower case do not tell names apart"
            raise BadSeed(f'the column "{name}" stands here twice', at=at, hint=hint)
        seen.add(name.casefold())
    return names


def _header(file: TextIO, path: Path, delimiter: str) -> tuple[list[str], int]:
    """Read a file's first record; return it, empty where there is none, and the number of the line below it."""
    csv.field_size_limit(_LONGEST_VALUE)  # Python keeps one limit for the whole process, and a low one.
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    try:
        record = next(filter(None, reader), [])
    except csv.Error as error:
        raise _unsplittable(Location(path, 1)) from error
    return record, reader.line_num + 1


def _unsplittable(at: Location) -> BadSeed:
    hint = 'put a quote at both ends of a quoted value, and write a quote inside of it as ""'
    return BadSeed("a quote in the row is missing or out of place", at=at, hint=hint)


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    with _translated(path), path.open(encoding="utf-8-sig", newline="") as file:
        yield file


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turn what opening, decoding and Arrow say of a file into `BadSeed`."""
    import pyarrow as pa

    try:
        yield
    except UnicodeDecodeError as error:
        byte = f"0x{error.object[error.start]:02x}"
        at = Location(path, _undecodable_line(path))
        raise BadSeed(f'byte "{byte}" is not UTF-8', at=at, hint="save the file as UTF-8") from error
    except OSError as error:
        raise BadSeed(f'cannot read the file: "{error.strerror or error}"', at=Location(path)) from error
    except pa.ArrowInvalid as error:
        raise BadSeed(f'the file is no Parquet: "{error}"', at=Location(path)) from error


def _undecodable_line(path: Path) -> int | None:
    with path.open("rb") as file:
        return next((number for number, line in enumerate(file, start=1) if not _is_utf8(line)), None)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _schema(source: _Text | _Parquet, types: Mapping[str, str]) -> pa.Schema:
    """Return the type of each column, having read the whole file for it.

    Raises
    ------
    BadSeed
        A row is unsound, or a value is not of the type that `types` gives its column.
    """
    import pyarrow as pa

    known = source.fields()
    known.update(_declared(types, known, source.path))
    candidates: dict[str, tuple[str, ...] | None] = {name: None for name, type_ in known.items() if type_ is None}
    for part in source.parts():
        for name, type_ in known.items():
            column = part.rows.column(name)
            if type_ is None:
                candidates[name] = _narrowed(candidates[name], column)
            elif not _is_castable(column, type_):
                raise _bad_value(part, name, type_, types[name], source.path)
    found = {name: _arrow_type(left[0] if left else "string") for name, left in candidates.items()}
    return pa.schema([(name, found.get(name, type_)) for name, type_ in known.items()])


def _declared(types: Mapping[str, str], names: Iterable[str], path: Path) -> dict[str, pa.DataType]:
    """Return the Arrow type of each column that `types` names."""
    declared = {}
    for name, text in types.items():
        if name not in names:
            message = f'a type is declared for "{name}", which is not a column of the file'
            raise MissingColumn(message, at=Location(path), hint=hint_from(name, names, "columns"))
        if not _is_readable(text):
            message = f'the type of the column "{name}" is "{text}"'
            hint = nearest(text, _TYPES) or f"use one of: {', '.join(_TYPES)}"
            raise BadValue(message, at=Location(path), hint=hint)
        declared[name] = _arrow_type(text)
    return declared


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


def _arrow_type(text: str) -> pa.DataType:
    import ibis
    import pyarrow as pa

    dtype = ibis.dtype(text)
    if dtype.is_uuid():
        return pa.uuid()
    return pa.json_(pa.string()) if dtype.is_json() else dtype.to_pyarrow()


def _narrowed(candidates: tuple[str, ...] | None, column: pa.StringArray) -> tuple[str, ...] | None:
    """Return those of the candidates that hold all values, narrowest first; None before the first value."""
    if candidates == ():
        return candidates
    values = _bare(column)
    if values.null_count == len(values):
        return candidates
    left: list[str] = []
    for name in PATTERNS if candidates is None else candidates:
        if _NARROWER.get(name) in left or _holds(name, values):
            left.append(name)
    return tuple(left)


def _holds(name: str, values: pa.StringArray) -> bool:
    import pyarrow as pa
    from pyarrow import compute

    matches = compute.match_substring_regex(values, PATTERNS[name])
    if not compute.all(matches, min_count=0).as_py():
        return False
    try:
        values.cast(_arrow_type(name))
    except pa.ArrowException:
        return False
    return True


def _typed(part: _Part, schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    return pa.record_batch([_cast(part.rows.column(field.name), field.type) for field in schema], schema=schema)


def _cast(column: pa.Array, type_: pa.DataType) -> pa.Array:
    import pyarrow as pa

    if column.type == type_:
        return column
    if isinstance(type_, pa.BaseExtensionType):
        return _extended(_bare(column), type_)
    try:
        return column.cast(type_)
    except pa.ArrowInvalid:
        if not pa.types.is_string(column.type):
            raise
        return _bare(column).cast(type_)  # Spaces around a value, or an empty text; else it is refused again.


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


def _is_castable(column: pa.Array, type_: pa.DataType) -> bool:
    import pyarrow as pa

    try:
        _cast(column, type_)
    except pa.ArrowException:
        return False
    return True


def _bare(texts: pa.StringArray) -> pa.StringArray:
    """Strip spaces, and let NULL stand for an empty text: what every type but text does."""
    import pyarrow as pa
    from pyarrow import compute

    stripped = compute.utf8_trim_whitespace(texts)
    return compute.if_else(compute.equal(stripped, ""), pa.scalar(None, pa.string()), stripped)


def _bad_value(part: _Part, name: str, type_: pa.DataType, declared: str, path: Path) -> BadSeed:
    """Return the error for the first value of a column that cannot be cast."""
    column = part.rows.column(name)
    row = next(row for row in range(len(column)) if not _is_castable(column.slice(row, 1), type_))
    return BadSeed(
        f'"{column[row]}" in the column "{name}" is not of the type "{declared}"',
        at=Location(path, part.lines[row] if part.lines else None),
        hint="correct the value, or declare another type",
    )
