"""What DataFrames hold, read back from each engine: every value as it was, or the column is named."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastflowtransform.engines.base import Engine, Kind
from fastflowtransform.errors import Location, WrongResult
from fastflowtransform.model import Frame, Model, PythonBody
from fastflowtransform.relation import Relation
from fastflowtransform.to_arrow import to_arrow
from tests.histories import examples

MODEL = Model("m", PythonBody(lambda: None, Frame.PANDAS), Location(Path("models/m.ff.py"), 1))
TARGET = Relation("demo", "m")


@dataclass(frozen=True)
class Column:
    """Values of one kind, and what pandas, polars and Arrow call it where they are told."""

    values: st.SearchStrategy[Any]
    pandas: str | None = None
    polars: Any = None
    arrow: Any = None


COLUMNS: Mapping[str, Column] = {
    "int64": Column(st.integers(-(2**63), 2**63 - 1), "Int64", pl.Int64, pa.int64()),
    "int8": Column(st.integers(-128, 127), "Int8", pl.Int8, pa.int8()),
    "uint64": Column(st.integers(0, 2**64 - 1), "UInt64", pl.UInt64, pa.uint64()),
    "any int": Column(st.integers(-(2**65), 2**65)),
    "float64": Column(st.floats(allow_nan=False), "Float64", pl.Float64, pa.float64()),
    "text": Column(st.text(max_size=5), "string", pl.String, pa.string()),
    "boolean": Column(st.booleans(), "boolean", pl.Boolean, pa.bool_()),
    "date": Column(st.dates(), None, pl.Date, pa.date32()),
    "timestamp": Column(st.datetimes(), "datetime64[us]", pl.Datetime("us"), pa.timestamp("us")),
    "seconds": Column(
        st.datetimes().map(lambda at: at.replace(microsecond=0)), "datetime64[s]", pl.Datetime("ms"), pa.timestamp("s")
    ),
    "decimal": Column(st.decimals("-9999999", "9999999", places=2), None, pl.Decimal(38, 2), pa.decimal128(10, 2)),
    "any decimal": Column(st.decimals(allow_nan=False, allow_infinity=False, places=3)),
    "binary": Column(st.binary(max_size=5), None, pl.Binary, pa.binary()),
    "time": Column(st.times(), None, pl.Time, pa.time64("us")),
    "category": Column(st.sampled_from("abc"), "category", pl.Categorical, pa.dictionary(pa.int8(), pa.string())),
    "list": Column(st.lists(st.integers(-5, 5), max_size=3), None, pl.List(pl.Int64), pa.list_(pa.int64())),
    "struct": Column(
        st.fixed_dictionaries({"a": st.integers(-5, 5)}), None, pl.Struct({"a": pl.Int64}), pa.struct({"a": pa.int64()})
    ),
    "nothing": Column(st.none(), None, pl.Null, pa.null()),
    "a mix": Column(st.one_of(st.integers(), st.text(max_size=2), st.dates(), st.datetimes(), st.binary(max_size=2))),
}


def pandas_frame(names: Mapping[str, str], rows: Mapping[str, list[Any]]) -> pd.DataFrame:
    return pd.DataFrame(
        {name: pd.Series(rows[name], dtype=COLUMNS[kind].pandas or object) for name, kind in names.items()}
    )


def polars_frame(names: Mapping[str, str], rows: Mapping[str, list[Any]]) -> pl.DataFrame:
    return pl.DataFrame(
        [pl.Series(name, rows[name], dtype=COLUMNS[kind].polars or pl.Object) for name, kind in names.items()]
    )


def arrow_table(names: Mapping[str, str], rows: Mapping[str, list[Any]]) -> pa.Table:
    return pa.table({name: pa.array(rows[name], type=COLUMNS[kind].arrow) for name, kind in names.items()})


LIBRARIES: Mapping[Frame, Callable[..., Any]] = {
    Frame.PANDAS: pandas_frame,
    Frame.POLARS: polars_frame,
    Frame.ARROW: arrow_table,
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[Frame, dict[str, str], dict[str, list[Any]]]:
    """Draw a library, the kind of each column, and its values."""
    library = draw(st.sampled_from(sorted(LIBRARIES)))
    told = [kind for kind, column in COLUMNS.items() if library is not Frame.ARROW or column.arrow is not None]
    kinds = draw(st.lists(st.sampled_from(told), min_size=1, max_size=6))
    names = {f"c{number}": kind for number, kind in enumerate(kinds)}
    number = draw(st.integers(0, 4))
    values = {
        name: draw(st.lists(st.none() | COLUMNS[kind].values, min_size=number, max_size=number))
        for name, kind in names.items()
    }
    return library, names, values


@settings(deadline=None, max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tables())
def test_what_is_written_is_what_was_returned_or_the_column_is_named(
    engine: Engine, drawn: tuple[Frame, dict[str, str], dict[str, list[Any]]]
):
    library, names, values = drawn
    frame = LIBRARIES[library](names, values)

    try:
        found = written(engine, library, frame)
    except WrongResult as refusal:
        assert any(f'"{name}"' in refusal.message for name in names)
        return

    expected = list(zip(*(map(plain, values[name]) for name in names), strict=True))
    assert sorted(found, key=repr) == sorted(expected, key=repr)


NEVER = {"any int", "any decimal", "a mix", "struct", "time", "uint64", "text"}
"""What not all engines can hold whatever its values are."""


@settings(deadline=None, max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tables().filter(lambda drawn: not NEVER & set(drawn[1].values())))
def test_everyday_columns_are_never_refused(engine: Engine, drawn: tuple[Frame, dict[str, str], dict[str, list[Any]]]):
    library, names, values = drawn

    assert len(written(engine, library, LIBRARIES[library](names, values))) == len(values["c0"])


def written(engine: Engine, library: Frame, frame: Any) -> list[tuple[Any, ...]]:
    """Return the rows of a table that was made of a frame."""
    can = engine.capabilities
    rows = to_arrow(MODEL, library, frame, lambda name: None, nanoseconds=can.nanoseconds, nul=can.nul)
    over = Kind.TABLE if engine.existing([TARGET]) else None
    engine.replace(TARGET, rows, over=over)
    with engine.batches(engine.table(TARGET)) as batches:
        found = batches.read_all().to_pylist()
    return [tuple(map(plain, row.values())) for row in found]


def plain(value: Any) -> Any:
    """Return a value so that equal ones are one: a whole number may come as a decimal, where there is no wider one."""
    if isinstance(value, Decimal):
        return Decimal(int(value)) if value == int(value) else value.normalize()
    if isinstance(value, float) and math.isfinite(value):
        return Decimal(value).normalize() + 0
    return Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value


LOSSES = {
    "a period": "pd.period_range('2026-01', periods=2, freq='M').to_series(index=[0, 1])",
    "an interval": "pd.Series([pd.Interval(0, 1)])",
    "categories of intervals": "pd.cut(pd.Series([1, 5]), [0, 2, 6])",
    "a complex number": "pd.Series([1 + 2j])",
    "a complex object": "pd.Series([1 + 2j], dtype=object)",
    "a sparse column": "pd.Series(pd.arrays.SparseArray([0, 1]))",
    "a date and a timestamp": "pd.Series([date(2026, 1, 1), datetime(2026, 1, 1, 5)], dtype=object)",
    "text and binary": "pd.Series(['a', b'a'], dtype=object)",
    "local times and moments": "pd.Series([datetime(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC)], dtype=object)",
    "a date and a timestamp in a list": "pd.Series([[date(2026, 1, 1), datetime(2026, 1, 1, 5)]], dtype=object)",
    "text and binary in structs": "pd.Series([{'a': 'x'}, {'a': b'x'}], dtype=object)",
    "a set": "pd.Series([{1}], dtype=object)",
    "an integer that is too large": "pd.Series([2**70], dtype=object)",
    "an infinite decimal": "pd.Series([Decimal('Infinity')], dtype=object)",
    "half an emoji": "pd.Series(['\\ud800'], dtype=object)",
}


@pytest.mark.parametrize("made", LOSSES.values(), ids=LOSSES)
def test_a_pandas_column_without_a_meaning_in_the_warehouse_is_named(made: str):
    import datetime as times

    names = {"pd": pd, "date": date, "datetime": datetime, "UTC": times.UTC, "Decimal": Decimal}
    frame = pd.DataFrame({"odd": eval(made, names)})

    with pytest.raises(WrongResult, match='the column "odd" that "m" returned'):
        to_arrow(MODEL, Frame.PANDAS, frame, lambda name: None)


def schema_of(frame: Any, known: Mapping[str, pa.DataType] | None = None) -> dict[str, str]:
    found = to_arrow(MODEL, Frame.PANDAS, frame, (known or {}).get).schema
    return {field.name: str(field.type) for field in found}


def test_decimals_of_python_keep_the_type_that_their_column_had():
    frame = pd.DataFrame({"a": pd.Series([Decimal("1.5")], dtype=object)})

    assert schema_of(frame, {"a": pa.decimal128(12, 4)}) == {"a": "decimal128(12, 4)"}
    assert schema_of(frame) == {"a": "decimal128(38, 9)"}
    assert schema_of(frame * 1000000) == {"a": "decimal128(38, 9)"}
    assert schema_of(frame.map(lambda value: [value])) == {"a": "list<item: decimal128(38, 9)>"}


def test_a_column_without_values_has_the_type_that_it_had_or_is_text():
    frame = pd.DataFrame({"a": [None], "b": [[None]], "c": [[]]})

    assert schema_of(frame, {"a": pa.date32(), "b": pa.list_(pa.int64())}) == {
        "a": "date32[day]",
        "b": "list<item: int64>",
        "c": "list<item: string>",
    }


INDEXES = {
    "a named one": ("df.set_index('k')", ["k", "v"]),
    "a group": ("df.groupby('k').sum()", ["k", "v"]),
    "two groups": ("df.groupby(['k', df.v.rename('w')]).sum()", ["k", "w", "v"]),
    "row numbers": ("df", ["k", "v"]),
    "row numbers with gaps": ("df[df.v > 1]", ["k", "v"]),
    "a group and row numbers": ("df.groupby('k')[['v']].apply(lambda g: g)", ["k", "v"]),
    "one that is a column too": ("df.set_index('k', drop=False)", ["k", "v"]),
    "a named range": ("df.rename_axis('n')", ["n", "k", "v"]),
    "counted values": ("df.k.value_counts().to_frame()", ["k", "count"]),
    "no rows": ("df[df.v > 9].set_index('k')", ["k", "v"]),
}


@pytest.mark.parametrize(("made", "columns"), INDEXES.values(), ids=INDEXES)
def test_a_named_index_becomes_columns_and_row_numbers_do_not(made: str, columns: list[str]):
    frame = eval(made, {"df": pd.DataFrame({"k": ["a", "b", "a"], "v": [1, 2, 3]})})

    assert list(schema_of(frame)) == columns


LOST_LABELS = {
    "several levels of columns": ("df.groupby('k').agg({'v': ['min', 'max']})", "are a MultiIndex"),
    "texts without a name": ("df.describe()", 'has no name, and holds values such as "count"'),
    "an index that differs from its column": ("df.set_index(pd.Index(['x', 'y'], name='k'))", 'both called "k"'),
    "a name that is no text": ("df.set_axis(['a', None], axis=1)", "of the type"),
}


@pytest.mark.parametrize(("made", "complaint"), LOST_LABELS.values(), ids=LOST_LABELS)
def test_labels_that_would_be_lost_are_refused(made: str, complaint: str):
    frame = eval(made, {"df": pd.DataFrame({"k": ["a", "b"], "v": [1, 2]}), "pd": pd})

    with pytest.raises(WrongResult, match=complaint):
        schema_of(frame)


def test_durations_are_the_same_in_all_libraries():
    length = timedelta(days=1, microseconds=5)
    frames = {
        Frame.PANDAS: pd.DataFrame({"x": [length]}),
        Frame.POLARS: pl.DataFrame({"x": [length]}),
        Frame.ARROW: pa.table({"x": [length]}),
    }
    types = {
        str(to_arrow(MODEL, library, frame, lambda name: None).schema.field("x").type)
        for library, frame in frames.items()
    }

    assert types == {"duration[us]"}
