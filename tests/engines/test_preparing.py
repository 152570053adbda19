"""What Ibis makes of functions over tables is kept, and a statement from what was kept is the one that Ibis gives."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastflowtransform import incremental as rule
from fastflowtransform.engines import preparing
from fastflowtransform.engines.base import Engine
from fastflowtransform.errors import MissingColumn
from fastflowtransform.incremental import Comparing, Watermark
from fastflowtransform.kept_file import Entries
from fastflowtransform.materializations import audit, incremental
from fastflowtransform.model import Incremental
from fastflowtransform.rows import Built, Derived, Named, Newest, Rows
from tests.conftest import ProjectFolder, duckdb_engine
from tests.histories import History, canonical, examples, histories

PROPERTY = settings(
    deadline=None,
    max_examples=examples(25),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture
def rows() -> Iterator[Named]:
    """Two staged rows on DuckDB."""
    engine = duckdb_engine()
    with engine.stage(arrow({"id": [1, 2], "at": [10, 20]})) as staged:
        yield staged


def arrow(columns: dict[str, list[Any]]) -> pa.RecordBatchReader:
    return pa.table(columns).to_reader()


def after(table: ir.Table, mark: Watermark) -> ir.Table:
    return table.filter(table[table.columns[-1]] > mark.literal())


def no_more(table: ir.Table) -> ir.Table:
    raise AssertionError("it was built again")


def derived(first: Rows, second: Rows, mark: Newest | None, wanted: Incremental, by: Comparing) -> list[Derived]:
    """Return what the rule makes of two tables of the same columns."""
    doubtful = first.then(rule.doubtful, wanted, mark, by)
    settled = doubtful.into(rule.settled, second, wanted, by, null_safe=True)
    return [
        first.into(rule.highest, wanted.updated_at, by),
        first.then(rule.delta, wanted, mark, by),
        first.then(rule.newest, wanted, by),
        first.then(rule.certain, wanted, mark, by),
        first.into(audit._counts, wanted, mark, by, ranged=True),
        settled,
        doubtful.then(rule.unsettled, settled, wanted, by, null_safe=True),
    ]


@pytest.mark.everywhere
@PROPERTY
@given(history=histories(), data=st.data())
def test_a_statement_gives_the_rows_that_its_expression_gives(engine: Engine, history: History, data: st.DataObject):
    schema, by = ibis.schema(history.schema).to_pyarrow(), engine.capabilities.comparing
    batches = [pa.Table.from_pylist(list(history.batches[number]), schema=schema) for number in (0, -1)]
    wanted = Incremental(tuple(history.key), "at")
    with engine.stage(batches[0].to_reader()) as first, engine.stage(batches[1].to_reader()) as second:
        text = rule.highest_of(engine.rows(first.into(rule.highest, "at", by)))
        mark = None if text is None else Newest(text, first, "at")
        for each in derived(first, second, mark, wanted, by):
            expected = canonical(engine.rows(each.table()))
            # Each but the first is made of what was kept.
            for _ in range(2):
                with engine.stage(each) as found:
                    assert canonical(engine.rows(found.table())) == expected


def test_what_was_kept_needs_no_expression(rows: Named):
    engine = duckdb_engine()
    with engine.stage(arrow({"id": [1, 2], "at": [10, 20]})) as first:
        kept = engine.rows(first.then(after, Newest("10", first, "at")))
    assert kept == [{"id": 2, "at": 20}]

    with engine.stage(arrow({"id": [5, 6, 7], "at": [20, 30, 40]})) as second:
        blind = Named(second.name, second.columns, lambda: no_more(second.table()))
        found = engine.rows(blind.then(after, Newest("30", blind, "at")))

    assert found == [{"id": 7, "at": 40}]


@pytest.mark.parametrize("text", ["it's", 'say "x"', "back\\slash", "__fft_at_0", "'__fft_at_0'", '"__fft_from_0"', ""])
def test_a_watermark_may_be_any_text(text: str):
    engine = duckdb_engine()
    values = sorted({"", text, text + "z"})
    with engine.stage(arrow({"at": values})) as staged:
        for _ in range(2):
            found = engine.rows(staged.then(after, Newest(text, staged, "at")))
            assert [row["at"] for row in found] == [value for value in values if value > text]


@pytest.mark.parametrize("column", ["__fft_from_0", "__fft_from_1", "__fft_at_0", '"', "`", "'__fft_at_0'", "ä b"])
def test_a_column_may_have_any_name(column: str):
    engine = duckdb_engine()
    with engine.stage(arrow({column: [1, 2, 3]})) as staged:
        for _ in range(2):
            assert engine.rows(staged.then(after, Newest("2", staged, column))) == [{column: 3}]


def test_a_text_in_front_may_hold_what_stands_for_names():
    engine = duckdb_engine()
    for _ in range(2):
        text = engine.asked("""SELECT '"__fft_from_0" ''__fft_at_0''' AS word, 3 AS n""")
        found = engine.rows(text.then(after, Newest("2", text, "n")))
        assert found == [{"word": "\"__fft_from_0\" '__fft_at_0'", "n": 3}]


def ordered(table: ir.Table, columns: tuple[str, ...] = ("id",), *, down: bool = False) -> ir.Table:
    return table.order_by([ibis.desc(table[name]) if down else table[name] for name in columns])


OTHERS = {
    "as it is": lambda rows: rows.then(ordered),
    "another function": lambda rows: rows.then(audit._with_key, ("id",)),
    "another setting": lambda rows: rows.then(ordered, ("at",)),
    "another named setting": lambda rows: rows.then(ordered, down=True),
    "twice": lambda rows: rows.then(ordered).then(ordered),
    "another type": lambda rows: Named(rows.name, {**rows.columns, "at": "INTEGER"}, rows.build).then(ordered),
    "another order": lambda rows: Named(rows.name, dict(reversed(rows.columns.items())), rows.build).then(ordered),
    "one table": lambda rows: rows.then(incremental._both, rows),
    "two tables": lambda rows: rows.then(incremental._both, Named(rows.name, rows.columns, rows.build)),
    "a watermark": lambda rows: rows.then(rule.delta, Incremental(("id",), "at"), Newest("1", rows, "at"), Comparing()),
    "no watermark": lambda rows: rows.then(rule.delta, Incremental(("id",), "at"), None, Comparing()),
    "a watermark of another column": lambda rows: rows.then(
        rule.delta, Incremental(("id",), "at"), Newest("1", Named("x", {"id": "DATE"}, rows.build), "id"), Comparing()
    ),
}


def test_each_of_these_is_kept_on_its_own(rows: Named):
    engine = duckdb_engine()

    for other in OTHERS.values():
        engine.compiled(other(rows))

    assert len(engine.preparing.statements.used) == len(OTHERS)


def test_engines_do_not_share_what_is_kept(rows: Named):
    statements, asked = Entries(), []
    for name in ("duckdb", "postgres"):
        engine = preparing.Preparing(name, lambda table, name=name: asked.append(name) or name, repr)  # type: ignore[misc]
        engine.statements = statements
        assert engine.select(rows.then(ordered)) == name

    assert asked == ["duckdb", "postgres"]


def test_an_expression_that_somebody_has_built_is_not_kept(rows: Named):
    engine = duckdb_engine()
    built = Built(rows.table())

    assert "__fft_stage_1" in engine.compiled(built.then(ordered))
    assert "__fft_stage_1" in engine.compiled(rows.then(incremental._both, built))
    assert not engine.preparing.statements.used


def test_a_claim_that_held_is_not_looked_at_again_and_one_that_did_not_is(rows: Named):
    engine = duckdb_engine()
    good, bad = Incremental(("id",), "at"), Incremental(("missing",), "at")

    engine.preparing.says(rule.require_columns, rows, good)
    blind = Named("elsewhere", rows.columns, lambda: no_more(rows.table()))
    engine.preparing.says(rule.require_columns, blind, good)

    for _ in range(2):
        with pytest.raises(MissingColumn):
            engine.preparing.says(rule.require_columns, rows, bad)


def test_statements_are_there_for_the_next_command(tmp_path: Path, rows: Named):
    for made in (1, 0):
        engine = duckdb_engine()
        with preparing.keeping(tmp_path) as engine.preparing.statements:
            engine.compiled(rows.then(ordered))
            assert len(engine.preparing.statements.used.keys() - engine.preparing.statements.read.keys()) == made


@pytest.mark.parametrize("change", ["source", "package", "damage"])
def test_what_something_else_has_made_counts_as_none(
    tmp_path: Path, rows: Named, monkeypatch: pytest.MonkeyPatch, change: str
):
    with preparing.keeping(tmp_path) as statements:
        statements.put(b"key", b"SELECT 1")
    path = tmp_path / "target" / preparing.NAME
    if change == "source":
        monkeypatch.setattr(preparing, "_SOURCES", preparing._SOURCES[1:])
    elif change == "package":
        monkeypatch.setattr("fastflowtransform.kept_file.os.listdir", lambda _: ["ibis_framework-0.dist-info"])
    else:
        path.write_bytes(path.read_bytes()[:-1] + b"x")

    with preparing.keeping(tmp_path) as statements:
        assert statements.get(b"key") is None


def test_what_no_command_asks_for_is_let_go_when_there_is_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(preparing, "_MOST", 2)
    for name in (b"a", b"b", b"c"):
        with preparing.keeping(tmp_path) as statements:
            statements.put(name, b"SELECT 1")

    with preparing.keeping(tmp_path) as statements:
        assert statements.read == {b"c": b"SELECT 1"}


@pytest.mark.never("spark", reason="its session has Ibis' types from the start", run=False)
@pytest.mark.parametrize("jobs", ["1", "4"])
def test_increments_that_were_compiled_before_load_no_ibis(each_project: ProjectFolder, jobs: str):
    config = "{{ config(materialized='incremental', unique_key='id', updated_at='ts') }} "
    each_project.write(
        {f"models/m{n}.ff.sql": config + "select * from {{ source('raw', 'events') }}" for n in range(4)}
    )
    each_project.write({"sources.yml": "sources: [{name: raw, tables: [{name: events}]}]"})
    each_project.sql("CREATE TABLE events (id INTEGER, ts DATE, v INTEGER)")
    for number in range(4):
        # Each time a row that is new, and late ones that differ.
        each_project.sql(f"UPDATE events SET v = {number}")
        each_project.sql(f"INSERT INTO events VALUES ({number}, '2026-01-0{number // 2 + 1}', 0)")
        if number < 3:
            assert each_project.fft("run", "--jobs", jobs).code == 0

    code = f"""
import sys
from fastflowtransform import cli
assert cli.call(["run", {str(each_project.folder)!r}, "--jobs", {jobs!r}]) == 0
assert "ibis" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)

    assert [row[2] for row in sorted(each_project.sql("SELECT * FROM m3"))][2:] == [3, 0]


@pytest.mark.slow
def test_threads_that_need_ibis_at_once_get_all_of_it(project: ProjectFolder):
    config = "{{ config(materialized='incremental', unique_key='id', updated_at='at') }} "
    project.write({f"models/m{n}.ff.sql": config + f"select {n} as id, 1 as at, {n} as c{n}" for n in range(8)})
    command = [sys.executable, "-m", "fastflowtransform", "run", str(project.folder), "--jobs", "8", "--full-refresh"]

    for _ in range(5):
        (project.folder / "target" / preparing.NAME).unlink(missing_ok=True)
        subprocess.run(command, check=True)
