"""The note of a table's largest cursor in its commits: believed where nothing was written since, else where to look."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fastflowtransform.engines.spark import SparkEngine
from tests.conftest import ProjectFolder
from tests.conftest import spark_session as shared_session

pytestmark = pytest.mark.engine("spark")

MODEL = "{{{{ config(materialized='incremental', unique_key='id', updated_at='{0}') }}}}\nselect * from demo.events"


@pytest.fixture
def noted(spark_project: ProjectFolder) -> ProjectFolder:
    """An incremental model of ten events that stands, and was merged into once; its newest row is of day 11."""
    spark_project.write({"models/fct.ff.sql": MODEL.format("at")})
    spark_project.sql("CREATE TABLE events (id BIGINT, at TIMESTAMP, n BIGINT)")
    arrives(spark_project, *range(1, 11))
    assert spark_project.fft("run").code == 0
    arrives(spark_project, 11)
    assert spark_project.fft("run").code == 0
    return spark_project


def arrives(project: ProjectFolder, *days: int) -> None:
    rows = (f"({day}, TIMESTAMP '2026-01-01' + INTERVAL {day - 1} DAY, {day})" for day in days)
    project.sql(f"INSERT INTO events VALUES {', '.join(rows)}")


def watermarks(project: ProjectFolder) -> tuple[Any, Any]:
    (step,) = json.loads((project.folder / "target" / "run_results.json").read_text())["steps"]
    return step["outcome"]["watermark_before"], step["outcome"]["watermark_after"]


def files_of(day: int) -> list[Path]:
    """Return the files of `fct` that hold the event of a day."""
    found = shared_session().rows(f"SELECT DISTINCT input_file_name() AS file FROM demo.fct WHERE id = {day}")
    return [Path(row["file"].removeprefix("file:").lstrip("/")) for row in found]


def test_each_write_of_an_incremental_model_notes_its_newest_cursor(noted: ProjectFolder):
    said = [row["userMetadata"] for row in shared_session().rows("DESCRIBE HISTORY demo.fct")]

    assert '"fft_newest": ["at", "timestamp(6)", "2026-01-11 00:00:00", 0]' in said[0]
    assert '"fft_newest": ["at", "timestamp(6)", "2026-01-10 00:00:00", null]' in said[-1]


def test_an_increment_reads_no_file_that_only_holds_older_rows(noted: ProjectFolder):
    (old,) = files_of(3)
    Path("/", old).unlink()
    arrives(noted, 12)

    answer = noted.fft("run")

    assert (answer.code, answer.err) == (0, "")
    assert watermarks(noted) == ("2026-01-11 00:00:00", "2026-01-12 00:00:00")


def test_a_note_of_rows_that_are_gone_is_not_believed(noted: ProjectFolder):
    noted.sql("DELETE FROM fct WHERE id > 5")

    assert noted.fft("run").code == 0

    assert watermarks(noted)[0] == "2026-01-05 00:00:00"
    assert noted.sql("SELECT count(*) FROM fct") == [(11,)]


def test_newer_rows_that_somebody_else_wrote_are_seen(noted: ProjectFolder):
    noted.sql("INSERT INTO fct VALUES (99, TIMESTAMP '2026-02-01', 1)")

    assert noted.fft("run").code == 0

    assert watermarks(noted)[0] == "2026-02-01 00:00:00"


def test_a_note_of_another_cursor_is_left_alone(noted: ProjectFolder):
    noted.write({"models/fct.ff.sql": MODEL.format("n")})
    arrives(noted, 12)

    assert noted.fft("run").code == 0

    assert watermarks(noted) == ("11", "12")


def test_what_others_say_in_their_commits_is_no_note(noted: ProjectFolder):
    conf, said = shared_session().spark.conf, "spark.databricks.delta.commitInfo.userMetadata"
    words = ["by hand", "[1]", '{"fft_newest": "x"}', '{"fft_newest": ["at", 1, 2]}']
    words.append('{"fft": 1, "fft_newest": ["at", "timestamp(6)", "2026-03-01 00:00:00", null]}')
    for day, word in zip((11, 10, 9, 8, 7), words, strict=True):
        conf.set(said, word)
        noted.sql(f"DELETE FROM fct WHERE id = {day}")
        conf.unset(said)

    assert noted.fft("run").code == 0

    assert watermarks(noted)[0] == "2026-01-06 00:00:00"


def is_looked_for(project: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Run, and return whether the table was asked for its largest cursor."""
    asked: list[str] = []

    def rows(engine: SparkEngine, table: Any, asks: Any = SparkEngine.rows) -> Any:
        asked.append(engine.compiled(table))
        return asks(engine, table)

    with monkeypatch.context() as patched:
        patched.setattr(SparkEngine, "rows", rows)
        assert project.fft("run").code == 0
    return any("`watermark`" in select for select in asked)


def test_a_note_in_the_newest_commit_is_the_watermark_and_the_table_is_not_read_for_it(
    noted: ProjectFolder, monkeypatch: pytest.MonkeyPatch
):
    arrives(noted, 12)
    assert not is_looked_for(noted, monkeypatch)
    assert watermarks(noted) == ("2026-01-11 00:00:00", "2026-01-12 00:00:00")

    noted.fft("run", "--full-refresh")
    arrives(noted, 13)
    assert not is_looked_for(noted, monkeypatch)
    assert watermarks(noted) == ("2026-01-12 00:00:00", "2026-01-13 00:00:00")


@pytest.mark.parametrize(
    "statement",
    [
        "OPTIMIZE demo.fct",
        "INSERT INTO demo.fct VALUES (98, TIMESTAMP '2026-01-02', 1)",
        "RESTORE demo.fct TO VERSION AS OF 1",
    ],
)
def test_after_any_other_commit_the_table_is_asked_again(
    noted: ProjectFolder, monkeypatch: pytest.MonkeyPatch, statement: str
):
    if "RESTORE" in statement:
        noted.sql("DELETE FROM fct WHERE id = 3")
    shared_session().run(statement)
    arrives(noted, 12)

    assert is_looked_for(noted, monkeypatch)
    assert watermarks(noted)[0] == "2026-01-11 00:00:00"
    arrives(noted, 13)
    assert not is_looked_for(noted, monkeypatch)


def test_a_note_over_rows_that_somebody_wrote_meanwhile_is_not_believed(
    noted: ProjectFolder, monkeypatch: pytest.MonkeyPatch
):
    """Another writer commits a newer row after the watermark was read and before the increment is written."""
    merge = SparkEngine.merge

    def late(engine: SparkEngine, *arguments: Any, **others: Any) -> Any:
        # In a session of its own: in ours, it would be this very write to Delta.
        another = shared_session().spark.newSession()
        another.sql("INSERT INTO demo.fct VALUES (99, TIMESTAMP '2026-02-01', 1)").collect()
        return merge(engine, *arguments, **others)

    arrives(noted, 12)
    with monkeypatch.context() as patched:
        patched.setattr(SparkEngine, "merge", late)
        assert noted.fft("run").code == 0

    assert is_looked_for(noted, monkeypatch)
    assert watermarks(noted)[0] == "2026-02-01 00:00:00"
