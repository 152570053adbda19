"""The rows of a seed's file, as a stream of Arrow batches that is the same for every engine.

A file's types are those that all of its values have. Nearly always its first rows tell them, so `streamed` gives an
engine these while it reads on; an engine's write is whole or not at all, and what is wrong with a later row undoes it.
Where a later row has another type, `open_seed` is what is left: it reads the whole file before it gives a row. What was
read of a text file is kept aside meanwhile, as values of the types that are known so far; only where a column turns
out to be text after all is the file read once more.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fastflowtransform.errors import BadSeed, FftError, Location
from fastflowtransform.results import Column
from fastflowtransform.seed_files.json_lines import JsonLines
from fastflowtransform.seed_files.opening import ENDINGS, Fingerprint, Part, ending_of, fingerprint
from fastflowtransform.seed_files.parquet import Parquet
from fastflowtransform.seed_files.separated import Separated, headed
from fastflowtransform.seed_files.stow import Stow, ahead
from fastflowtransform.seed_files.types import (
    Candidates,
    arrow_type,
    cast,
    declared_types,
    ibis_name,
    require_columns,
    typed,
)

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "ENDINGS",
    "Fingerprint",
    "Opened",
    "OtherTypes",
    "columns",
    "described",
    "fingerprint",
    "first_types",
    "open_seed",
    "read_rows",
    "streamed",
]

DECLARED, ALL_VALUES, NO_VALUES, OF_FILE = "declared", "all values", "no values", "the file's own"
SEVERAL_KINDS = "values of several kinds"
_SHOWN = 40
"""Characters of a value that are shown as a reason."""

_Source = Separated | JsonLines | Parquet


class OtherTypes(Exception):
    """The first rows of a file did not tell the types of its columns."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A file's rows, in its order, which can be read once.

    Parameters
    ----------
    rows
        The rows.
    columns
        Returns the columns, each with the reason for its type; called once all rows were read.
    """

    rows: pa.RecordBatchReader
    columns: Callable[[], tuple[Column, ...]]


@contextmanager
def streamed(path: Path, types: Mapping[str, str], known: Fingerprint) -> Iterator[Opened]:
    """Open a seed file and give its rows while it is read, in the types that the first of them have.

    Raises
    ------
    OtherTypes
        A later row has another type; for this, and for the errors of `open_seed`, rows may have been given before.
    """
    import pyarrow as pa

    source = _source(path)
    finding = _Finding(source, types)
    failures: list[FftError | OtherTypes] = []
    with closing(_read_on(source, finding, known, failures)) as batches:
        first = next(batches)
        reader = pa.RecordBatchReader.from_batches(first.schema, itertools.chain([first], batches))
        try:
            yield Opened(reader, finding.columns)
        except (FftError, pa.ArrowException, OSError):
            # An engine can only say that its rows ended in an error.
            if failures:
                raise failures[0] from None
            raise


def _read_on(
    source: _Source, finding: _Finding, known: Fingerprint, failures: list[FftError | OtherTypes]
) -> Generator[pa.RecordBatch]:
    """Yield the rows of a file, after the first of them none in other types; an error is noted, too."""
    import pyarrow as pa

    def taken() -> Iterator[pa.RecordBatch]:
        schema = None
        for part in source.parts():
            rows = finding.take(part)
            schema = schema or finding.schema()
            if finding.schema() != schema:
                raise OtherTypes
            yield typed(rows, schema)
        finding.end()
        if schema is None:
            yield pa.RecordBatch.from_pylist([], schema=finding.schema())
        elif finding.schema() != schema:
            raise OtherTypes
        known.require_same(source.path)

    try:
        yield from ahead(taken())
    except (FftError, OtherTypes) as failure:
        failures.append(failure)
        raise


@contextmanager
def open_seed(path: Path, types: Mapping[str, str], known: Fingerprint | None = None) -> Iterator[Opened]:
    r"""Open a seed file, read it for its columns, and give its rows, a few megabytes at a time.

    In a `.csv` file the columns are separated by whichever of comma, semicolon, tab and bar stands most often in the
    header, in a `.tsv` file by tabs. The first line is the header; blank lines are skipped. An empty field is NULL, a
    quoted one (`""`) an empty text, or NULL in a column that holds no texts. In a `.jsonl` or `.ndjson` file, each line
    is an object. All of these may be compressed, and end in `.gz` too. Of a column without a type in `types`, the
    values decide: it is text unless all of them are of one other type.

    Parameters
    ----------
    path
        A file with one of `ENDINGS`.
    types
        Ibis types by column, such as `{"price": "decimal(10, 2)"}`; may be empty.
    known
        The file's fingerprint, where it has to be the same still when all of it was read.

    Yields
    ------
    Opened
        After the `with` block it gives no more rows.

    Raises
    ------
    BadSeed
        The file cannot be read, is empty, ragged, not UTF-8, no JSON or no Parquet, holds a value that is not of its
        type, or was written to meanwhile.
    BadValue
        A type in `types` is none of a boolean, number, text, date or timestamp.
    MissingColumn
        `types` names a column that the file does not have.
    """
    import pyarrow as pa

    source = _source(path)
    with closing(Stow()) as stow:
        finding = _read(source, _Finding(source, types), stow)
        if known is not None:
            known.require_same(path)
        schema = finding.schema()
        if finding.is_kept:
            parts, known = stow.batches(), None
        else:
            parts = (part.rows for part in source.parts())
        with closing(_values(parts, schema, path, known)) as batches:
            yield Opened(pa.RecordBatchReader.from_batches(schema, batches), finding.columns)


@contextmanager
def read_rows(path: Path, types: Mapping[str, str]) -> Iterator[pa.RecordBatchReader]:
    r"""Open a seed file as `open_seed` does, and give its rows.

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
    with open_seed(path, types) as found:
        yield found.rows


