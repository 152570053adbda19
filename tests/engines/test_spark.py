"""What only Spark has: commits and their history, formats, sessions that are there already, and a Java process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pytest

from fastflowtransform.attempts import attempted
from fastflowtransform.engines import spark_session, spark_swap
from fastflowtransform.engines.base import ColumnChanges, Guard, Kind
from fastflowtransform.engines.spark import SparkEngine
from fastflowtransform.engines.spark_catalog import detail
from fastflowtransform.engines.spark_errors import last_words, translated
from fastflowtransform.engines.spark_session import Settings
from fastflowtransform.errors import (
    BadSql,
    ConnectionFailed,
    ConnectionLost,
    EngineError,
    WriteConflict,
    WrongResult,
)
from fastflowtransform.model import Layout
from fastflowtransform.relation import Relation
from fastflowtransform.results import Outcome, WriteCounts
from tests.conftest import ProjectFolder, spark_engine
from tests.conftest import spark_session as shared_session
from tests.processes import process

pytestmark = pytest.mark.engine("spark")

T, V = Relation("demo", "t"), Relation("demo", "v")
KEYED = Layout(key=("id",))


@pytest.fixture
def engine() -> Iterator[SparkEngine]:
    """An engine with the Delta table demo.t of two rows, keyed by id."""
    opened = spark_engine()
    opened.replace(T, rows_of((1, "a"), (2, "b")), over=None, layout=KEYED)
    yield opened
    opened.close()


@pytest.fixture
def parquet() -> Iterator[SparkEngine]:
    """An engine with the parquet table demo.t of two rows."""
    opened = spark_engine("parquet")
    opened.replace(T, rows_of((1, "a"), (2, "b")), over=None)
    yield opened
    opened.close()


def rows_of(*rows: tuple[int, str]) -> pa.RecordBatchReader:
    return pa.table({"id": pa.array([r[0] for r in rows], pa.int64()), "v": [r[1] for r in rows]}).to_reader()


def merge(engine: SparkEngine, *rows: tuple[int, str], **options: Any) -> WriteCounts:
    with engine.stage(rows_of(*rows)) as staged:
        return engine.merge(T, staged, ("id",), null_safe=False, **options)


def content(engine: SparkEngine, relation: Relation = T) -> list[tuple[Any, ...]]:
    return sorted(tuple(row.values()) for row in engine.rows(engine.table(relation)))


def history(table: str = "demo.t") -> list[dict[str, Any]]:
    return shared_session().rows(f"DESCRIBE HISTORY {table}")


def sent(engine: SparkEngine) -> list[str]:
    """Return the statements that the engine sends from now on."""
    statements: list[str] = []
    engine._session._on_statement = statements.append
    return statements


def outcome(counts: WriteCounts) -> Outcome:
    return Outcome(counts.strategy, inserted=counts.inserted, updated=counts.updated)


# Delta


def test_a_merge_is_one_commit_and_the_versions_before_it_can_be_read(engine: SparkEngine):
    assert merge(engine, (2, "B"), (3, "c")) == WriteCounts(1, 1, "MERGE")

    assert [entry["operation"] for entry in history()] == ["MERGE", "CREATE TABLE AS SELECT"]
    before = shared_session().rows("SELECT * FROM demo.t VERSION AS OF 0 ORDER BY id")
    assert before == [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}]


def test_a_keyed_table_marks_old_rows_and_does_not_copy_the_others(engine: SparkEngine):
    rows = pa.table({"id": range(1000), "v": ["a"] * 1000}).to_reader()
    engine.replace(T, rows, over=Kind.TABLE, layout=KEYED)

    merge(engine, (2, "B"))

    metrics = history()[0]["operationMetrics"]
    assert (metrics["numTargetRowsCopied"], metrics["numTargetDeletionVectorsAdded"]) == ("0", "1")


@pytest.mark.parametrize("over", [None, Kind.TABLE], ids=["new", "replaced"])
def test_rows_that_were_written_are_counted_by_their_commit_and_not_read(engine: SparkEngine, monkeypatch, over):
    monkeypatch.setattr(spark_session.Session, "values", lambda *_: pytest.fail("rows are read"))

    counts = engine.replace(V if over is None else T, rows_of((7, "x"), (8, "y"), (9, "z")), over=over)

    assert counts.inserted == 3
    assert engine.replace(Relation("demo", "none"), rows_of(), over=None).inserted == 0


def test_rows_are_counted_where_delta_adds_a_commit_of_its_own(engine: SparkEngine):
    eager = {
        "spark.databricks.delta.autoCompact.enabled": "true",
        "spark.databricks.delta.autoCompact.minNumFiles": "2",
    }
    rows = engine.sql("SELECT /*+ REPARTITION(4) */ id FROM range(8)")

    with engine._session.configured(eager), engine.writing(V, print):
        counts = engine.replace(V, rows, over=None)

    assert [entry["operation"] for entry in history("demo.v")] == ["OPTIMIZE", "CREATE TABLE AS SELECT"]
    assert counts.inserted == 8


def test_rows_are_counted_where_commits_do_not_say_how_many(engine: SparkEngine):
    with engine._session.configured({"spark.databricks.delta.history.metricsEnabled": "false"}):
        assert engine.replace(V, rows_of((7, "x"), (8, "y")), over=None).inserted == 2


def test_a_merge_names_the_range_of_its_keys_so_that_other_files_are_not_read(engine: SparkEngine):
    statements = sent(engine)

    merge(engine, (2, "B"), (7, "c"))

    assert "old.`id` BETWEEN CAST('2' AS BIGINT) AND CAST('7' AS BIGINT)" in statements[-1]


def test_a_row_that_another_writer_made_newer_meanwhile_is_not_overwritten(engine: SparkEngine):
    schema = ibis.schema({"id": "int64", "at": "int64"}).to_pyarrow()
    engine.replace(V, pa.Table.from_pylist([{"id": 1, "at": 9}, {"id": 2, "at": 1}], schema).to_reader(), over=None)

    with engine.stage(pa.Table.from_pylist([{"id": 1, "at": 5}, {"id": 2, "at": 5}], schema).to_reader()) as staged:
        counts = engine.merge(V, staged, ("id",), null_safe=False, guard=Guard("at"))

    assert counts.updated == 1
    assert content(engine, V) == [(1, 9), (2, 5)]


@pytest.mark.parametrize("write", ["same columns", "other columns"])
def test_what_hangs_on_a_delta_table_survives_its_replacement(engine: SparkEngine, write: str):
    session = shared_session()
    session.rows(
        "ALTER TABLE demo.t SET TBLPROPERTIES ('team' = 'sales', 'delta.logRetentionDuration' = 'interval 9 days')"
    )
    session.rows("ALTER TABLE demo.t ALTER COLUMN v COMMENT 'what it says'")
    session.rows("COMMENT ON TABLE demo.t IS 'all of them'")
    rows = engine.table(T)

    engine.replace(T, rows if write == "same columns" else rows.mutate(n=ibis.literal(1)), over=Kind.TABLE)

    now = detail(engine._session, T)
    assert (now.properties["team"], now.properties["delta.logRetentionDuration"]) == ("sales", "interval 9 days")
    assert now.comment == "all of them"
    assert session.frame("SELECT * FROM demo.t").schema["v"].metadata == {"comment": "what it says"}
    assert len(history()) > 3


def test_partitions_and_clusters_are_made_and_stay(engine: SparkEngine):
    rows = engine.table(T).mutate(day=ibis.literal("2026-01-01").cast("date"))
    engine.replace(V, rows, over=None, layout=Layout(partition_by=("day",)))
    engine.replace(V, rows.mutate(more=ibis.literal(1)), over=Kind.TABLE)
    assert detail(engine._session, V).partition_by == ("day",)

    other = Relation("demo", "clustered")
    engine.replace(other, rows, over=None, layout=Layout(cluster_by=("id",)))
    engine.arrange(other, Layout(cluster_by=("day",), table_properties={"team": "sales"}))

    now = detail(engine._session, other)
    assert (now.cluster_by, now.properties["team"]) == (("day",), "sales")


def test_new_columns_come_with_the_rows_in_one_commit(engine: SparkEngine):
    fresh = pa.table({"id": [3], "v": ["c"], "extra": [5]}).to_reader()
    changes = ColumnChanges(added={"extra": ibis.dtype("int64")})

    with engine.stage(fresh) as staged:
        engine.merge(T, staged, ("id",), null_safe=False, changes=changes)

    assert len(history()) == 2
    assert sorted(content(engine), key=str) == [(1, "a", None), (2, "b", None), (3, "c", 5)]


def test_columns_that_go_or_change_their_type_are_one_new_version_of_the_table(engine: SparkEngine):
    changes = ColumnChanges(dropped=("v",), retyped={"id": ibis.dtype("string")})

    with engine.stage(pa.table({"id": ["2", "3"]}).to_reader()) as staged:
        counts = engine.merge(T, staged, ("id",), null_safe=False, changes=changes)

    assert counts == WriteCounts(1, 1, "rewrite (columns change)")
    assert content(engine) == [("1",), ("2",), ("3",)]
    assert [entry["operation"] for entry in history()] == [
        "CREATE OR REPLACE TABLE AS SELECT",
        "CREATE TABLE AS SELECT",
    ]


def test_local_times_may_come_to_a_table_that_had_none(engine: SparkEngine):
    stamps = pa.table({"id": [3], "v": ["c"], "at": pa.array([0], pa.timestamp("us"))})
    with engine.stage(stamps.to_reader()) as staged:
        engine.merge(
            T, staged, ("id",), null_safe=False, changes=ColumnChanges(added={"at": ibis.dtype("timestamp(6)")})
        )
    engine.replace(V, rows_of((1, "a")), over=None)

    engine.replace(V, stamps.to_reader(), over=Kind.TABLE)

    assert engine.rows(engine.table(V))[0]["at"] == engine.rows(engine.table(T).filter(ibis._.id == 3))[0]["at"]


def test_each_commit_says_which_run_wrote_it(engine: SparkEngine):
    with engine.writing(T, print):
        merge(engine, (3, "c"))

    assert f'"run": "{engine._run_id}", "relation": "demo.t"' in history()[0]["userMetadata"]


def test_a_commit_after_a_write_within_it_is_marked_all_the_same(engine: SparkEngine):
    with engine.writing(T, print):
        with engine.writing(Relation("demo", "other"), print):
            pass
        merge(engine, (3, "c"))

    assert '"relation": "demo.t"' in history()[0]["userMetadata"]


@pytest.mark.parametrize("write", ["merge", "append"])
def test_a_write_whose_answer_was_lost_is_not_done_twice(engine: SparkEngine, write: str):
    run, lost = engine._session.run, []

    def losing(statement: str) -> Any:
        answer = run(statement)
        if statement.startswith(("MERGE", "INSERT")) and not lost:
            lost.append(statement)
            raise ConnectionLost("the line was cut")
        return answer

    engine._session.run = losing  # type: ignore[method-assign]

    def once(again: bool) -> Outcome:
        if write == "merge":
            return outcome(merge(engine, (2, "B"), (3, "c")))
        with engine.stage(rows_of((3, "c"))) as staged:
            return outcome(engine.append(T, staged))

    done = attempted(engine, T, once, lambda why: None)

    assert done.error is None and len(done.retries) == 1
    assert len(history()) == 2
    assert done.outcome is not None and done.outcome.inserted == 1
    assert content(engine)[-1] == (3, "c")


def test_a_writer_who_was_in_the_way_is_tried_again_and_told_of(engine: SparkEngine, tmp_path: Path):
    def write(again: bool) -> Outcome:
        run = engine._session.run

        def meeting(statement: str) -> Any:
            engine._session.run = run  # type: ignore[method-assign]
            return run(statement) if again else _met(engine, statement, tmp_path)

        engine._session.run = meeting  # type: ignore[method-assign]
        return outcome(merge(engine, (1, "ours"), (2, "ours")))

    told: list[str] = []
    done = attempted(engine, T, write, told.append)

    assert done.error is None
    assert content(engine) == [(1, "ours"), (2, "ours")]
    assert len(done.retries) == 1
    assert done.retries[0].startswith("E120 ")
    assert "trying again after E120" in told[0]


def _met(engine: SparkEngine, statement: str, folder: Path) -> Any:
    """Send a MERGE whose rows keep it waiting until another session has updated the table that it has begun to read."""
    reading, updated = str(folder / "reading"), str(folder / "updated")

    def kept_waiting(text: str) -> str:
        Path(reading).touch()
        deadline = time.monotonic() + 60
        while not Path(updated).exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        return text

    def update() -> None:
        deadline = time.monotonic() + 60
        while not Path(reading).exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        shared_session().spark.newSession().sql("UPDATE demo.t SET v = concat(v, '!')").collect()
        Path(updated).touch()

    engine._session.spark.udf.register("kept_waiting", kept_waiting)
    source, end = statement.index("USING (") + len("USING ("), statement.index(") AS fresh")
    # In one task: with two, nothing would be left that the other session could compute with.
    waiting = f"SELECT id, kept_waiting(v) AS v FROM (SELECT /*+ COALESCE(1) */ * FROM ({statement[source:end]}))"
    thread = threading.Thread(target=update)
    thread.start()
    try:
        return engine._session.run(statement[:source] + waiting + statement[end:])
    finally:
        thread.join()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("[DELTA_CONCURRENT_APPEND] ConcurrentAppendException: Files were added", WriteConflict),
        ("io.delta.exceptions.MetadataChangedException: [DELTA_METADATA_CHANGED] changed", WriteConflict),
        ("java.io.IOException: No space left on device", EngineError),
    ],
)
def test_errors_without_a_condition_are_told_apart_by_their_text(text: str, kind: type[EngineError]):
    from py4j.protocol import Py4JError

    assert isinstance(translated(Py4JError(text)), kind)


def test_a_merge_that_spark_refuses_is_done_by_a_rewrite_and_the_cause_is_told(engine: SparkEngine):
    # Without Delta's own rules in the parser's way, Spark has a MERGE that knows no table of any format.
    run = engine._session.run

    def refused(statement: str) -> Any:
        if statement.startswith("MERGE"):
            return run(statement.replace("`demo`.`t`", "`demo`.`refuses`"))
        return run(statement)

    shared_session().rows("CREATE TABLE demo.refuses (id BIGINT, v STRING) USING parquet")
    engine._session.run = refused  # type: ignore[method-assign]

    counts = merge(engine, (2, "B"), (3, "c"))

    assert content(engine) == [(1, "a"), (2, "B"), (3, "c")]
    assert (counts.inserted, counts.updated, counts.strategy) == (1, 1, "rewrite (the MERGE was refused)")
    assert counts.warning is not None and "MERGE INTO TABLE is not supported" in counts.warning


def test_a_fault_in_the_data_is_never_answered_with_a_rewrite(engine: SparkEngine):
    shared_session().rows("ALTER TABLE demo.t ADD CONSTRAINT short CHECK (length(v) < 3)")
    statements = sent(engine)

    with pytest.raises(EngineError, match="(?i)short"):
        merge(engine, (2, "far too long"))

    assert statements[-1].startswith("MERGE")
    assert content(engine) == [(1, "a"), (2, "b")]


# Formats


def test_a_parquet_table_is_written_anew_beside_the_old_one(parquet: SparkEngine):
    standing = parquet.existing([T])[T]
    assert standing.merge == "rewrite (parquet cannot MERGE)"

    assert merge(parquet, (2, "B"), (3, "c")) == WriteCounts(1, 1, "rewrite (parquet cannot MERGE)")

    assert content(parquet) == [(1, "a"), (2, "B"), (3, "c")]
    assert parquet.existing([T])[T] == standing


@pytest.mark.parametrize("number", range(4))
def test_a_swap_that_is_killed_leaves_the_old_rows_or_the_new_ones(parquet: SparkEngine, number: int):
    before, after = content(parquet), [(9, "z")]
    run, statements = parquet._session.run, []

    class Killed(BaseException):
        pass

    def killing(statement: str) -> Any:
        statements.append(statement)
        if len(statements) == number + 2:
            raise Killed
        return run(statement)

    parquet._session.run = killing  # type: ignore[method-assign]
    with pytest.raises(Killed):
        parquet.replace(T, rows_of((9, "z")), over=Kind.TABLE)
    parquet._session.run = run  # type: ignore[method-assign]

    spark_swap.recovered(parquet._session, "demo")

    assert content(parquet) in (before, after)
    tables = {row["tableName"] for row in shared_session().rows("SHOW TABLES IN demo") if not row["isTemporary"]}
    assert tables == {"t"}
    parquet.replace(T, rows_of((9, "z")), over=Kind.TABLE)
    assert content(parquet) == after


def test_a_table_takes_the_format_of_the_profile_with_its_next_replacement(parquet: SparkEngine):
    delta = SparkEngine(parquet._session, "demo", "delta")

    delta.replace(T, delta.table(T), over=Kind.TABLE)

    assert delta.existing([T])[T].merge == "MERGE"
    assert content(delta) == [(1, "a"), (2, "b")]


def test_an_unknown_format_is_an_error_with_its_place(spark_project: ProjectFolder):
    profiles = "dev:\n  engine: spark\n  spark:\n    database: demo\n    table_format: orc\n"
    spark_project.write({"profiles.yml": profiles, "models/m.ff.sql": "select 1 as x"})

    answer = spark_project.fft("run")

    assert answer.code == 2
    assert 'P104 table_format is "orc"' in answer.err and "profiles.yml:5" in answer.err


# Statements, values and names


@pytest.mark.parametrize(
    "text", ["DROP TABLE demo.t", "SELECT 1; DROP TABLE demo.t", "INSERT INTO demo.t VALUES (9, 'z')"]
)
def test_a_text_that_would_do_more_than_read_is_refused_and_not_run(engine: SparkEngine, text: str):
    with pytest.raises((BadSql, EngineError)):
        engine.sql(text)

    assert content(engine) == [(1, "a"), (2, "b")]


def test_local_times_and_moments_are_kept_apart(engine: SparkEngine):
    shared_session().rows(
        "CREATE TABLE demo.v AS SELECT TIMESTAMP_NTZ '2026-01-01 12:00:00.123456' AS local, "
        "TIMESTAMP '2026-01-01 12:00:00.123456+02:00' AS moment"
    )

    (row,) = engine.rows(engine.table(V))

    assert str(row["local"]) == "2026-01-01 12:00:00.123456"
    assert str(row["moment"]) == "2026-01-01 10:00:00.123456+00:00"
    assert dict(engine.table(V).schema()) == {
        "local": ibis.dtype("timestamp(6)"),
        "moment": ibis.dtype("timestamp('UTC', 6)"),
    }


def test_nan_is_a_number_and_no_null(engine: SparkEngine):
    rows = pa.table({"x": [float("nan"), 1.0, None]}).to_reader()
    with engine.stage(rows) as staged:
        assert len(engine.rows(staged.table().filter(ibis._.x.isnull()))) == 1


def test_a_variant_for_spark_is_found_by_both_of_its_names(spark_project: ProjectFolder):
    model = "from fastflowtransform import engine_model\nimport ibis\n\n"
    for name in ("spark", "databricks_spark"):
        model += f"@engine_model(only='{name}')\ndef by_{name}():\n    return ibis.memtable({{'x': [1]}})\n"
    spark_project.write({"models/m.ff.py": model.replace("@engine_model(", "@engine_model(materialized='table', ")})

    assert spark_project.fft("run").code == 0

    assert spark_project.sql("SELECT a.x + b.x FROM by_spark a, by_databricks_spark b") == [(2,)]


def test_a_function_may_take_and_give_sparks_own_tables_and_nothing_is_collected(spark_project: ProjectFolder):
    spark_project.write(
        {
            "models/numbers.ff.sql": "select 1 as n union all select 2 as n",
            "models/doubled.ff.py": (
                "from fastflowtransform import model\nfrom pyspark.sql import DataFrame\n\n"
                "@model(materialized='incremental', unique_key='n', updated_at='n')\n"
                "def doubled(numbers: DataFrame) -> DataFrame:\n"
                "    return numbers.selectExpr('n', 'n * 2 as twice')\n"
            ),
        }
    )

    for _ in range(2):
        answer = spark_project.fft("run")
        assert answer.code == 0, answer.err

    assert sorted(spark_project.sql("SELECT * FROM doubled")) == [(1, 2), (2, 4)]
    assert "__fft_" not in str(shared_session().rows("SHOW VIEWS IN demo"))


def test_structs_and_maps_go_in_and_come_out_as_they_are(engine: SparkEngine):
    schema = pa.schema(
        {"s": pa.struct({"a": pa.int64(), "b": pa.list_(pa.string())}), "m": pa.map_(pa.string(), pa.int64())}
    )
    row = {"s": {"a": 1, "b": ["x", None]}, "m": [("k", 1)]}
    engine.replace(V, pa.Table.from_pylist([row], schema).to_reader(), over=None)

    assert engine.rows(engine.table(V)) == [row]


def test_a_value_that_spark_has_no_type_for_is_named(engine: SparkEngine):
    rows = pa.table({"clock": pa.array([1], pa.time64("us"))}).to_reader()

    with pytest.raises(WrongResult, match='"clock" is of type "time64'):
        engine.replace(V, rows, over=None)


def test_a_name_that_spark_takes_for_no_table_is_refused_before_anything_runs(spark_project: ProjectFolder):
    spark_project.write({"models/a.ff.sql": "select 1 as x", "models/our-model.ff.sql": "select 1 as x"})

    answer = spark_project.fft("run")

    assert (answer.code, answer.err.split()[0]) == (1, "E126")
    assert not [row for row in shared_session().rows("SHOW TABLES IN demo") if not row["isTemporary"]]


def test_nothing_is_collected_where_models_are_sql_or_ibis(
    spark_project: ProjectFolder, monkeypatch: pytest.MonkeyPatch
):
    frames = type(shared_session().spark.range(1))
    spark_project.write(
        {
            "models/big.ff.sql": "{{ config(materialized='table') }} select id from range(100000)",
            "models/fct.ff.py": (
                "from fastflowtransform import model\n\n"
                "@model(materialized='incremental', unique_key='id', updated_at='id')\n"
                "def fct(big):\n    return big.mutate(v=big.id * 2)\n"
            ),
            "project.yml": "name: test\n",
        }
    )
    most = 0
    for name in ("toLocalIterator", "foreach", "foreachPartition"):
        monkeypatch.setattr(frames, name, None)
    for name in ("collect", "toArrow", "toPandas", "take"):
        taken = getattr(frames, name)

        def counting(frame: Any, *arguments: Any, taken: Any = taken) -> Any:
            nonlocal most
            rows = taken(frame, *arguments)
            most = max(most, len(rows))
            return rows

        monkeypatch.setattr(frames, name, counting)

    assert spark_project.fft("run").code == 0
    assert spark_project.fft("run").code == 0
    assert 0 < most < 100


# Sessions


def test_a_session_that_is_there_is_used_and_left_as_it_was_found():
    session = shared_session()
    session.spark.conf.set("spark.sql.session.timeZone", "Europe/Berlin")

    opened = spark_session.opened(Settings("local[1]", "other", Path("nowhere")))
    assert opened.spark is session.spark
    assert opened.rows("SELECT current_timezone() AS zone") == [{"zone": "UTC"}]
    opened.close()

    assert session.rows("SELECT current_timezone() AS zone") == [{"zone": "Europe/Berlin"}]
    session.spark.conf.set("spark.sql.session.timeZone", "UTC")
    assert not Path("nowhere").exists()


def test_javas_own_clock_is_utc_so_that_delta_does_not_read_its_log_again_after_each_commit():
    zone: Any = shared_session().spark.sparkContext._jvm.java.util.TimeZone

    assert zone.getDefault().getID() == "UTC"


@pytest.mark.parametrize(
    ("java", "words"),
    [
        (None, "Spark needs Java, and there is none in JAVA_HOME"),
        ("echo 'openjdk version \"11.0.2\"' >&2", "is Java 11"),
        ("echo 'java version \"1.8.0_292\"' >&2", "is Java 8"),
        ("echo nonsense", "does not say its version"),
    ],
)
def test_a_missing_or_wrong_java_says_what_to_install(tmp_path: Path, java: str | None, words: str):
    if java is not None:
        (tmp_path / "bin").mkdir()
        program = tmp_path / "bin" / "java"
        program.write_text(f"#!/bin/sh\n{java}\n")
        program.chmod(0o755)

    with pytest.raises(ConnectionFailed, match=words) as found:
        spark_session._require_java(str(tmp_path))

    assert "install Java 17 or 21" in (found.value.hint or "")


def test_jars_come_from_a_folder_from_spark_or_from_what_was_downloaded_and_only_then_from_maven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    plain = Settings("local[1]", "x", tmp_path)

    asked = spark_session._jars(plain, {})
    assert asked["spark.jars.packages"].startswith("io.delta:delta-spark_4.0_2.13:4.4.0,")
    assert "org.apache.hadoop:*" in asked["spark.jars.excludes"]

    kept = tmp_path / "home" / ".ivy2.5.2" / "jars"
    kept.mkdir(parents=True)
    for name in spark_session._JARS:
        (kept / f"io.delta_{name}-4.4.0.jar").touch()
    assert spark_session._jars(plain, {})["spark.jars"].count(".jar") == 5

    assert spark_session._jars(plain, {"spark.jars": "mine.jar"}) == {}
    with pytest.raises(ConnectionFailed, match="no jar of Delta"):
        spark_session._jars(Settings("local[1]", "x", tmp_path, jars=tmp_path), {})
    assert "delta-spark" in spark_session._jars(Settings("local[1]", "x", tmp_path, jars=kept), {})["spark.jars"]


def test_a_server_that_does_not_answer_is_an_error_without_its_token():
    script = (
        "from pathlib import Path\n"
        "from fastflowtransform.engines.spark_session import Settings, opened\n"
        "opened(Settings('', '', Path('.'), remote='sc://127.0.0.1:1/;token=s3cret'))"
    )
    environment = {**os.environ, "GRPC_VERBOSITY": "NONE"}
    answer = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, timeout=120
    )

    last = answer.stderr.strip().splitlines()
    assert any("ConnectionFailed: E101" in line and "token=***" in line for line in last), answer.stderr[-2000:]
    assert "s3cret" not in "".join(line for line in last if "E101" in line)


INCREMENTAL = """
{{ config(materialized='incremental', unique_key='id', updated_at='at') }}
select id, {{ var('at') }} as at from range(3)
"""


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose incremental model a process has built, with a catalog of its own."""
    folder = tmp_path_factory.mktemp("started")
    write_project(folder, INCREMENTAL)
    first = fft(folder, "run", "--vars", "at=1")
    assert (first.returncode, first.stderr) == (0, "")
    return folder


