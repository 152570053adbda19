"""Checks on every engine: each gives the rows that it gives on DuckDB in memory, and a run of them the same results."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pytest

from fastflowtransform import project as projects
from fastflowtransform.checks import check
from fastflowtransform.console import Console, Output
from fastflowtransform.engines.base import Engine
from fastflowtransform.relation import Relation
from fastflowtransform.run_checks import run_checks
from tests.checks.test_dialects import CASES, OF_TWO, TABLE
from tests.conftest import ENGINES, ProjectFolder

NAMES = [None, "a", " ", "1'", "x"]
NOW = datetime(2026, 1, 5, tzinfo=UTC)


def rows(seed: int) -> pa.Table:
    """Return twelve rows with a bit of everything that checks look at."""
    values = [
        (
            None if number == 11 else number * seed % 7 + 1,
            NAMES[(number * 7 + seed) % 5],
            None if number == 5 else Decimal(number * seed - 9),
            number / 4 * seed - 0.5,
            None if number == 9 else date(2026, 1, 1 + number * seed % 6),
            None if number == 8 else datetime(2026, 1, 1 + number % 4 * seed, number),
            datetime(2026, 1, 1, number, tzinfo=UTC),
            [True, False, None][number % 3],
        )
        for number in range(12)
    ]
    schema = TABLE.schema()
    return pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in values], schema.to_pyarrow())


MINE, THEIRS = rows(1), rows(2)


def plain(value: object) -> object:
    """Return a value in a form that drivers agree on."""
    if isinstance(value, Decimal | float):
        return round(float(value), 6)
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value


def sorted_rows(found: pa.Table) -> list[tuple[object, ...]]:
    return sorted((tuple(map(plain, row.values())) for row in found.to_pylist()), key=str)


def stored(engine: Engine, name: str, found: pa.Table) -> ir.Table:
    relation = Relation("demo", name)
    engine.replace(relation, found.to_reader(), over=None)
    return engine.table(relation)


@pytest.fixture(scope="module", params=ENGINES)
def filled_engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Each engine in turn, with the tables `mine` and `theirs`, which nothing changes."""
    opened = ENGINES[request.param]()
    stored(opened, "mine", MINE)
    stored(opened, "theirs", THEIRS)
    yield opened
    opened.close()


@pytest.mark.parametrize("name", CASES)
def test_a_check_gives_the_same_rows_on_every_engine(filled_engine: Engine, name: str):
    both = [filled_engine.table(Relation("demo", table)) for table in ("mine", "theirs")]
    here = both[: 2 if name in OF_TWO else 1]
    memory = [ibis.memtable(MINE), ibis.memtable(THEIRS)][: len(here)]

    for case in CASES[name]:
        arguments = {**case, "now": NOW} if name == "freshness" else case
        with filled_engine.batches(check(name).failing_rows(*here, **arguments)) as batches:
            found = sorted_rows(batches.read_all())
        assert found == sorted_rows(check(name).failing_rows(*memory, **arguments).to_pyarrow())


PATTERNS = r"""
^a+$ ^[^b]*$ (ab|ba) ^\d{2,3}$ ^\s ^\w*$ ^.$ ^l.*2$ ^l[^x]*2$ ^\S+$ ^\W$ \D ^[\w.-]+$ ^[\d\s]+$ \. \t
^[]$]$ \$$ b$ ' ^[^\s]$ a|1$ ^\\$
"""
TEXTS = [
    "",
    *"ab1é.]$'\\\t\r\x0b\x0c\x85\u00a0\u2028😀 ",
    "aa",
    "ab",
    "12",
    "٣٣",
    "l1\nl2",
    "a\n",
    "12\n",
    "a.b-c",
    "a$",
]


