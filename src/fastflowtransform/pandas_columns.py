"""Columns of a pandas table: those of its index too, under names that a warehouse can have."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any
from uuid import UUID

from fastflowtransform.errors import WrongResult
from fastflowtransform.model import Model

if TYPE_CHECKING:
    import pandas as pd


def columns_of(model: Model, frame: pd.DataFrame) -> Iterator[tuple[str, pd.Series]]:
    """Yield the name and the values of each column: first those of the index, as `reset_index` has them.

    A level of the index without a name is left out where it only numbers the rows.

    Raises
    ------
    WrongResult
        Columns have several levels, or a name that is no text; or an index without a name holds more than numbers.
    """
    import pandas as pd

    if isinstance(frame.columns, pd.MultiIndex):
        levels = ", ".join(f'"{level}"' for level in frame.columns.names)
        raise WrongResult(
            f'the columns that "{model.name}" returned are a MultiIndex of the levels {levels}',
            at=model.at,
            hint="give each column one name, as in df.columns = ['_'.join(map(str, c)) for c in df.columns]",
        )
    named = {_name(model, label): frame.iloc[:, place] for place, label in reversed([*enumerate(frame.columns)])}
    for level in range(frame.index.nlevels):
        values = frame.index.get_level_values(level)
        if values.name is None:
            _require_numbers(model, values)
            continue
        name, series = _name(model, values.name), values.to_series(index=frame.index)
        if name not in named:
            yield name, series
        elif not named[name].reset_index(drop=True).equals(series.reset_index(drop=True)):
            raise WrongResult(
                f'the index that "{model.name}" returned and a column of it are both called "{name}", and differ',
                at=model.at,
                hint=f'rename one of them, or take the index away with df.reset_index("{name}", drop=True)',
            )
    for place, label in enumerate(frame.columns):
        yield _name(model, label), frame.iloc[:, place]


def complaint(series: pd.Series) -> str | None:
    """Return what a column is where no column of a table can be that; None where Arrow can tell.

    Arrow reads some mixes as the type of their first value, and so loses the time of a timestamp after a date.
    """
    import pandas as pd

    dtype = series.dtype
    if isinstance(dtype, pd.PeriodDtype | pd.IntervalDtype | pd.SparseDtype) or getattr(dtype, "kind", "") == "c":
        return f'of the type "{dtype}"'
    if isinstance(dtype, pd.CategoricalDtype):
        return complaint(dtype.categories.to_series())
    return _mix(series) if is_python(series) else None


def is_python(series: pd.Series) -> bool:
    """Whether a column's values are objects of Python, which may be of any type."""
    return str(series.dtype) == "object"


def _mix(series: pd.Series) -> str | None:
    """Return the kinds of values of a column of Python objects, where they are not of one kind."""
    present = series.dropna()
    types = sorted(set(map(type, present)), key=lambda found: found.__name__)
    kinds = {_kind(found) for found in types}
    if odd := [found for found in types if _kind(found) is None]:
        return f"of values of the type {_names(odd)}"
    exact = Decimal in types and any(_is_float(found) for found in types)
    if (len(kinds) > 1 and not kinds <= {"number", "decimal"}) or exact:
        return f"a mix of {_names(types)}"
    if kinds == {"timestamp"} and len({getattr(value, "tzinfo", None) is None for value in present}) > 1:
        return "a mix of timestamps with and without a time zone"
    if kinds == {"list"}:
        return complaint(_objects(itertools.chain.from_iterable(present)))
    if kinds == {"struct"}:
        keys = dict.fromkeys(key for value in present for key in value)
        parts = (complaint(_objects(value.get(key) for value in present)) for key in keys)
        return next((part for part in parts if part is not None), None)
    if Decimal in types and not all(value.is_finite() for value in present if isinstance(value, Decimal)):
        return "of decimals, one of which is infinite"
    return None


def _objects(values: Iterable[Any]) -> pd.Series:
    import pandas as pd

    return pd.Series(list(values), dtype=object)


def _names(types: list[type]) -> str:
    return " and ".join(f'"{found.__name__}"' for found in types)


def _is_float(found: type) -> bool:
    return issubclass(found, Real) and not issubclass(found, Integral)


# A subclass comes before its base: a bool is an int, and a datetime is a date.
_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (Decimal, "decimal"),
    (Real, "number"),
    (str, "text"),
    (bytes, "binary"),
    (bytearray, "binary"),
    (datetime, "timestamp"),
    (date, "date"),
    (time, "time"),
    (timedelta, "duration"),
    (UUID, "uuid"),
    (dict, "struct"),
    (list, "list"),
    (tuple, "list"),
)
_NUMPY = {
    "bool": "boolean",
    "bool_": "boolean",
    "datetime64": "timestamp",
    "timedelta64": "duration",
    "ndarray": "list",
}


def _kind(found: type) -> str | None:
    """Return the kind of column that values of a type make; None for types that make none."""
    if found.__module__ == "numpy" and found.__name__ in _NUMPY:
        return _NUMPY[found.__name__]
    return next((kind for base, kind in _KINDS if issubclass(found, base)), None)


def _name(model: Model, label: Any) -> str:
    """Return a label as a column's name: a text, or the number of an unnamed column."""
    if _kind(type(label)) == "text" or isinstance(label, Integral):
        return str(label)
    raise WrongResult(
        f'a column that "{model.name}" returned is called {label!r}, of the type "{type(label).__name__}"',
        at=model.at,
        hint="name columns by texts, as in df.columns = df.columns.map(str)",
    )


def _require_numbers(model: Model, index: pd.Index) -> None:
    """Raise `WrongResult` for an index without a name that does more than number the rows."""
    import pandas as pd

    if not len(index) or pd.api.types.is_integer_dtype(index.dtype):
        return
    raise WrongResult(
        f'the index that "{model.name}" returned has no name, and holds values such as "{index[0]}"',
        at=model.at,
        hint='name it, as in df.rename_axis("label"), or take it away with df.reset_index(drop=True)',
    )
