"""What Python models take and give: tables of the libraries that their functions are written for."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from fastflowtransform.errors import PythonModelFailed, WrongResult
from fastflowtransform.model import Frame, Model, PythonBody
from fastflowtransform.py_model import UserCode

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa


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


def rows_of(model: Model, body: PythonBody, result: Any) -> ir.Table | pa.RecordBatchReader:
    """Return what a function gave as an expression, or as Arrow rows."""
    with UserCode(WrongResult, f'reading what "{model.name}" returned', model.at.path):
        rows = _arrow_rows(result, body.frame)
    names = [name.casefold() for name in rows.schema.names] if body.frame is not Frame.IBIS else ["ibis"]
    if not names or len(set(names)) < len(names):
        complaint = "names two columns alike" if names else "has no columns"
        raise WrongResult(f'what "{model.name}" returned {complaint}', at=model.at, hint="give each column a name")
    return rows


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


def framed(batches: pa.RecordBatchReader, frame: Frame) -> Any:
    """Return rows as the function wants them."""
    rows = batches.read_all()
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
            ("bool_", "BooleanDtype"),
        )
    }
    return rows.to_pandas(types_mapper=nullable.get)


def _arrow_rows(result: Any, frame: Frame) -> ir.Table | pa.RecordBatchReader:
    import pyarrow as pa

    if frame is Frame.IBIS:
        table: ir.Table = result
        return table
    if frame is Frame.PANDAS:
        result = pa.Table.from_pandas(result, preserve_index=False)
    elif frame is Frame.POLARS:
        result = getattr(result, "collect", lambda: result)().to_arrow()
    return result if isinstance(result, pa.RecordBatchReader) else result.to_reader()
