"""What tells rows that stand from any others, tried on each engine; and notes that come with a write or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import ibis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastflowtransform.engines import duckdb_notes
from fastflowtransform.engines.base import Engine, Kind, Transactional
from fastflowtransform.engines.notes import Notes
from fastflowtransform.errors import EngineError
from fastflowtransform.relation import Relation
from fastflowtransform.results import WriteCounts
from tests.conftest import ENGINES, duckdb_engine
from tests.engines.test_marks import T, by_hand, changes, numbers

NOTES = Notes(Relation("demo", "fft_notes"), {"who": str, "rows": int, "share": float})
TELLING = ["duckdb", "postgres", "spark"]


@pytest.fixture(params=TELLING)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Each engine that can tell: all but Spark's without Delta, whose tables do not say who wrote them."""
    opened = ENGINES[request.param]()
    yield opened
    opened.close()


@pytest.fixture
def written(engine: Engine) -> Engine:
    """An engine with a table of two rows."""
    engine.replace(T, numbers((1, "a"), (2, "b")), over=None)
    return engine


def noted(engine: Engine) -> list[dict[str, object]]:
    return engine.rows(engine.table(NOTES.relation).order_by("rows"))


def test_the_state_of_a_table_stays_while_nothing_changes_it(written: Engine):
    before = written.state(T, Kind.TABLE)

    written.rows(written.table(T))

    assert before is not None
    assert written.state(T, Kind.TABLE) == before


@pytest.mark.parametrize("change", list(changes()))
def test_whatever_changes_a_table_changes_its_state(written: Engine, change: str):
    before = written.state(T, Kind.TABLE)

    by_hand(written, change)

    assert written.state(T, Kind.TABLE) != before


def test_a_view_has_another_state_than_the_table_that_it_took_the_place_of(written: Engine):
    other = Relation("demo", "other")
    written.replace(other, numbers((1, "a")), over=None)
    before = written.state(T, Kind.TABLE)

    written.create_view(T, written.table(other), over=Kind.TABLE)

    assert written.state(T, Kind.VIEW) not in (None, before)


def test_the_state_of_a_view_tells_its_definition(written: Engine):
    view, table = Relation("demo", "v"), written.table(T)
    written.create_view(view, table, over=None)
    before = written.state(view, Kind.VIEW)
    written.create_view(view, table, over=Kind.VIEW)
    same = written.state(view, Kind.VIEW)

    written.create_view(view, table.filter(table["id"] > 1), over=Kind.VIEW)

    assert before is not None
    assert same == before
    assert written.state(view, Kind.VIEW) != before


@pytest.mark.engine("duckdb")
def test_functions_are_steady_unless_they_ask_for_the_moment():
    engine = ENGINES["duckdb"]()

    assert engine.evidence.steady({"list_transform", "now", "nextval", "no_such"}) == {"list_transform"}
    assert engine.evidence.steady({"sum", "lag", "+", "in", "current_localtimestamp", "reservoir_quantile"}) == {
        "sum",
        "lag",
        "+",
        "in",
    }
    engine.close()


@pytest.mark.engine("postgres")
def test_functions_of_postgres_are_steady_unless_they_ask_for_the_moment_or_the_settings():
    engine = ENGINES["postgres"]()

    assert engine.evidence.steady({"md5", "clock_timestamp", "txid_current", "no_such"}) == {"md5"}
    engine.close()


def test_notes_are_added_to_a_table_that_is_made_once(engine: Engine):
    assert engine.prepare(NOTES)
    engine.note(NOTES, [{"who": "it's \\ ü", "rows": 1, "share": 0.5}, {"who": None, "rows": 2}])
    assert engine.prepare(NOTES)
    engine.note(NOTES, [{"rows": 3}])

    assert noted(engine) == [
        {"who": "it's \\ ü", "rows": 1, "share": 0.5},
        {"who": None, "rows": 2, "share": None},
        {"who": None, "rows": 3, "share": None},
    ]


def test_a_table_of_notes_of_an_older_version_gets_the_columns_that_it_lacks(engine: Engine):
    engine.prepare(Notes(NOTES.relation, {"rows": int}))
    engine.note(Notes(NOTES.relation, {"rows": int}), [{"rows": 1}])

    engine.prepare(NOTES)
    engine.note(NOTES, [{"rows": 2, "who": "b"}])

    assert [(row["rows"], row["who"]) for row in noted(engine)] == [(1, None), (2, "b")]


def transactional() -> Iterator[Engine]:
    for name in ("duckdb", "postgres"):
        yield pytest.param(name, marks=pytest.mark.engine(name), id=name)


