"""What an incremental run means, tried on every engine: random histories against the rule in plain Python."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastflowtransform import incremental as rule
from fastflowtransform.engines.base import Engine
from fastflowtransform.errors import Location
from fastflowtransform.incremental import Watermark
from fastflowtransform.materializations import incremental
from fastflowtransform.model import Incremental, Materialized, Model, OnNullKey, PythonBody
from fastflowtransform.plan import Step
from fastflowtransform.relation import Relation
from fastflowtransform.results import Outcome
from fastflowtransform.rows import Rows
from tests.histories import History, Row, canonical, examples, histories, increment

TARGET = Relation("demo", "target")
PROPERTY = settings(
    deadline=None,
    max_examples=examples(40),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


class TableQuery:
    """A model that reads the source as it is."""

    def __init__(self, model: Model, rows: Rows) -> None:
        self.model = model
        self._rows = rows

    @contextlib.contextmanager
    def given(self, *, is_incremental: bool) -> Iterator[Rows]:
        yield self._rows

    def delta(self) -> None:
        return None


@contextlib.contextmanager
def source(engine: Engine, rows: Sequence[Row], schema: dict[str, str]) -> Iterator[Rows]:
    """Keep rows where the engine computes, for a model to read."""
    arrow = pa.Table.from_pylist(list(rows), schema=ibis.schema(schema).to_pyarrow())
    with engine.stage(arrow.to_reader()) as staged:
        yield staged


def run(engine: Engine, wanted: Incremental, query: Rows, *, full_refresh: bool = False) -> Outcome:
    body = PythonBody(lambda table: table)
    model = Model("target", body, Location(Path("target.ff.py"), 1), Materialized.INCREMENTAL, incremental=wanted)
    over = engine.existing([TARGET]).get(TARGET)
    action = incremental.decide(model, over, engine.capabilities, full_refresh=full_refresh)
    step = Step(model, TARGET, action, over)
    return incremental.apply(engine, step, TableQuery(model, query))


def content(engine: Engine) -> list[Row]:
    return engine.rows(engine.table(TARGET))


def play(
    engine: Engine, history: History, wanted: Incremental, *, once_more: bool = False
) -> Iterator[tuple[list[Row], Outcome]]:
    """Run after each batch; the first run is a full refresh over what another example left.

    With `once_more`, the last rows are seen twice.
    """
    seen: list[Row] = []
    last = len(history.batches) - 1
    for number, batch in enumerate(history.batches):
        seen += batch
        with source(engine, seen, history.schema) as query:
            outcome = run(engine, wanted, query, full_refresh=number == 0)
            yield seen, outcome
            if once_more and number == last:
                yield seen, run(engine, wanted, query)


@pytest.mark.everywhere
@PROPERTY
@given(history=histories(), days=st.sampled_from([None, 1, 3]))
def test_each_run_leaves_the_table_that_the_rule_gives_and_one_more_changes_nothing(
    engine: Engine, history: History, days: int | None
):
    lookback = None if days is None or history.cursor == "int64" else timedelta(days=days)
    wanted = Incremental(tuple(history.key), "at", lookback=lookback)
    expected: list[Row] = []

    for number, (seen, outcome) in enumerate(play(engine, history, wanted, once_more=True)):
        before = [] if number == 0 else expected
        expected = increment(before, seen, wanted.unique_key, lookback)
        assert canonical(content(engine)) == canonical(expected)
        assert outcome.inserted == len(expected) - len(before)
        if number == len(history.batches):
            assert expected == before
            assert (outcome.inserted, outcome.updated) == (0, 0)


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
    with source(engine, [{"id": 2, "at": 5, "v": "b"}, {"id": 2, "at": 4, "v": "older"}], schema) as rows:
        engine.replace(TARGET, rows, over=None)

    with source(engine, [{"id": 2, "at": 5, "v": "B"}, {"id": 3, "at": 5, "v": "c"}], schema) as query:
        outcome = run(engine, Incremental(("id",), "at"), query)

    assert canonical(content(engine)) == canonical([{"id": 2, "at": 5, "v": "B"}, {"id": 3, "at": 5, "v": "c"}])
    assert (outcome.inserted, outcome.updated) == (0, 2) or (outcome.inserted, outcome.updated) == (1, 1)


@PROPERTY
@given(history=histories(late=False))
def test_increments_of_rows_in_order_give_what_a_full_refresh_gives(engine: Engine, history: History):
    wanted = Incremental(tuple(history.key), "at")
    rows = [row for batch in history.batches for row in batch]
    for _ in play(engine, history, wanted):
        pass
    incremented = canonical(content(engine))

    with source(engine, rows, history.schema) as query:
        run(engine, wanted, query, full_refresh=True)

    assert incremented == canonical(content(engine))


@PROPERTY
@given(history=histories())
def test_the_rule_in_ibis_is_the_rule_in_python(engine: Engine, history: History):
    wanted = Incremental(tuple(history.key), "at")
    first, later = history.batches[0], [row for batch in history.batches for row in batch]
    with source(engine, first, history.schema) as query:
        run(engine, wanted, query, full_refresh=True)
    target = increment([], first, wanted.unique_key)
    by = engine.capabilities.comparing
    text = rule.highest_of(engine.rows(rule.highest(engine.table(TARGET), "at", by)))
    mark = None if text is None else Watermark(text, history.cursor)

    with source(engine, later, history.schema) as query:
        delta = rule.delta(query.table(), wanted, mark, by)
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
    with source(engine, [{"at": stamp(1), "v": 1}, {"at": stamp(2), "v": 2}], schema) as query:
        run(engine, wanted, query)

    with source(engine, [{"at": stamp(2), "v": 9}, {"at": stamp(3), "v": 3}], schema) as query:
        outcome = run(engine, wanted, query)

    assert sorted(row["v"] for row in content(engine)) == [1, 2, 3]
    assert outcome.inserted == 1