@pytest.mark.slow
def test_a_process_leaves_nothing_but_its_warehouse_and_what_it_tells(started: Path):
    names = {path.name for path in started.iterdir()}

    assert names == {"project.yml", "profiles.yml", "models", "our house", "target"}


@pytest.mark.slow
def test_a_second_process_at_once_is_told_who_has_the_tables(started: Path):
    lock = spark_session._alone(started / "our house")
    try:
        busy = fft(started, "run", "--vars", "at=1")
    finally:
        lock.close()

    assert (busy.returncode, busy.stderr.split()[0]) == (2, "E102")
    assert f'the warehouse "{started}/our house" is in use by process {os.getpid()}' in busy.stderr
    assert "Traceback" not in busy.stderr


@pytest.mark.slow
def test_the_next_process_finds_the_table_and_killed_at_its_merge_leaves_it_whole_for_the_one_after(started: Path):
    table = f"delta.`{started}/our house/demo.db/m`"
    command = [sys.executable, "-m", "fastflowtransform", "run", "-v", "--vars", "at=2", "."]
    running = subprocess.Popen(command, cwd=started, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stdout is not None
    while not (line := running.stdout.readline()).startswith("  > MERGE"):
        assert line and not line.startswith("  > CREATE TABLE")

    running.kill()
    running.communicate()

    found = {row["at"] for row in shared_session().rows(f"SELECT at FROM {table}")}
    assert found in ({1}, {2})
    again = fft(started, "run", "--vars", "at=2")
    assert again.returncode == 0, again.stderr
    assert "0 inserted" in again.stdout
    assert [row["at"] for row in shared_session().rows(f"SELECT at FROM {table}")] == [2, 2, 2]
    assert history(table)[-1]["operation"] == "CREATE TABLE AS SELECT"


@pytest.mark.timeout(120)
@pytest.mark.slow
def test_ctrl_c_ends_what_spark_computes_without_a_traceback(tmp_path: Path):
    write_project(
        tmp_path,
        "{{ config(materialized='table') }}\nselect max(a.id * b.id % 7) as x from "
        "range(10000000) a cross join range(10000000) b",
    )
    command = [sys.executable, "-m", "fastflowtransform", "run", "-v", "."]
    with process(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        while not (line := running.stdout.readline()).startswith("  > CREATE TABLE"):
            assert line
        time.sleep(2)

        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=60)

    assert (running.returncode, errors.split()[0]) == (130, "C130"), errors
    assert "Traceback" not in errors


def write_project(folder: Path, model: str) -> None:
    files = {
        "project.yml": "name: test\n",
        "profiles.yml": "dev:\n  engine: spark\n  spark: {database: demo, warehouse_dir: our house}\n",
        "models/m.ff.sql": model,
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def fft(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fastflowtransform", *arguments, "."]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("FF_", "FFT_"))}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, env=environment)


def test_a_failed_write_is_told_by_its_cause(spark_project: ProjectFolder):
    config = "{{ config(materialized='table', dialect='spark') }} "
    spark_project.write({"models/a.ff.sql": config + "select cast(concat('x', id) as int) as n from range(3)"})

    answer = spark_project.fft("run")

    assert answer.code == 1
    assert "cannot be cast" in answer.err and "Task failed" not in answer.err


def test_the_last_words_of_java_are_told_and_not_its_classes():
    trace = (
        "An error occurred while calling o1.sql.\n: java.lang.RuntimeException: outer\n\tat a.b.C(D.scala:1)\n"
        "Caused by: org.apache.spark.SparkException: [NO_SUCH] The cause. SQLSTATE: 42P01\n\t... 1 more"
    )
    assert last_words(trace) == "The cause"
