"""What an increment does when the columns of its query change, tried on every engine: order, names and types."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import ibis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflowtransform.column_types import common_type
from fastflowtransform.engines.base import Engine
from fastflowtransform.errors import FftError, SchemaChanged
from fastflowtransform.model import Incremental, OnSchemaChange
from fastflowtransform.rows import Rows
from tests.engines.test_incremental_contract import PROPERTY, TARGET, content, run, source
from tests.histories import ChangingHistory, Row, canonical, changing_histories, increment

SAMPLES: dict[str, list[Any]] = {
    "int32": [-(2**31), 0, 2**31 - 1],
    "int64": [-(2**63), 7, 2**63 - 1],
    "decimal(5, 2)": [Decimal("-999.99"), Decimal("1.55")],
    "decimal(3, 1)": [Decimal("99.9"), Decimal("-2.5")],
    "float32": [0.5, -1.25],
    "float64": [0.1, 1e300],
    "date": [date(1, 1, 1), date(2026, 2, 28)],
    "timestamp(6)": [datetime(1, 1, 1), datetime(2026, 2, 28, 1, 2, 3, 4)],
    "timestamp('UTC', 6)": [datetime(2026, 2, 28, 1, 2, 3, 4, tzinfo=UTC)],
    "string": ["", "a", "é"],
    "boolean": [True, False],
    "array<int32>": [[], [1, 2]],
    "array<int64>": [[2**40], []],
}
NESTED: dict[str, list[Any]] = {
    "struct<a: int32>": [{"a": 1}],
    "struct<b: string, a: int64>": [{"b": "x", "a": 2**40}],
    "array<struct<a: int32>>": [[], [{"a": 1}]],
    "array<struct<b: string, a: int64>>": [[{"b": "x", "a": 2**40}]],
    "map<string, struct<a: int32>>": [{"k": {"a": 1}}],
    "map<string, struct<b: string, a: int64>>": [{"k": {"b": "x", "a": 2**40}}],
}
PAIRS = list(zip(*[iter(NESTED)] * 2, strict=True))
CURSORS = [dtype for dtype in sorted(SAMPLES) if not dtype.startswith(("array", "boolean"))]


def typed_rows(dtype: str, first: int) -> list[Row]:
    values = (SAMPLES | NESTED)[dtype]
    return [{"id": first + number, "v": value} for number, value in enumerate([*values, None])]


def same(value: Any, other: Any) -> bool:
    """Whether a value means what another one does: a date is its midnight, and a field that was not there is NULL."""
    if isinstance(value, datetime) and not isinstance(other, datetime) and isinstance(other, date):
        return (value.date(), value.time().isoformat()) == (other, "00:00:00")
    # Arrow gives a map as its pairs.
    value, other = (
        dict(each) if isinstance(each, list) and isinstance((each or [0])[0], tuple) else each
        for each in (value, other)
    )
    if isinstance(value, list) and isinstance(other, list):
        return len(value) == len(other) and all(map(same, value, other))
    if isinstance(value, dict) and isinstance(other, dict):
        return all(same(value.get(name), other.get(name)) for name in {**value, **other})
    return bool(value == other)


@pytest.mark.everywhere
@PROPERTY
@given(
    history=changing_histories(),
    mode=st.sampled_from([OnSchemaChange.APPEND, OnSchemaChange.SYNC, OnSchemaChange.IGNORE]),
)
def test_columns_may_change_their_order_their_case_and_come_and_go(
    engine: Engine, history: ChangingHistory, mode: OnSchemaChange
):
    """Ties are decided in the order of each query, and a row is updated only if the table's row is another one."""
    wanted = Incremental(tuple(history.history.key), "at", on_schema_change=mode)
    seen: list[Row] = []
    before: list[Row] = []
    stands: list[str] = []
    for number, batch in enumerate(history.history.batches):
        seen += batch
        columns, in_capitals = history.queries[number]
        if mode is OnSchemaChange.SYNC or not number:
            stands = list(columns)
        elif mode is OnSchemaChange.APPEND:
            stands += [name for name in columns if name not in stands]
        query_rows = [{name: row[name] for name in columns} for row in seen]
        before = [{name: row.get(name) for name in stands} for row in before]
        after = increment(before, query_rows, wanted.unique_key)
        after = [{name: row.get(name) for name in stands} for row in after]
        spelt = {n: n.upper() if in_capitals and not engine.capabilities.case_sensitive else n for n in columns}
        spelt = spelt if number else {name: name for name in columns}
        rows = [{spelt[name]: value for name, value in row.items()} for row in query_rows]
        schema = {spelt[name]: dtype for name, dtype in history.schema(number).items()}

        with source(engine, rows, schema) as query:
            outcome = run(engine, wanted, query, full_refresh=number == 0)

        found = [{name.lower(): value for name, value in row.items()} for row in content(engine)]
        assert canonical(found) == canonical(after)
        old = {tuple(row[name] for name in wanted.unique_key): row for row in before}
        changed = [row for row in after if row != old.get(tuple(row[name] for name in wanted.unique_key))]
        assert outcome.inserted + outcome.updated == len(changed)
        before = after


