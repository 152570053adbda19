"""The rows of a Parquet file, in the file's own types."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fastflowtransform.errors import BadSeed, Location
from fastflowtransform.seed_files.opening import Part, column_names, translated

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Parquet:
    """A Parquet file."""

    path: Path

    def fields(self) -> dict[str, pa.DataType | None]:
        """Return the type of each column; a dictionary's is that of its values."""
        import pyarrow as pa
        from pyarrow import parquet

        with translated(self.path), self.path.open("rb") as file:
            schema = parquet.read_schema(file)
        names = column_names(schema.names, Location(self.path))
        if not names:
            raise BadSeed(
                "the file has no columns", at=Location(self.path), hint="write one with the columns of a table"
            )
        types = (type_.value_type if pa.types.is_dictionary(type_) else _held(type_) for type_ in schema.types)
        return dict(zip(names, types, strict=True))

    def parts(self) -> Iterator[Part]:
        """Yield the rows in batches."""
        import pyarrow as pa
        from pyarrow import parquet

        with translated(self.path), self.path.open("rb") as file:
            for batch in parquet.ParquetFile(file).iter_batches():
                columns = [column.cast(_held(column.type)) for column in batch.columns]
                yield Part(pa.RecordBatch.from_arrays(columns, batch.schema.names))


def _held(given: pa.DataType) -> pa.DataType:
    """Return the type that a column of a file has in a warehouse: bytes of any length, and numbers of 32 bits.

    Lists, structs and maps are left as they are; what an engine does not hold of them, it says itself.
    """
    import pyarrow as pa

    if pa.types.is_fixed_size_binary(given):
        return pa.binary()
    return pa.float32() if pa.types.is_float16(given) else given
