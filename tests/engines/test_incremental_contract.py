"""What an incremental run means, tried on every engine: random histories against the rule in plain Python."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastflowtransform import incremental as rule
from fastflowtransform.engines.base import Engine, kind_of
from fastflowtransform.errors import Location
from fastflowtransform.materializations import incremental
from fastflowtransform.model import Incremental, Materialized, Model, OnNullKey, PythonBody
from fastflowtransform.plan import Step
from fastflowtransform.relation import Relation
from fastflowtransform.results import Outcome
from tests.histories import History, Row, canonical, examples, histories, increment

TARGET = Relation("demo", "target")
SOURCE = Relation("demo", "source")
PROPERTY = settings(
    deadline=None,
    max_examples=examples(40),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


class TableQuery:
    """A model that reads the source as it is."""

    def __init__(self, model: Model, table: ir.Table) -> None:
        self.model = model
        self._table = table

    def rows(self, *, is_incremental: bool) -> ir.Table:
        return self._table

    @contextlib.contextmanager
    def table(self, *, is_incremental: bool) -> Iterator[ir.Table]:
        yield self._table

    def delta(self) -> None:
        return None


def write(engine: Engine, relation: Relation, rows: Sequence[Row], schema: dict[str, str]) -> None:
    table = pa.Table.from_pylist(list(rows), schema=ibis.schema(schema).to_pyarrow())
    over = kind_of(engine.existing([relation]).get(relation))
    engine.replace(relation, table.to_reader(), over=over)


def run(engine: Engine, wanted: Incremental, *, full_refresh: bool = False) -> Outcome:
    body = PythonBody(lambda table: table)
    model = Model("target", body, Location(Path("target.ff.py"), 1), Materialized.INCREMENTAL, incremental=wanted)
    over = engine.existing([TARGET]).get(TARGET)
    action = incremental.decide(model, over, engine.capabilities, full_refresh=full_refresh)
    step = Step(model, TARGET, action, over)
    return incremental.apply(engine, step, TableQuery(model, engine.table(SOURCE)))


def content(engine: Engine) -> list[Row]:
    return engine.rows(engine.table(TARGET))


def play(engine: Engine, history: History, wanted: Incremental) -> Iterator[tuple[list[Row], Outcome]]:
    """Run after each batch; the first run is a full refresh over what another example left."""
    seen: list[Row] = []
    for number, batch in enumerate(history.batches):
        seen += batch
        write(engine, SOURCE, seen, history.schema)
        yield seen, run(engine, wanted, full_refresh=number == 0)


@pytest.mark.everywhere
@PROPERTY
@given(history=histories(), days=st.sampled_from([None, 1, 3]))
def test_each_run_leaves_the_table_that_the_rule_gives(engine: Engine, history: History, days: int | None):
    lookback = None if days is None or history.cursor == "int64" else timedelta(days=days)
    wanted = Incremental(tuple(history.key), "at", lookback=lookback)
    expected: list[Row] = []

    for number, (seen, outcome) in enumerate(play(engine, history, wanted)):
        before = [] if number == 0 else expected
        expected = increment(before, seen, wanted.unique_key, lookback)
        assert canonical(content(engine)) == canonical(expected)
        assert outcome.inserted == len(expected) - len(before)


@PROPERTY
@given(history=histories(null_keys=True), policy=st.sampled_from([OnNullKey.MATCH, OnNullKey.DROP]))
def test_null_keys_match_or_are_dropped_as_the_rule_says(engine: Engine, history: History, policy: OnNullKey):
    wanted = Incremental(tuple(history.key), "at", on_null_key=policy)
    expected: list[Row] = []

    for number, (seen, _) in enumerate(play(engine, history, wanted)):
        whole = [row for row in seen if policy is OnNullKey.MATCH or None not in [row[k] for k in history.key]]
        expected = increment([] if number == 0 else expected, whole, wanted.unique_key)
        assert canonical(content(engine)) == canonical(expected)


def test_a_key_that_something_else_put_into_the_table_twice_is_mended(engine: Engine):
    schema = {"id": "int64", "at": "int64", "v": "string"}
    write(engine, TARGET, [{"id": 2, "at": 5, "v": "b"}, {"id": 2, "at": 4, "v": "older"}], schema)
    write(engine, SOURCE, [{"id": 2, "at": 5, "v": "B"}, {"id": 3, "at": 5, "v": "c"}], schema)

    outcome = run(engine, Incremental(("id",), "at"))

    assert canonical(content(engine)) == canonical([{"id": 2, "at": 5, "v": "B"}, {"id": 3, "at": 5, "v": "c"}])
    assert (outcome.inserted, outcome.updated) == (0, 2) or (outcome.inserted, outcome.updated) == (1, 1)


@PROPERTY
@given(history=histories(late=False))
def test_increments_of_rows_in_order_give_what_a_full_refresh_gives(engine: Engine, history: History):
    wanted = Incremental(tuple(history.key), "at")
    for _ in play(engine, history, wanted):
        pass
    incremented = canonical(content(engine))

    run(engine, wanted, full_refresh=True)

    assert incremented == canonical(content(engine))


@PROPERTY
@given(history=histories())
def test_running_once_more_changes_nothing(engine: Engine, history: History):
    wanted = Incremental(tuple(history.key), "at", lookback=None)
    for _ in play(engine, history, wanted):
        pass
    before = canonical(content(engine))

    outcome = run(engine, wanted)

    assert canonical(content(engine)) == before
    assert (outcome.inserted, outcome.updated) == (0, 0)


@PROPERTY
@given(history=histories())
def test_the_rule_in_ibis_is_the_rule_in_python(engine: Engine, history: History):
    wanted = Incremental(tuple(history.key), "at")
    first, later = history.batches[0], [row for batch in history.batches for row in batch]
    write(engine, SOURCE, first, history.schema)
    run(engine, wanted, full_refresh=True)
    target = increment([], first, wanted.unique_key)
    write(engine, SOURCE, later, history.schema)
    by = engine.capabilities.comparing
    mark = rule.highest_of(engine.rows(rule.highest(engine.table(TARGET), "at", by)), ibis.dtype(history.cursor))

    delta = rule.delta(engine.table(SOURCE), wanted, mark, by)
    fresh = rule.fresh(delta, engine.table(TARGET), wanted, by)
    after = engine.rows(rule.merged(engine.table(TARGET), fresh, wanted.unique_key))

    assert canonical(after) == canonical(increment(target, later, wanted.unique_key))


@pytest.mark.everywhere
@pytest.mark.parametrize("cursor", ["timestamp(6)", "date", "int64"])
def test_an_append_takes_only_what_is_after_the_watermark(engine: Engine, cursor: str):
    from tests.histories import CURSORS

    stamp: Any = CURSORS[cursor]
    schema = {"at": cursor, "v": "int64"}
    wanted = Incremental((), "at")
    write(engine, SOURCE, [{"at": stamp(1), "v": 1}, {"at": stamp(2), "v": 2}], schema)
    run(engine, wanted)
    write(engine, SOURCE, [{"at": stamp(2), "v": 9}, {"at": stamp(3), "v": 3}], schema)

    outcome = run(engine, wanted)

    assert sorted(row["v"] for row in content(engine)) == [1, 2, 3]
    assert outcome.inserted == 1
