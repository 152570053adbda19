"""What Python models take and give: tables of the libraries that their functions are written for."""

from __future__ import annotations

import contextlib
import functools
import importlib
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from fastflowtransform.contract import parsed
from fastflowtransform.errors import PackageMissing, PythonModelFailed, WrongResult
from fastflowtransform.model import Contract, Frame, Model, PythonBody
from fastflowtransform.names import Folding
from fastflowtransform.py_model import UserCode
from fastflowtransform.to_arrow import to_arrow

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    import ibis.expr.types as ir
    import pyarrow as pa
    from ibis.expr.schema import Schema

    from fastflowtransform.to_arrow import KnownType


def called(model: Model, body: PythonBody, tables: list[Any]) -> Any:
    """Call a Python model's function, and check that it gives what it should."""
    with UserCode(PythonModelFailed, f'"{model.name}"', model.at.path):
        result = body.function(*tables)
    wanted = _TYPES[body.frame]
    kind = type(result)
    if not any((base.__module__.partition(".")[0], base.__name__) in wanted for base in kind.__mro__):
        raise WrongResult(
            f'"{model.name}" returned "{kind.__module__}.{kind.__name__}", and should return {_WORDS[body.frame]}',
            at=model.at,
            hint="return a table",
        )
    return result


def rows_of(
    model: Model, body: PythonBody, result: Any, known: KnownType, *, nanoseconds: bool, nul: bool
) -> ir.Table | pa.RecordBatchReader:
    """Return what a function gave as an expression, or as Arrow rows; the last parameters are `to_arrow`'s."""
    if body.frame is Frame.IBIS:
        table: ir.Table = result
        return table
    with UserCode(WrongResult, f'reading what "{model.name}" returned', model.at.path):
        # Of polars, it may be a query that is still to be run.
        result = result.collect() if type(result).__name__ == "LazyFrame" else result
        rows = to_arrow(model, body.frame, result, known, nanoseconds=nanoseconds, nul=nul)
    names = [name.casefold() for name in rows.schema.names]
    if not names or len(set(names)) < len(names):
        complaint = "names two columns alike" if names else "has no columns"
        raise WrongResult(f'what "{model.name}" returned {complaint}', at=model.at, hint="give each column a name")
    return rows


class KnownTypes:
    """The types that a model's columns have wherever something tells: its contract, its table, its inputs.

    Parameters
    ----------
    contract
        What the model promises.
    schemas
        Each gives the columns of a table, and is called where a column is not found before it.
    folding
        Which names are one.
    """

    def __init__(
        self,
        contract: Contract | None,
        schemas: Sequence[Callable[[], Schema | None]],
        folding: Folding = Folding.NONE,
    ) -> None:
        self._folding = folding
        columns = () if contract is None else contract.columns
        self._promised = {folding.fold(column.name): column for column in columns}
        self._schemas = [functools.cache(schema) for schema in schemas]

    def __call__(self, column: str) -> pa.DataType | None:
        """Return the type of a column; None where nothing tells."""
        promised = self._promised.get(self._folding.fold(column))
        if promised is not None and promised.types:
            return _in_arrow(parsed(promised.types[0], promised))
        for schema in self._schemas:
            found = schema()
            name = None if found is None else self._folding.spelling(column, found)
            if found is not None and name is not None and (dtype := _in_arrow(found[name])) is not None:
                return dtype
        return None


def _in_arrow(dtype: dt.DataType) -> pa.DataType | None:
    """Return an Ibis type as Arrow's; None where it has none, or leaves a decimal's digits open."""
    if dtype.is_unknown() or (dtype.is_decimal() and dtype.precision is None):
        return None
    try:
        return dtype.to_pyarrow()
    except (KeyError, NotImplementedError, TypeError, ValueError):
        return None


_TYPES = {
    Frame.IBIS: {("ibis", "Table")},
    Frame.PANDAS: {("pandas", "DataFrame")},
    Frame.POLARS: {("polars", "DataFrame"), ("polars", "LazyFrame")},
    Frame.ARROW: {("pyarrow", "Table"), ("pyarrow", "RecordBatchReader")},
    Frame.SPARK: {("pyspark", "DataFrame")},
}
_WORDS = {
    Frame.IBIS: "an Ibis table",
    Frame.PANDAS: "a pandas DataFrame",
    Frame.POLARS: "a polars DataFrame",
    Frame.ARROW: "an Arrow table",
    Frame.SPARK: "a Spark DataFrame",
}


_LIBRARIES = {
    Frame.IBIS: ("ibis",),
    Frame.PANDAS: ("ibis", "pyarrow", "pandas"),
    Frame.POLARS: ("ibis", "pyarrow", "polars"),
    Frame.ARROW: ("ibis", "pyarrow"),
    Frame.SPARK: ("ibis",),
}


def load_libraries(models: Iterable[Model]) -> None:
    """Import what the functions of models take and give, before threads do.

    They import each other here and there; two threads that begin at two ends can meet a half of one.
    """
    frames = {model.body.frame for model in models if isinstance(model.body, PythonBody)}
    for name in sorted({library for frame in frames for library in _LIBRARIES[frame]}):
        # The model that needs it says so.
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(name)


def require_libraries(model: Model, frame: Frame) -> None:
    """Raise `PackageMissing` where a library that a model's function is written for is not installed."""
    for name in _LIBRARIES[frame]:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            missing = error.name or name
            raise PackageMissing(
                f'"{model.name}" is a function of {frame} tables, and the package "{missing}" is not installed',
                at=model.at,
                hint=f"pip install {missing}",
            ) from error


def framed(batches: pa.RecordBatchReader, frame: Frame, model: Model, node: str) -> Any:
    """Return the rows of a node as the function of a model wants them.

    Raises
    ------
    PythonModelFailed
        The library has no type for a column, or cannot hold a value.
    """
    rows = batches.read_all()
    with UserCode(PythonModelFailed, f'giving "{node}" to "{model.name}" as {frame}', model.at.path):
        return _in_library(rows, frame)


def _in_library(rows: pa.Table, frame: Frame) -> Any:
    if frame is Frame.ARROW:
        return rows
    if frame is Frame.POLARS:
        import polars

        return polars.from_arrow(rows)
    import pandas
    import pyarrow

    # pandas' own integers and booleans have no NULL: a column with one would come as floats, and lose digits.
    nullable = {
        getattr(pyarrow, name)(): getattr(pandas, title)()
        for name, title in (
            ("int8", "Int8Dtype"),
            ("int16", "Int16Dtype"),
            ("int32", "Int32Dtype"),
            ("int64", "Int64Dtype"),
            ("uint8", "UInt8Dtype"),
            ("uint16", "UInt16Dtype"),
            ("uint32", "UInt32Dtype"),
            ("uint64", "UInt64Dtype"),
            ("bool_", "BooleanDtype"),
        )
    }
    return rows.to_pandas(types_mapper=nullable.get)