@pytest.fixture
def noting(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An engine with a table, a view, and a table of notes."""
    opened = ENGINES[request.param]()
    opened.replace(T, numbers((1, "a"), (2, "b")), over=None)
    opened.create_view(Relation("demo", "v"), opened.table(T), over=None)
    opened.prepare(NOTES)
    yield opened
    opened.close()


WRITES = {
    "replace": lambda engine: engine.replace(T, numbers((7, "x")), over=Kind.TABLE),
    "make": lambda engine: engine.replace(Relation("demo", "new"), numbers((7, "x")), over=None),
    "view": lambda engine: engine.create_view(Relation("demo", "v"), engine.table(T).limit(1), over=Kind.VIEW),
    "append": lambda engine: engine.append(T, one(engine)),
    "merge": lambda engine: engine.merge(T, one(engine), ("id",), null_safe=False),
}
CHANGED = {
    "replace": (T, Kind.TABLE),
    "make": (Relation("demo", "new"), Kind.TABLE),
    "view": (Relation("demo", "v"), Kind.VIEW),
    "append": (T, Kind.TABLE),
    "merge": (T, Kind.TABLE),
}


def one(engine: Engine) -> ibis.expr.types.Table:
    return engine.table(T).filter(lambda rows: rows["id"] == 1).mutate(v=ibis.literal("A"))


@pytest.mark.parametrize("noting", list(transactional()), indirect=True)
@pytest.mark.parametrize("write", WRITES)
def test_a_note_comes_with_the_write_and_knows_the_state_that_it_leaves(noting: Engine, write: str):
    assert isinstance(noting, Transactional)
    states: list[str | None] = []

    def note(counts: WriteCounts) -> None:
        states.append(noting.state(*CHANGED[write], written=True))
        noting.note(NOTES, [{"who": write, "rows": counts.inserted + counts.updated}])

    with noting.alongside(note):
        WRITES[write](noting)

    assert [row["who"] for row in noted(noting)] == [write]
    assert states == [noting.state(*CHANGED[write])]


@pytest.mark.parametrize("noting", list(transactional()), indirect=True)
@pytest.mark.parametrize("write", WRITES)
def test_a_write_whose_note_fails_is_undone(noting: Engine, write: str):
    assert isinstance(noting, Transactional)
    before = noting.state(*CHANGED[write]) if write != "make" else None

    def note(_: WriteCounts) -> None:
        noting.note(Notes(Relation("demo", "not_there"), {"who": str}), [{"who": "x"}])

    with pytest.raises(EngineError), noting.alongside(note):
        WRITES[write](noting)

    assert (noting.state(*CHANGED[write]) if write != "make" else None) == before
    assert (Relation("demo", "new") in noting.existing([Relation("demo", "new")])) is False


TEXT = st.none() | st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\0'\"\\\n"), max_size=8)
MOMENT = st.none() | st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
NOTED = st.fixed_dictionaries(
    {},
    optional={
        "who": TEXT,
        "rows": st.none() | st.integers(-(2**63), 2**63 - 1),
        "share": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "at": MOMENT,
    },
)


@settings(deadline=None, max_examples=30)
@given(row=NOTED)
def test_many_rows_are_noted_as_one_is(row: dict[str, Any]):
    engine = duckdb_engine()
    notes = Notes(Relation("demo", 'no"tes'), {"who": str, "rows": int, "share": float, "at": datetime})
    engine.prepare(notes)

    engine.note(notes, [row])
    engine.note(notes, [row] * duckdb_notes._MANY)

    found = {tuple(each.values()) for each in engine.rows(engine.table(notes.relation))}
    who, at = row.get("who"), row.get("at")
    assert found == {
        (
            None if who is None else who.replace("\0", ""),
            row.get("rows"),
            row.get("share"),
            None if at is None else at.replace(tzinfo=None),
        )
    }


EXOTIC = (
    'create table demo.{0} as select 1 as id, 1.5::decimal(9, 2) as d, \'a\' as "we ""ird", [1.5::double] as l, '
    "{{'a': interval '1 day'}} as s, map {{1: 'x'}} as m, date '2026-01-01' as day, 'a'::enum('a', 'b''c') as e, "
    "-0.0::float as f, union_value(u := 1) as u, '1'::json as j, now()::timestamptz as tz, 1::hugeint as h, null as n"
)


def test_many_states_are_what_each_is():
    engine = duckdb_engine()
    names = [Relation("demo", name) for name in ("a", "b", "c")]
    for each in names:
        engine._run(EXOTIC.format(each.name))
    engine._run("alter table demo.c add column late varchar default 'x'; create table demo.d (a int, g as (a + 1))")
    names.append(Relation("demo", "d"))

    each = {name: engine.state(name, Kind.TABLE) for name in names}

    assert engine.states(names) == each
    assert engine.states(names, all_at_once=True) == each
    engine.close()


def test_states_that_are_found_later_are_what_they_would_have_been():
    engine = duckdb_engine()
    engine.prepare(NOTES)
    with engine.together():
        engine.replace(T, numbers((1, "a")), over=None)
        later = engine.later(T)
        engine.note(NOTES, [{"who": later}])

    assert later is not None
    assert [row["who"] for row in noted(engine)] == [later.text] == [engine.state(T, Kind.TABLE)]
    assert engine.later(T) is None
    engine.close()
