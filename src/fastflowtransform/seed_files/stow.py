"""Rows that are read once and needed twice: kept in memory while they are few, else in a file that nobody else sees."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, TypeVar

from fastflowtransform.errors import UnwritableFolder

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")
_IN_MEMORY = 1 << 24
"""Bytes of rows that are kept in memory."""
_AHEAD = 2
_END = object()


class Stow:
    """Batches of rows, in the order in which they came; their columns may change on the way."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._few: list[pa.RecordBatch] = []
        self._bytes = 0
        self._writer: pa.ipc.RecordBatchStreamWriter | None = None
        self._schema: pa.Schema | None = None
        self._streams = 0

    def put(self, rows: pa.RecordBatch) -> None:
        """Keep rows.

        Raises
        ------
        UnwritableFolder
            There is no room for them on the disk.
        """
        self._few.append(rows)
        self._bytes += rows.nbytes
        if self._bytes > _IN_MEMORY:
            try:
                for batch in self._few:
                    self._write(batch)
            except OSError as error:
                raise UnwritableFolder(
                    f'cannot keep the rows of a seed on the disk: "{error.strerror or error}"',
                    hint="make room there, or let TMPDIR name another folder",
                ) from error
            self._few = []

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows; called once, after the last were put."""
        import pyarrow as pa

        if self._file is not None and self._writer is not None:
            self._writer.close()
            self._file.seek(0)
            for _ in range(self._streams):
                yield from pa.ipc.open_stream(self._file)
        yield from self._few

    def close(self) -> None:
        """Give the rows up."""
        self._few = []
        if self._file is not None:
            self._file.close()

    def _write(self, rows: pa.RecordBatch) -> None:
        import pyarrow as pa

        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115
        if self._writer is None or rows.schema != self._schema:
            if self._writer is not None:
                self._writer.close()
            self._writer, self._schema = pa.ipc.new_stream(self._file, rows.schema), rows.schema
            self._streams += 1
        self._writer.write_batch(rows)


def ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield items, of which the next ones are made by a thread meanwhile."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as thread:
        coming = deque(thread.submit(next, items, _END) for _ in range(_AHEAD))
        while (item := coming.popleft().result()) is not _END:
            coming.append(thread.submit(next, items, _END))
            yield item  # type: ignore[misc]
