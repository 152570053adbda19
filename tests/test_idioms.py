"""DuckDB's SQL gives the same rows on the other engines, or is refused: one case for each thing that a rule says."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa
import pytest
import sqlglot

from fastflowtransform.engines import type_in_sql
from fastflowtransform.engines.base import Engine
from fastflowtransform.engines.duckdb_binding import binder
from fastflowtransform.relation import Relation
from fastflowtransform.translation import Relation as Bound
from fastflowtransform.translation import Request, Translation, source_type, translate
from tests.conftest import ENGINES

FOLDER = Path(__file__).parent / "idioms"
VISITS = """
    SELECT id::int AS id, label, visits::int AS visits, share::double AS share, price::decimal(10, 2) AS price, day,
        opened, seen, moment, good, tags, raw, doc
    FROM (VALUES
        (1, 'apple', 7, 0.5, 10.50, date '2024-01-31', date '2023-12-31', timestamp '2024-01-31 10:15:30.123456',
            timestamptz '2024-01-31 10:15:30+00', true, 'p,q,r', '12', '{"a":1,"b":{"c":"x"},"list":[1,2]}'),
        (2, 'Apple', -7, 1.5, 2.35, date '2024-02-29', date '2024-03-01', timestamp '1969-12-31 22:59:59.5',
            timestamptz '2024-07-01 00:30:00+00', false, 'p', '1.5', '{"a":2.5,"b":{"c":"y"},"list":[]}'),
        (3, 'élan', 0, 2.5, -2.45, date '2023-12-31', date '2024-01-01', timestamp '2023-12-31 00:00:00',
            timestamptz '2023-12-31 23:30:00+00', true, '', ' 7 ', '{"a":"text","b":null}'),
        (4, 'b', null, -0.5, -2.35, date '2021-01-03', date '2020-02-29', timestamp '2021-01-03 23:59:59.999999',
            timestamptz '2021-03-28 01:30:00+00', null, 'q,,r', '2024-01-05', '{"b":{"c":null}}'),
        (5, 'été 2', 3, null, null, null, null, null, null, false, null, null, null),
        (6, 'a%b_c', 10, -1.5, 0.05, date '2024-12-30', date '1999-12-31', timestamp '2024-12-30 13:14:15',
            timestamptz '2024-12-30 13:14:15+00', true, 'a,b', '1e3', '{"a":true,"list":["x",null]}'),
        (7, 'Zebra', 12345, 123456.789, 1234.56, date '2024-07-04', date '2024-07-04', timestamp '2024-03-10 02:30:00',
            timestamptz '2024-11-03 06:30:00+00', null, 'x', 'abc', '{"a":null}'),
        (8, '', 2, -2.5, 99.99, date '1999-12-31', date '2024-01-31', timestamp '2000-02-29 06:07:08.009',
            timestamptz '2000-02-29 06:07:08.009+00', false, 'a,q', '', '[1]')
    ) AS v(id, label, visits, share, price, day, opened, seen, moment, good, tags, raw, doc)
"""


class Case(NamedTuple):
    """One SELECT, and the targets that refuse it."""

    name: str
    sql: str
    refused_by: tuple[str, ...]


def cases() -> Iterator[Case]:
    """Yield what the files hold."""
    for path in sorted(FOLDER.glob("*.sql")):
        for part in re.split(r"^-- name: ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            name, _, rest = part.partition("\n")
            refused = re.findall(r"^-- not on: (\w+)$", rest, flags=re.MULTILINE)
            yield Case(f"{path.stem}: {name}", re.sub(r"^--.*\n", "", rest, flags=re.MULTILINE).strip(), tuple(refused))


CASES = {case.name: case for case in cases()}


@functools.cache
def reference() -> duckdb.DuckDBPyConnection:
    """Return DuckDB with the table."""
    connection = duckdb.connect(config={"threads": 1})
    connection.execute(f"SET timezone = 'UTC'; CREATE SCHEMA shop; CREATE TABLE shop.visits AS {VISITS}")
    return connection


@pytest.fixture(scope="module", params=["postgres", "spark"])
def filled_engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Each engine that is not DuckDB, with the same table."""
    opened = ENGINES[request.param]()
    rows = pa.Table.from_batches(reference().execute("FROM shop.visits").fetch_record_batch())
    opened.replace(Relation("shop", "visits"), rows.to_reader(), over=None)
    yield opened
    opened.close()


def translated(engine: Engine, sql: str) -> Translation:
    columns = engine.found(Relation("shop", "visits")).columns
    types = {name: source_type(type_in_sql(engine.dialect, spelt), engine.dialect) for name, spelt in columns.items()}
    tree = sqlglot.parse_one(sql, read="duckdb")
    return translate(Request(sql, tree, engine.dialect, (Bound(("shop", "visits"), types),)), binder())


def plain(value: Any) -> Any:
    """Return a value as both sides have it: numbers to nine digits, moments in UTC."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float | Decimal):
        return ("number", f"{float(value) + 0.0:.9g}")
    if isinstance(value, datetime):
        moved = value if value.tzinfo is None else value.astimezone(UTC)
        return ("time", value.tzinfo is not None, moved.replace(tzinfo=None).isoformat())
    if isinstance(value, date):
        return ("day", value.isoformat())
    return tuple(map(plain, value)) if isinstance(value, list) else value


def rows_of(table: pa.Table) -> Counter[Any]:
    return Counter(
        tuple(plain(value) for value in row) for row in zip(*(c.to_pylist() for c in table.columns), strict=True)
    )


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_an_idiom_gives_the_same_rows_or_is_refused(filled_engine: Engine, case: Case):
    expected = reference().execute(case.sql).fetch_record_batch().read_all()

    found = translated(filled_engine, case.sql)

    assert bool(found.refusals) == (filled_engine.dialect in case.refused_by), found.refusals
    if not found.refusals:
        with filled_engine.batches(filled_engine.sql(found.sql)) as batches:
            given = batches.read_all()
        assert given.column_names == expected.column_names
        assert rows_of(given) == rows_of(expected), found.sql
