"""The rows of a Parquet file, in the file's own types."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fastflowtransform.errors import Location
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
        types = (type_.value_type if pa.types.is_dictionary(type_) else type_ for type_ in schema.types)
        return dict(zip(names, types, strict=True))

    def parts(self) -> Iterator[Part]:
        """Yield the rows in batches."""
        from pyarrow import parquet

        with translated(self.path), self.path.open("rb") as file:
            for batch in parquet.ParquetFile(file).iter_batches():
                yield Part(batch)