@pytest.mark.everywhere
@PROPERTY
@given(one=st.sampled_from(sorted(SAMPLES)), other=st.sampled_from(sorted(SAMPLES)), has_key=st.booleans())
def test_no_old_value_changes_its_meaning_by_sync(engine: Engine, one: str, other: str, has_key: bool):
    require_sync(engine, one, other, has_key=has_key)


@pytest.mark.never("postgres", reason="it has no structs", raises=FftError)
@pytest.mark.parametrize(("one", "other"), [*PAIRS, *(tuple(reversed(pair)) for pair in PAIRS)])
def test_a_struct_gets_fields_and_keeps_those_that_the_query_has_no_more(engine: Engine, one: str, other: str):
    require_sync(engine, one, other)


def require_sync(engine: Engine, one: str, other: str, *, has_key: bool = True) -> None:
    """Build a table with a column of one type, and let the query give another one."""
    key, cursor = (("id",), None) if has_key else ((), "id")
    wanted = Incremental(key, cursor, on_schema_change=OnSchemaChange.SYNC)
    with source(engine, typed_rows(one, 0), {"id": "int64", "v": one}) as query:
        run(engine, wanted, query, full_refresh=True)
    old = {row["id"]: row["v"] for row in content(engine)}
    new = typed_rows(other, 100)

    try:
        with source(engine, new, {"id": "int64", "v": other}) as query:
            run(engine, wanted, query)
    except SchemaChanged as refused:
        assert common_type(ibis.dtype(one), ibis.dtype(other)) is None
        assert "--full-refresh" in (refused.hint or "")
        new = []

    found = {row["id"]: row["v"] for row in content(engine)}
    assert found.keys() == {*old, *(row["id"] for row in new)}
    assert all(same(found[key], value) for key, value in old.items())
    assert all(same(found[row["id"]], row["v"]) for row in new)


@PROPERTY
@given(one=st.sampled_from(sorted(SAMPLES)), other=st.sampled_from(sorted(SAMPLES)), is_cursor=st.booleans())
def test_ignore_casts_new_values_or_refuses_and_leaves_the_table(engine: Engine, one: str, other: str, is_cursor: bool):
    is_cursor = is_cursor and not {"boolean", "array<int32>", "array<int64>"} & {one, other}
    wanted = Incremental(("id",), "v" if is_cursor else None, on_schema_change=OnSchemaChange.IGNORE)
    with source(engine, typed_rows(one, 0), {"id": "int64", "v": one}) as query:
        run(engine, wanted, query, full_refresh=True)
    old, types = content(engine), engine.table(TARGET).schema()

    try:
        with source(engine, typed_rows(other, 100), {"id": "int64", "v": other}) as query:
            run(engine, wanted, query)
    except FftError:
        assert canonical(content(engine)) == canonical(old)

    assert engine.table(TARGET).schema() == types
    assert canonical([row for row in content(engine) if row["id"] < 100]) == canonical(old)


@PROPERTY
@given(
    one=st.sampled_from(CURSORS),
    other=st.sampled_from(CURSORS),
    mode=st.sampled_from([OnSchemaChange.FAIL, OnSchemaChange.APPEND, OnSchemaChange.SYNC]),
    has_key=st.booleans(),
)
def test_a_cursor_that_changes_its_type_is_refused_and_leaves_the_table(
    engine: Engine, one: str, other: str, mode: OnSchemaChange, has_key: bool
):
    wanted = Incremental(("id",) if has_key else (), "v", on_schema_change=mode)
    with source(engine, typed_rows(one, 0)[:-1], {"id": "int64", "v": one}) as query:
        run(engine, wanted, query, full_refresh=True)
    old = content(engine)

    with source(engine, typed_rows(other, 100)[:-1], {"id": "int64", "v": other}) as query:
        refused = refusal(engine, wanted, query)

    assert refused is None if one == other else refused is not None
    assert one == other or canonical(content(engine)) == canonical(old)


def refusal(engine: Engine, wanted: Incremental, query: Rows) -> SchemaChanged | None:
    """Run an increment that may be refused for its columns, and for nothing else."""
    try:
        run(engine, wanted, query)
    except SchemaChanged as refused:
        assert "--full-refresh" in (refused.hint or "")
        return refused
    return None
