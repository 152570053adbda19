"""What only DuckDB has: the settings of its memory, its threads and the folder that it spills to; its own types."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from fastflowtransform.engines.duckdb import DuckDBEngine
from fastflowtransform.errors import EngineError
from fastflowtransform.relation import Relation
from tests.conftest import ProjectFolder

MANY = "select range as id, hash(range) as h from range({0}) order by h"


def limited(project: ProjectFolder, *settings: str) -> None:
    lines = "".join(f"    {setting}\n" for setting in ("path: w.duckdb", "schema: demo", *settings))
    project.write({"profiles.yml": f"dev:\n  engine: duckdb\n  duckdb:\n{lines}"})


def engine_with(**settings: str) -> DuckDBEngine:
    return DuckDBEngine(duckdb.connect(config={"threads": 1, **settings}), "main")


def refusal(engine: DuckDBEngine, rows: int) -> EngineError:
    with pytest.raises(EngineError) as caught:
        engine.replace(Relation("main", "many"), engine.sql(MANY.format(rows)), over=None)
    return caught.value


@pytest.mark.parametrize(
    ("setting", "message", "hint"),
    [
        ("memory_limit: 1 XB", '"memory_limit" is "1 XB", which DuckDB does not take: ', "such as 2GB"),
        ("memory_limit: lots", '"memory_limit" is "lots", which DuckDB does not take: ', "such as 2GB"),
        ("threads: 0", '"threads" is "0", which DuckDB does not take: ', "from 1 on"),
    ],
)
def test_a_setting_that_duckdb_does_not_take_is_reported_where_it_stands(project, setting, message, hint):
    limited(project, setting)

    answer = project.fft("run")

    assert answer.code == 2
    assert message in answer.err
    assert "profiles.yml:6" in answer.err and hint in answer.err


def test_what_the_memory_does_not_hold_goes_into_temp_directory_whose_path_counts_from_the_project(project):
    limited(project, "memory_limit: 60MB", "threads: 1", "temp_directory: spilled/here")
    project.write(
        {
            "models/many.ff.sql": "{{ config(materialized='table') }}\n" + MANY.format(4_000_000),
            "models/size.ff.py": """
            from pathlib import Path
            from fastflowtransform import model

            @model(materialized="table", deps=["many"])
            def size(many):
                here = Path(__file__).parents[1] / "spilled" / "here"
                return many.limit(1).mutate(is_there=here.is_dir())
            """,
        }
    )

    answer = project.fft("run")

    assert answer.code == 0, answer.err
    assert project.sql("select is_there from size") == [(True,)]


def test_a_full_temp_directory_has_a_hint(tmp_path: Path):
    full = engine_with(memory_limit="40MB", temp_directory=str(tmp_path / "t"))
    full._run("SET max_temp_directory_size = '1MB'")

    error = refusal(full, 8_000_000)

    assert "offload data" in error.message
    assert error.hint == "make room on the disk, or let temp_directory in profiles.yml name a folder on another one"


def test_a_temp_directory_that_cannot_be_made_has_a_hint(tmp_path: Path):
    (tmp_path / "file").touch()
    nowhere = engine_with(memory_limit="40MB", temp_directory=str(tmp_path / "file" / "t"))

    assert refusal(nowhere, 4_000_000).hint == "let temp_directory in profiles.yml name a folder that can be made"


def test_too_little_memory_has_a_hint():
    small = engine_with(memory_limit="20MB", temp_directory="")

    assert "raise memory_limit" in (refusal(small, 4_000_000).hint or "")


def test_a_geometry_that_changes_is_written_as_what_it_is(project):
    def taken(day: str, shape: str) -> str:
        config = "materialized='incremental', unique_key='id', updated_at='ts'"
        select = f"select 1 as id, date '{day}' as ts, '{shape}'::geometry as v"
        project.write({"models/m.ff.sql": f"{{{{ config({config}) }}}} {select}"})
        assert project.fft("run").code == 0
        ((shown,),) = project.sql("select v::varchar from m")
        return shown

    assert taken("2026-01-01", "POINT(1 2)") == "POINT (1 2)"
    assert taken("2026-01-01", "POINT(1 3)") == "POINT (1 3)"
    assert taken("2026-01-02", "POINT(1 4)") == "POINT (1 4)"


def test_an_interrupt_that_meets_ibis_as_it_connects_is_one_and_leaves_nothing_behind(monkeypatch):
    engine = engine_with()

    def interrupted(*_: object) -> None:
        raise duckdb.InterruptException("INTERRUPT Error: Interrupted!")

    with monkeypatch.context() as patched:
        patched.setattr("ibis.backends.duckdb.Backend._post_connect", interrupted)
        with pytest.raises(KeyboardInterrupt):
            engine.sql("select 1 as x")

    assert engine.rows(engine.sql("select 1 as x")) == [{"x": 1}]