def test_a_pattern_finds_on_every_engine_what_it_finds_in_ascii(engine: Engine):
    here = stored(engine, "texts", pa.table({"number": range(len(TEXTS) + 1), "text": [*TEXTS, None]}))

    for pattern in PATTERNS.split():
        found = check("regex_match").failing_rows(here, column="text", pattern=pattern)
        # To Python alone `$` is also the place before a last line break.
        python = re.compile(pattern if pattern == r"^[]$]$" else re.sub(r"(?<!\\)\$", r"\\Z", pattern), re.ASCII)
        expected = {number for number, text in enumerate(TEXTS) if not python.search(text)}
        assert {row["number"] for row in engine.rows(found)} == expected, pattern


def test_white_space_and_rare_characters_are_the_same_on_every_engine(engine: Engine):
    texts = ["", " ", "\t\n\r\x0b\x0c", "v", " f ", "tnr", "a\x0bb", "avb", "a\x0c", "\x07", "\u00a0"]
    here = stored(engine, "texts", pa.table({"number": range(len(texts)), "text": texts}))

    empty = check("not_empty_string").failing_rows(here, column="text")
    rare = check("not_accepted_values").failing_rows(here, column="text", values=("a\x0bb", "\x07", "a\x0c"))

    assert {row["number"] for row in engine.rows(empty)} == {0, 1, 2}
    assert {row["number"] for row in engine.rows(rare)} == {6, 8, 9}


FILES = {
    "project.yml": """
        name: test
        tests:
          - {type: not_null, model: mine, column: id, severity: warn}
          - {type: unique, model: mine, column: zoned}
          - {type: between, model: mine, column: amount, max: 0, where: "id < 3", store_failures: true, name: kept}
          - {type: expression, model: mine, expression: "amount < 0 or share > 1"}
          - {type: expression, model: mine, column: amount, expression: "< 0", error_if: ">100"}
          - {type: relationships, model: mine, column: id, to: theirs, field: id, to_where: "id > 1"}
          - {type: not_null, model: mine, column: idd}
          - {type: greater_equal, model: mine, column: share, threshold: 1, store_failures: true, limit: 3, name: "S m"}
          - {type: longer, model: mine, column: name, length: 1}
          - {type: above, model: mine, column: share, least: 1}
        """,
    "seeds/mine.csv": "a\n1\n",
    "seeds/theirs.csv": "a\n1\n",
    "tests/longer.ff.sql": "{{ config(params=['length']) }} with m as (select * from {{ model }}) "
    "select m.name from m where length(m.{{ column }}) > {{ params.length }}",
    "tests/lost.ff.sql": "select id from {{ ref('theirs') }} except select id from {{ ref('mine') }}",
    "tests/own.ff.py": """
        from fastflowtransform import dq_test

        @dq_test("above")
        def above(table, *, column, least):
            return table.filter(table[column] > least)
        """,
}


def test_a_run_of_checks_ends_alike_on_every_engine(engine: Engine, project: ProjectFolder):
    project.write(FILES)
    stored(engine, "mine", MINE)
    stored(engine, "theirs", THEIRS)
    loaded = projects.load(project.folder, engine=engine.name, database="demo", variables={})

    results = run_checks(loaded.checks, loaded, engine, Console(Output(verbosity=-1)))

    assert {result.name: (str(result.status), result.failures) for result in results} == {
        "not_null_mine_id": ("warn", 1),
        "unique_mine_zoned": ("success", 0),
        "kept": ("success", 0),
        "expression_mine": ("success", 0),
        "expression_mine_amount": ("warn", 3),
        "relationships_mine_id": ("error", 2),
        "not_null_mine_idd": ("error", None),
        "S m": ("error", 6),
        "longer_mine_name": ("error", 3),
        "above_mine_share": ("error", 5),
        "lost": ("success", 0),
    }
    (kept_in,) = (result.stored for result in results if result.name == "S m")
    kept = engine.table(Relation(*str(kept_in).split(".")))
    assert engine.rows(kept.aggregate(kept=kept.count())) == [{"kept": 3}]