def described(path: Path, types: Mapping[str, str]) -> tuple[Column, ...]:
    r"""Return the columns of a seed file, each with the reason for its type; the errors are those of `open_seed`.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "shops.csv")
    >>> _ = path.write_text("code,rate\n112,0.5\n007,0.25\n")
    >>> for column in described(path, {}):
    ...     print(column.name, column.type, "-", column.why)
    code string - line 3 holds "007"
    rate float64 - all values
    """
    source = _source(path)
    return _read(source, _Finding(source, types), None).columns()


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
    return {column.name: column.type for column in described(path, types)}


def first_types(path: Path, types: Mapping[str, str]) -> dict[str, str]:
    r"""Return the Ibis type of each column as the first rows of a file tell it; the errors are those of `open_seed`.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "shops.csv")
    >>> _ = path.write_text("code;rate\n007;0.5\n")
    >>> first_types(path, {"rate": "decimal(5, 2)"})
    {'code': 'string', 'rate': 'decimal(5, 2)'}
    """
    source = _source(path)
    finding = _Finding(source, types)
    for part in itertools.islice(source.parts(), 1):
        finding.take(part)
    return {column.name: column.type for column in finding.columns()}


def _source(path: Path) -> _Source:
    match ending_of(path):
        case ".parquet":
            return Parquet(path)
        case ".csv" | ".tsv":
            return headed(path)
        case ".jsonl" | ".ndjson":
            return JsonLines(path)
    hint = "use .csv, .tsv, .jsonl, .ndjson or .parquet"
    raise BadSeed(f'"{path.suffix}" is no format of a seed', at=Location(path), hint=hint)


def _values(
    parts: Iterator[pa.RecordBatch], schema: pa.Schema, path: Path, known: Fingerprint | None
) -> Generator[pa.RecordBatch]:
    yield from ahead(typed(rows, schema) for rows in parts)
    if known is not None:
        known.require_same(path)


def _read(source: _Source, finding: _Finding, stow: Stow | None) -> _Finding:
    """Read a whole file for its columns; its rows go to `stow`."""
    for part in ahead(source.parts()):
        rows = finding.take(part)
        if stow is not None and finding.is_kept:
            stow.put(rows)
    finding.end()
    return finding


