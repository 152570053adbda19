"""Tables of pandas, polars and Arrow as Arrow rows that a warehouse can hold: every value as it was, or an error.

One door for all three libraries, so that a type means the same whichever of them a model is written for.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from fastflowtransform.arrow_types import filled, plain_type, with_wide_decimals
from fastflowtransform.errors import WrongResult
from fastflowtransform.model import Frame, Model
from fastflowtransform.pandas_columns import columns_of, complaint, is_python

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    KnownType = Callable[[str], pa.DataType | None]
    """Returns the type that a column of a name had before, or is promised to have; None where nothing tells."""


def to_arrow(
    model: Model, frame: Frame, result: Any, known: KnownType, *, nanoseconds: bool = False, nul: bool = True
) -> pa.RecordBatchReader:
    """Return what a function gave as Arrow rows.

    Parameters
    ----------
    model
        Whose function it was.
    frame
        The library of `result`: pandas, polars or Arrow.
    result
        The table. A reader of Arrow batches is read to its end only where a column has to be converted.
    known
        Tells types of columns that have none of their own (no rows, or nothing but NULL), and of decimals of Python,
        which bring no precision. A column that it does not know either becomes text, or a `decimal(38, 9)`.
    nanoseconds, nul
        Whether the engine keeps them in timestamps, and the character NUL in texts.

    Raises
    ------
    WrongResult
        A column has a type, a mix of values or a value that the warehouse cannot hold as it is; or a pandas table has
        an index or labels that cannot become columns.
    """
    import pyarrow as pa

    column = _Columns(model, known, nanoseconds=nanoseconds, nul=nul)
    if frame is Frame.PANDAS:
        return _reader([(name, column.of_series(name, series)) for name, series in columns_of(model, result)])
    if frame is Frame.POLARS:
        result = _reader([(series.name, column.of_polars(series)) for series in result.get_columns()])
    wanted = [column.type_of(field.name, field.type) for field in result.schema]
    is_streamed = isinstance(result, pa.RecordBatchReader)
    if is_streamed and wanted == list(result.schema.types):
        return result
    table = result.read_all() if is_streamed else result
    given = zip(table.column_names, table.columns, wanted, strict=True)
    return _reader([(name, column.cast(name, values, dtype)) for name, values, dtype in given])


def _reader(columns: Sequence[tuple[str, pa.ChunkedArray]]) -> pa.RecordBatchReader:
    """Return columns as rows; two of one name are for others to refuse."""
    import pyarrow as pa

    schema = pa.schema([pa.field(name, values.type) for name, values in columns])
    return pa.Table.from_arrays([values for _, values in columns], schema=schema).to_reader()


class _Columns:
    """Converts the columns of one model's result, and names the one that cannot be."""

    def __init__(self, model: Model, known: KnownType, *, nanoseconds: bool, nul: bool) -> None:
        self._model, self._known, self._nanoseconds, self._nul = model, known, nanoseconds, nul

    def type_of(self, name: str, dtype: pa.DataType) -> pa.DataType:
        """Return the type in which the warehouse is given a column."""
        plain = plain_type(dtype, nanoseconds=self._nanoseconds)
        if plain is None:
            raise self._unsupported(name, f'of the type "{dtype}"')
        return plain if filled(plain, None) == plain else filled(plain, self._known_type(name))

    def cast(self, name: str, values: pa.ChunkedArray, dtype: pa.DataType) -> pa.ChunkedArray:
        """Return a column in another type that holds the same."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if values.type == dtype:
            self._require_no_nul(name, values)
            return values
        if pa.types.is_null(values.type):
            return pa.chunked_array([pa.nulls(len(values), dtype)])
        try:
            if isinstance(values.type, pa.BaseExtensionType):
                values = pa.chunked_array([chunk.storage for chunk in values.chunks], values.type.storage_type)
            if pa.types.is_run_end_encoded(values.type):
                values = pa.chunked_array([pc.run_end_decode(chunk) for chunk in values.chunks], values.type.value_type)
            if pa.types.is_list_view(values.type) or pa.types.is_large_list_view(values.type):
                # Arrow's own cast of these makes lists that are not valid.
                return pa.chunked_array([values.to_pylist()], dtype)
            values = values.cast(dtype)
        except (pa.ArrowException, OverflowError, ValueError) as error:
            raise self._out_of_range(name, error) from error
        self._require_no_nul(name, values)
        return values

    def _require_no_nul(self, name: str, values: pa.ChunkedArray) -> None:
        """Raise `WrongResult` for a text with NUL in it, where the engine cannot keep that."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if self._nul:
            return
        while pa.types.is_nested(values.type) and not pa.types.is_struct(values.type):
            values = pc.list_flatten(values)
        if (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)) and pc.any(
            pc.match_substring(values, "\0")
        ).as_py():
            raise self._out_of_range(name, ValueError("the character NUL in a text"))

    def of_series(self, name: str, series: pd.Series) -> pa.ChunkedArray:
        """Return a column of pandas."""
        import pyarrow as pa

        if (what := complaint(series)) is not None:
            raise self._unsupported(name, what)
        try:
            given = pa.Array.from_pandas(series)
        except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
            if isinstance(error, OverflowError) or "exactly representable" in str(error):
                raise self._out_of_range(name, error) from error
            raise self._unsupported(name, f'of the type "{series.dtype}" ({_first_line(error)})') from error
        values = given if isinstance(given, pa.ChunkedArray) else pa.chunked_array([given])
        wanted = self.type_of(name, values.type)
        if not is_python(series) or with_wide_decimals(wanted) == wanted:
            return self.cast(name, values, wanted)
        known = self._known_type(name)
        if known is not None and pa.types.is_nested(known) == pa.types.is_nested(wanted):
            with contextlib.suppress(pa.ArrowInvalid, pa.ArrowNotImplementedError):
                return values.cast(known)
        return self.cast(name, values, with_wide_decimals(wanted))

    def of_polars(self, series: pl.Series) -> pa.ChunkedArray:
        """Return a column of polars."""
        import polars
        import pyarrow as pa

        try:
            # A column of Python objects would be the numbers of the places where they are.
            values = None if series.dtype == polars.Object else series.to_arrow()
        except pa.ArrowException:
            values = None
        if values is None:
            raise self._unsupported(series.name, f'of the type "{series.dtype}"')
        return pa.chunked_array([values])

    def _known_type(self, name: str) -> pa.DataType | None:
        known = self._known(name)
        return None if known is None else plain_type(known, nanoseconds=self._nanoseconds)

    def _unsupported(self, name: str, what: str) -> WrongResult:
        return WrongResult(
            f'the column "{name}" that "{self._model.name}" returned is {what}, which no column of a table can hold',
            at=self._model.at,
            hint="make texts, numbers or times of its values",
        )

    def _out_of_range(self, name: str, error: Exception) -> WrongResult:
        return WrongResult(
            f'the column "{name}" that "{self._model.name}" returned has a value that its type cannot hold: '
            f"{_first_line(error)}",
            at=self._model.at,
            hint="round it, or return the column in a type that can",
        )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
