"""A seed's file as bytes, plain or compressed, its errors in our words, and whether it is still the same."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, BinaryIO

from fastflowtransform.errors import BadSeed, Location

if TYPE_CHECKING:
    import pyarrow as pa

PLAIN_ENDINGS = (".csv", ".tsv", ".jsonl", ".ndjson")
ENDINGS = (*PLAIN_ENDINGS, *(f"{ending}.gz" for ending in PLAIN_ENDINGS), ".parquet")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_RULES = "1"
"""Changes with what is made of the same file, so that tables of an older fft are loaded once more."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of a file.

    Parameters
    ----------
    rows
        The rows; values of a text file are texts, with NULL for an empty field.
    lines
        The line on which each row begins, where the file has lines.
    allowed
        By column, the only types that the file's own spelling of the values leaves to be found.
    """

    rows: pa.RecordBatch
    lines: Sequence[int] | None = None
    allowed: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What tells a file from any other, and from itself at another time.

    Parameters
    ----------
    text
        A hash of the content, and of the types that are declared for it.
    state
        What the file system notes of it; another one after each write.
    """

    text: str
    state: tuple[int, ...]

    def require_same(self, path: Path) -> None:
        """Raise `BadSeed` where the file was written to since."""
        with translated(path):
            if _state(path) != self.state:
                hint = "seed again when nothing writes to the file"
                raise BadSeed("the file changed while it was read", at=Location(path), hint=hint)


def fingerprint(path: Path, types: Mapping[str, str]) -> Fingerprint:
    """Read a file for its fingerprint; the errors are those of opening it."""
    with translated(path):
        state = _state(path)
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256")
    content.update(json.dumps([_RULES, path.name.partition(".")[2], sorted(types.items())]).encode())
    return Fingerprint(content.hexdigest(), state)


def _state(path: Path) -> tuple[int, ...]:
    found = path.stat()
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def ending_of(path: Path) -> str:
    """Return how a file's name ends, less what says that it is compressed."""
    name = path.name.lower()
    return Path(name.removesuffix(".gz") if name.endswith(ENDINGS) else name).suffix


def column_names(header: Iterable[str], at: Location) -> tuple[str, ...]:
    """Return the names of the columns; each is there, and there once, whatever its case."""
    names = tuple(header)
    seen: set[str] = set()
    for number, name in enumerate(names, start=1):
        if not name:
            raise BadSeed(f'column "{number}" has no name', at=at, hint="give each column a name")
        if name.casefold() in seen:
            hint = "give each column a name of its own; upper and lower case do not tell names apart"
            raise BadSeed(f'the column "{name}" stands here twice', at=at, hint=hint)
        seen.add(name.casefold())
    return names


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO | gzip.GzipFile]:
    """Open a text file behind its byte order mark, uncompressed."""
    with translated(path), _content(path) as file:
        if file.read(len(_BYTE_ORDER_MARK)) != _BYTE_ORDER_MARK:
            file.seek(0)
        yield file


def _content(path: Path) -> BinaryIO | gzip.GzipFile:
    return gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb")


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what opening, decoding and Arrow say of a file into `BadSeed`."""
    import pyarrow as pa

    try:
        yield
    except UnicodeDecodeError as error:
        byte = f"0x{error.object[error.start]:02x}"
        at = Location(path, _undecodable_line(path))
        raise BadSeed(f'byte "{byte}" is not UTF-8', at=at, hint="save the file as UTF-8") from error
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        hint = "compress it again, or take the file that is not compressed"
        raise BadSeed(f'the file is no whole gzip: "{error}"', at=Location(path), hint=hint) from error
    except OSError as error:
        raise BadSeed(f'cannot read the file: "{error.strerror or error}"', at=Location(path)) from error
    except pa.ArrowInvalid as error:
        raise BadSeed(f'the file is no Parquet: "{error}"', at=Location(path)) from error


def require_no_nul(data: bytes, path: Path) -> None:
    """Raise `BadSeed` where a part of a text file holds a NUL character, which is no text on PostgreSQL."""
    if b"\0" not in data:
        return
    with _content(path) as file:
        for number, line in enumerate(file, start=1):
            line.decode()  # A file in another encoding is full of them, and that is what to say of it.
            if b"\0" in line:
                raise BadSeed("the line holds a NUL character", at=Location(path, number), hint="take it away")


def _undecodable_line(path: Path) -> int | None:
    with _content(path) as file:
        return next((number for number, line in enumerate(file, start=1) if not _is_utf8(line)), None)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
