"""The rows of a file of separated values.

Arrow splits the records. Where one ends is decided by Python's `csv`, unless there are no quotes but at the ends of
values, and each line is one record.

DuckDB's CSV reader is faster. It is not used because 1.5.6 in parallel refuses large files with quoted line breaks, and
otherwise drops what stands behind an open quote without a word and needs memory that grows with the file.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from fastflowtransform.errors import BadSeed, Location
from fastflowtransform.seed_files.opening import Part, column_names, ending_of, opened, require_no_nul

if TYPE_CHECKING:
    import gzip

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

_DELIMITERS = ",;\t|"
_PIECE = 1 << 21  # bytes to take up at a time, to the end of a line
_LONGEST_VALUE = 1 << 24  # characters; an open quote in a large file is noticed when this is reached


@dataclass(frozen=True, slots=True)
class Separated:
    """A file whose first record holds the names of its columns, and what separates these."""

    path: Path
    delimiter: str
    names: tuple[str, ...]

    def fields(self) -> dict[str, pa.DataType | None]:
        """Return the columns, whose types the values tell."""
        return dict.fromkeys(self.names)

    def parts(self) -> Iterator[Part]:
        """Yield the records below the header, each checked for its quotes and its number of values."""
        with opened(self.path) as file:
            pieces = _pieces(file, self.path)
            _, line, rest = _header(pieces, self.path, self.delimiter)
            lines: list[str] = []
            for piece in itertools.chain([rest] if rest else [], pieces):
                if not lines and (rows := self._plain(piece)) is not None:
                    yield Part(rows, range(line, line + rows.num_rows))
                    line += rows.num_rows
                    continue
                lines += _lines(piece)
                starts, whole = self._split(lines, line)
                if starts:
                    yield Part(self._parsed("".join(lines[:whole]).encode()), starts)
                line += whole
                del lines[:whole]
            if lines:
                raise _unsplittable(Location(self.path, line))

    def _plain(self, data: bytes) -> pa.RecordBatch | None:
        """Return the rows of a text whose lines are one record each, and whose quotes are none inside of values.

        None for any other text.
        """
        import numpy as np
        import pyarrow as pa

        if data.isspace() or len(data) > _LONGEST_VALUE:
            return None
        if b"\r" in data and data.count(b"\r") != data.count(b"\r\n"):
            return None
        found = np.frombuffer(data, np.uint8)
        if b'"' in data and not _are_around_values(found, self.delimiter):
            return None
        try:
            rows = self._parsed(data)
        except pa.ArrowInvalid:
            return None  # It is ragged or not UTF-8, and the longer way tells where.
        # NumPy counts several times faster than `bytes`.
        ends = int(np.count_nonzero(found == ord("\n"))) + (not data.endswith(b"\n"))
        return rows if rows.num_rows == ends else None

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

    def _parsed(self, data: bytes) -> pa.RecordBatch:
        import pyarrow as pa
        from pyarrow import csv as pa_csv

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


def headed(path: Path) -> Separated:
    """Read the header of a file.

    Raises
    ------
    BadSeed
        There is none, or a column in it has no name, or that of another one.
    """
    with opened(path) as file:
        first = next((line for piece in _pieces(file, path) for line in _lines(piece) if line.strip()), "")
    delimiter = "\t" if ending_of(path) == ".tsv" else _delimiter(first)
    with opened(path) as file:
        header, line, _ = _header(_pieces(file, path), path, delimiter)
    if not header:
        raise BadSeed("the file is empty", at=Location(path), hint="name the columns in the first line")
    return Separated(path, delimiter, column_names((name.strip() for name in header), Location(path, line - 1)))


def _pieces(file: BinaryIO | gzip.GzipFile, path: Path) -> Iterator[bytes]:
    """Yield a file in pieces that end where a line does; a NUL character is an error."""
    rest = b""
    while more := file.read(max(_PIECE, len(rest))):
        require_no_nul(more, path)
        data = rest + more
        end = data.rfind(b"\n") + 1
        # A "\r" in the last place may be the half of a line's end.
        end = end or data.rfind(b"\r", 0, -1) + 1
        rest = data[end:]
        if end:
            yield data[:end]
    if rest:
        yield rest


def _are_around_values(data: npt.NDArray[np.uint8], delimiter: str) -> bool:
    """Whether each quote stands at one end of a value, and so each second one at its other end."""
    import numpy as np

    quotes = np.flatnonzero(data == ord('"'))
    first, last = quotes[::2], quotes[1::2]
    if len(first) != len(last):
        return False
    before, after = data[first - 1], data[np.minimum(last + 1, len(data) - 1)]
    begins = (first == 0) | (before == ord(delimiter)) | (before == ord("\n"))
    ends = (last == len(data) - 1) | (after == ord(delimiter)) | (after == ord("\n")) | (after == ord("\r"))
    return bool(begins.all() and ends.all())


def _lines(piece: bytes) -> Iterator[str]:
    return io.StringIO(piece.decode(), newline="")


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


def _header(pieces: Iterator[bytes], path: Path, delimiter: str) -> tuple[list[str], int, bytes]:
    """Read a file's first record.

    Returns
    -------
    tuple of list, int and bytes
        The record, empty where there is none; the number of the line below it; and what of the pieces is below it.
    """
    csv.field_size_limit(_LONGEST_VALUE)  # Python keeps one limit for the whole process, and a low one.
    lines: list[str] = []
    for piece in pieces:
        lines += _lines(piece)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        try:
            record = next(filter(None, reader), [])
        except csv.Error as error:
            if reader.line_num < len(lines):
                raise _unsplittable(Location(path, 1)) from error
            continue  # The record may go on in lines yet unread.
        if record:
            return record, reader.line_num + 1, "".join(lines[reader.line_num :]).encode()
    if any(line.strip("\r\n") for line in lines):
        raise _unsplittable(Location(path, 1))
    return [], 1, b""


def _unsplittable(at: Location) -> BadSeed:
    hint = 'put a quote at both ends of a quoted value, and write a quote inside of it as ""'
    return BadSeed("a quote in the row is missing or out of place", at=at, hint=hint)