class _Finding:
    """What is known of a file's columns, part by part.

    Raises
    ------
    BadValue, MissingColumn
        A type is declared that is none, or for a column that is not there.
    """

    def __init__(self, source: _Source, types: Mapping[str, str]) -> None:
        self._path = source.path
        # Upper and lower case do not tell the columns of a file apart.
        self._declared = {name.casefold(): text for name, text in types.items()}
        self._types = {name.casefold(): dtype for name, dtype in declared_types(types, source.path).items()}
        self._names = tuple(types)
        self._own = source.fields()
        if self._own is not None:
            require_columns(types, self._own, source.path)
        self._candidates = {name: Candidates() for name in self._own or ()}
        self._ends: dict[str, str] = {}
        self.is_kept = not isinstance(source, Parquet)
        """Whether all rows that were taken up can be had again without reading the file."""

    def take(self, part: Part) -> pa.RecordBatch:
        """Take some rows up, and return them in the types that are known so far.

        Raises
        ------
        BadSeed
            A value is not of the type that is declared for its column.
        """
        import pyarrow as pa

        names = part.rows.schema.names
        return pa.record_batch([self._taken(name, part) for name in names], names=names)

    def _taken(self, name: str, part: Part) -> pa.Array:
        import pyarrow as pa

        before, column = self._candidates.setdefault(name, Candidates()), part.rows.column(name)
        if self._of_file(name) is not None and name.casefold() not in self._types:
            return column
        if name.casefold() in self._types:
            try:
                return cast(column, self._types[name.casefold()])
            except pa.ArrowException as error:
                raise self._bad_value(part, name) from error
        now, values = before.narrowed(column, part.allowed.get(name))
        self._candidates[name] = now
        if now.left == () != before.left:
            self._ends[name] = _end(now, part)
            # What was a number, say, cannot be given back as it was written.
            self.is_kept = self.is_kept and before.left in (None, ("json",))
        return values

    def _bad_value(self, part: Part, name: str) -> BadSeed:
        """Return the error for the first value of a column that cannot be cast."""
        import pyarrow as pa

        column, row = part.rows.column(name), 0
        with contextlib.suppress(pa.ArrowException):
            for row in range(len(column)):
                cast(column.slice(row, 1), self._types[name.casefold()])
        return BadSeed(
            f'"{column[row]}" in the column "{name}" is not of the type "{self._declared[name.casefold()]}"',
            at=Location(self._path, part.lines[row] if part.lines else None),
            hint="correct the value, or declare another type",
        )

    def end(self) -> None:
        """Take the end of the file up; it is known only now which columns a file of JSON has."""
        require_columns(self._names, self._candidates, self._path)

    def schema(self) -> pa.Schema:
        """Return the types as Arrow has them."""
        import pyarrow as pa

        fields = []
        for name, candidates in self._candidates.items():
            known = self._types.get(name.casefold()) or self._of_file(name)
            fields.append((name, known or arrow_type(candidates.type)))
        return pa.schema(fields)

    def columns(self) -> tuple[Column, ...]:
        """Return the columns, and why they have their types."""
        return tuple(self._columns())

    def _columns(self) -> Iterator[Column]:
        for field in self.schema():
            left = self._candidates[field.name].left
            if field.name.casefold() in self._types:
                why = DECLARED
            elif self._of_file(field.name) is not None:
                why = OF_FILE
            else:
                why = NO_VALUES if left is None else ALL_VALUES if left else self._ends[field.name]
            yield Column(field.name, ibis_name(field.type), why)

    def _of_file(self, name: str) -> pa.DataType | None:
        return None if self._own is None else self._own[name]


def _end(candidates: Candidates, part: Part) -> str:
    """Return why a column can only be text."""
    if candidates.ended is None:
        return SEVERAL_KINDS
    row, value = candidates.ended
    shown = value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…"
    where = f"line {part.lines[row]}" if part.lines else "it"
    return f'{where} holds "{shown}"'
