"""The rows of a seed file, as a stream of Arrow batches that is the same for every engine.

A file is read twice in pieces of a few megabytes: once to see that all of it is sound and to find the columns' types,
and once for the rows. So whatever is wrong with it is said before an engine is given the first row. Python's `csv`
decides where a record ends and Arrow what a value is; DuckDB's reader was tried for both, and is not used because
on 1.5.6 it loses rows behind an open quote, splits quoted line breaks when it reads in parallel, and holds the whole
file in memory when it does not. One type is taken for a column only if each of its values survives it.
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
_PIECE = 1 << 20  # characters of text, or somewhat more, since a piece ends where a record does
_LONGEST_VALUE = 1 << 25  # characters; an open quote in a large file is noticed when this is reached

_DATE = r"\d{4}-\d\d-\d\d"
_TIME = r"\d\d:\d\d(:\d\d(\.\d{1,6})?)?"
# What a text must look like to be taken for a type, from the narrowest type on. A leading zero or plus makes an
# identifier of a number, and more digits than a type can hold make it another type's.
_PATTERNS = {
    "boolean": r"(?i)^(true|false)$",
    "int64": r"^(0|-?[1-9]\d{0,18})$",
    "decimal(38, 0)": r"^(0|-?[1-9]\d{0,37})$",
    "float64": r"^-?((0|[1-9]\d{0,14})(\.\d*)?|\.\d+)([eE][-+]?\d{1,2})?$",
    "date": rf"^{_DATE}$",
    "timestamp": rf"^{_DATE}([ T]{_TIME})?$",
    "timestamp('UTC')": rf"^{_DATE}[ T]{_TIME}(Z|[-+]\d\d(:?\d\d)?)$",
}
_TYPES = ("boolean", "date", "decimal(18, 2)", "float64", "int32", "int64", "string", "timestamp", "timestamp('UTC')")


@contextmanager
def read_rows(path: Path, types: Mapping[str, str]) -> Iterator[pa.RecordBatchReader]:
    """Open a seed file and give its rows, a few megabytes at a time.

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
        All rows in the file's order. It ends with the `with` block.

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
    >>> _ = path.write_text("code,opened,sales\\n007,2024-01-31,12\\n112,,\\n")
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
    batches = (_typed(part, schema, source.path) for part in source.parts())
    with closing(batches), pa.RecordBatchReader.from_batches(schema, batches) as reader:
        yield reader


def columns(path: Path, types: Mapping[str, str]) -> dict[str, str]:
    """Return the Ibis type of each column that `read_rows` gives; the errors are its, too.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "shops.csv")
    >>> _ = path.write_text("code;rate\\n007;0.5\\n")
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

    def parts(self) -> Iterator[_Part]:
        """Yield the records below the header, each checked for its number of values."""
        text, lines = io.StringIO(newline=""), list[int]()
        records = _records(self.path, self.delimiter, text)
        next(records)
        _clear(text)
        for line, record in records:
            if len(record) != len(self.names):
                raise self._ragged(line, len(record))
            lines.append(line)
            if text.tell() >= _PIECE:
                yield _Part(self._parsed(text.getvalue()), lines)
                _clear(text)
                lines = []
        if lines:
            yield _Part(self._parsed(text.getvalue()), lines)

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
            f'the row has "{found}" values, and the header names "{len(self.names)}" columns',
            at=Location(self.path, line),
            hint="end each missing value with a separator" if few else f'quote a value that holds "{self.delimiter}"',
        )


@dataclass(frozen=True, slots=True)
class _Parquet:
    """A Parquet file; its parts hold values of the file's own types."""

    path: Path

    def schema(self) -> pa.Schema:
        """Return names and types; a dictionary's type is that of its values."""
        import pyarrow as pa
        from pyarrow import parquet

        with _translated(self.path):
            schema = parquet.read_schema(self.path)
        return pa.schema(
            pa.field(field.name, field.type.value_type if pa.types.is_dictionary(field.type) else field.type)
            for field in schema
        )

    def parts(self) -> Iterator[_Part]:
        """Yield the rows in batches."""
        from pyarrow import parquet

        with _translated(self.path), parquet.ParquetFile(self.path) as file:
            for batch in file.iter_batches():
                yield _Part(batch)


def _source(path: Path) -> _Text | _Parquet:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _Parquet(path)
    if suffix not in (".csv", ".tsv"):
        raise BadSeed(f'"{path.suffix}" is no format of a seed', at=Location(path), hint="use .csv, .tsv or .parquet")
    with _opened(path) as file:
        header = next((line for line in file if line.strip()), "")
    delimiter = "\t" if suffix == ".tsv" else _delimiter(header)
    line, names = next(_records(path, delimiter, io.StringIO()), (1, []))
    return _Text(path, delimiter, _names(names, Location(path, line)))


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


def _records(path: Path, delimiter: str, copy: TextIO) -> Iterator[tuple[int, list[str]]]:
    """Yield each record that is not blank, with the line on which it begins, once its text is written to `copy`."""
    csv.field_size_limit(_LONGEST_VALUE)  # Python keeps one limit for the whole process, and a low one.
    line = 1
    with _opened(path) as file:
        reader = csv.reader(_copied(file, copy), delimiter=delimiter, strict=True)
        try:
            for record in reader:
                if record:
                    yield line, record
                line = reader.line_num + 1
        except csv.Error as error:
            hint = 'is a quote missing its end? inside of a quoted value, write a quote as ""'
            raise BadSeed(f'the row has no end: "{error}"', at=Location(path, line), hint=hint) from error


def _copied(lines: Iterable[str], copy: TextIO) -> Iterator[str]:
    for line in lines:
        copy.write(line)
        yield line


def _clear(text: io.StringIO) -> None:
    text.seek(0)
    text.truncate()


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
        A value is not of the type that `types` gives its column, or a row is unsound.
    """
    import pyarrow as pa

    if isinstance(source, _Parquet):
        known = {field.name: field.type for field in source.schema()}
        undecided: dict[str, tuple[str, ...] | None] = {}
    else:
        known = {}
        undecided = {name: None for name in source.names if name not in types}
    names = list(known) if isinstance(source, _Parquet) else list(source.names)
    declared = _declared(types, names, source.path)
    if isinstance(source, _Text) or declared:
        for part in source.parts():
            _typed(part, declared, source.path)
            for name, candidates in undecided.items():
                undecided[name] = _narrowed(candidates, _bare(part.rows.column(name)))
    found = {name: _arrow_type((candidates or ("string",))[0]) for name, candidates in undecided.items()}
    return pa.schema([(name, {**known, **found, **{f.name: f.type for f in declared}}[name]) for name in names])
