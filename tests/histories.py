"""Histories of batches, and the rule of an incremental run in plain Python: the oracle of the property tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

Row = dict[str, Any]

START = datetime(2026, 1, 1)
SIZE = 1
"""How many times as large an example is; where a statement takes a second, fewer and larger ones find as much."""
KEYS: dict[str, st.SearchStrategy[Any]] = {
    "int64": st.deferred(lambda: st.integers(0, 5 * SIZE)),
    "string": st.sampled_from(["", "a", "A", "ä", "O'Hara", '"', "\N{GRINNING FACE}", "\\x41"]),
    "date": st.integers(0, 3).map(lambda n: date(2026, 1, 1) + timedelta(days=n)),
    "decimal(10, 2)": st.sampled_from([Decimal("0.00"), Decimal("1.10"), Decimal("-1.10")]),
    "boolean": st.booleans(),
}
CURSORS: dict[str, Any] = {
    "timestamp(6)": lambda n: START + timedelta(microseconds=n),
    "date": lambda n: START.date() + timedelta(days=n),
    "int64": lambda n: n,
}
VALUES = st.one_of(st.none(), st.integers(-3, 3))
TEXTS = st.sampled_from([None, "", "a", "B", "Z", "b", "ä", "\uffff", "\N{GRINNING FACE}", "\\x00", "10", "9"])


@dataclass(frozen=True)
class History:
    """Batches of rows as they arrive at an append-only source."""

    key: dict[str, str]
    cursor: str
    batches: tuple[tuple[Row, ...], ...]

    @property
    def schema(self) -> dict[str, str]:
        """Type by column."""
        return {**self.key, "at": self.cursor, "v": "int64", "w": "string"}


def examples(number: int) -> int:
    """Return how many examples to try in place of `number` small ones."""
    return number if SIZE == 1 else max(2, number // 20)


@st.composite
def histories(draw: st.DrawFn, *, late: bool = True, null_keys: bool = False) -> History:
    """Draw a history; without `late`, no row is older than the newest row before its batch."""
    types = draw(st.lists(st.sampled_from(sorted(KEYS)), min_size=1, max_size=2))
    key = {f"k{number}": dtype for number, dtype in enumerate(types)}
    cursor = draw(st.sampled_from(sorted(CURSORS)))
    batches, newest = [], 0
    for _ in range(draw(st.integers(1, 4) if SIZE == 1 else st.just(3))):
        lowest = 0 if late else newest
        ticks = st.one_of(st.none(), st.integers(lowest, lowest + 5 * SIZE))
        parts = st.tuples(*(st.none() | KEYS[t] if null_keys else KEYS[t] for t in types))
        few = 0 if SIZE == 1 else 2 * SIZE
        drawn = draw(st.lists(st.tuples(parts, ticks, VALUES, TEXTS), min_size=few, max_size=6 * SIZE))
        rows = []
        for key_parts, tick, v, w in drawn:
            at = None if tick is None else CURSORS[cursor](tick)
            newest = max(newest, tick or 0)
            rows.append({**dict(zip(key, key_parts, strict=True)), "at": at, "v": v, "w": w})
        batches.append(tuple(rows))
    return History(key, cursor, tuple(batches))


@dataclass(frozen=True)
class ChangingHistory:
    """A history whose query changes: for each batch its columns in their order, and whether they are in capitals."""

    history: History
    queries: tuple[tuple[tuple[str, ...], bool], ...]

    def schema(self, number: int) -> dict[str, str]:
        """Type by column of a batch's query, as the table spells the names."""
        types = {**self.history.schema, "x": "int64"}
        return {name: types[name] for name in self.queries[number][0]}


@st.composite
def changing_histories(draw: st.DrawFn) -> ChangingHistory:
    """Draw a history with a query for each batch: its columns in any order, of which v, w and x come and go."""
    history = draw(histories())
    rows = st.fixed_dictionaries({"x": VALUES})
    batches = tuple(tuple({**row, **draw(rows)} for row in batch) for batch in history.batches)
    queries = []
    for _ in batches:
        gone = draw(st.sets(st.sampled_from(["v", "w", "x"]), max_size=2))
        names = draw(st.permutations([*history.key, "at", "v", "w", "x"]))
        queries.append((tuple(name for name in names if name not in gone), draw(st.booleans())))
    return ChangingHistory(History(history.key, history.cursor, batches), tuple(queries))


def rank(row: Row, key: Sequence[str]) -> tuple[Any, ...]:
    """Return what decides between two rows of one key: the greater stands."""
    others = [name for name in row if name not in key and name != "at"]
    return tuple((row[name] is not None, 0 if row[name] is None else row[name]) for name in ("at", *others))


def increment(target: Sequence[Row], query: Sequence[Row], key: Sequence[str], lookback: Any = None) -> list[Row]:
    """Return the target after a run, by the rule."""
    stamps = [row["at"] for row in target if row["at"] is not None]
    start = None if not stamps else max(stamps) if lookback is None else max(stamps) - lookback
    delta = [row for row in query if start is None or row["at"] is None or row["at"] >= start]
    fresh: dict[tuple[Any, ...], Row] = {}
    for row in delta:
        parts = tuple(row[name] for name in key)
        if parts not in fresh or rank(row, key) > rank(fresh[parts], key):
            fresh[parts] = row
    after = {tuple(row[name] for name in key): row for row in target}
    for parts, row in fresh.items():
        if parts not in after or not _older(row, after[parts]):
            after[parts] = row
    return list(after.values())


def _older(row: Row, other: Row) -> bool:
    return other["at"] is not None and (row["at"] is None or row["at"] < other["at"])


def canonical(rows: Sequence[Row]) -> list[str]:
    """Return rows in an order and a form that can be compared."""
    return sorted(repr(sorted(row.items())) for row in rows)
