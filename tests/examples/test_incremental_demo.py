"""The incremental demo, run as a user runs it: its own commands, in processes of their own, twice over."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.conftest import postgres_dsn, spark_session

DEMO = Path(__file__).parents[2] / "examples" / "incremental_demo"
FIRST = [(1, "01 09:00", 10), (2, "01 10:00", 20), (3, "01 11:00", 30), (4, "01 12:00", 40)]
BY_HAND = [(1, "01 09:00", 10), (2, "02 08:00", 22), (3, "01 11:00", 30), (4, "01 12:00", 40), (5, "02 09:30", 55)]
DECLARED = [*BY_HAND, (6, "01 12:00", 60)]
FACTS = {
    "fct_events_sql_inline": BY_HAND,
    "fct_events_sql_yaml": BY_HAND,
    "fct_events_py_incremental": DECLARED,
    "fct_events_ibis": DECLARED,
}


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """A copy of the demo, as a fresh clone has it."""
    folder = tmp_path / "examples" / "incremental_demo"
    shutil.copytree(DEMO, folder, ignore=shutil.ignore_patterns(".local", "target", "__pycache__"))
    return folder


def fft(folder: Path, *arguments: str, env: str | None = "dev_duckdb") -> str:
    """Run a command in `folder` as the shell does, and return what it printed."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("FFT_", "FF_"))}
    if env == "dev_postgres":
        variables["FF_PG_DSN"] = postgres_dsn().replace("postgresql://", "postgresql+psycopg://")
    if env is not None:
        variables["FFT_ACTIVE_ENV"] = env
    command = [str(Path(sys.executable).with_name("fft")), *arguments]
    answer = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def test_the_unit_tests_of_the_demo_pass(demo: Path):
    assert "4 ok" in fft(demo, "utest", ".", env=None)


def shown(folder: Path, env: str) -> dict[str, list[tuple[object, ...]]]:
    """Return the rows of the fact tables as `fft show` gives them to other programs."""
    found = {}
    for name in FACTS:
        out = fft(folder, "show", name, ".", "--order-by", "event_id", "--json", env=env)
        rows = [event["values"] for event in map(json.loads, out.splitlines()) if event["event"] == "row"]
        assert all(row["value_x10"] == 10 * row["value"] for row in rows)
        found[name] = [(row["event_id"], row["updated_at"][8:16].replace("T", " "), row["value"]) for row in rows]
    return found


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_the_commands_of_the_demo_give_its_tables_and_a_repetition_changes_nothing(demo: Path, engine: str):
    env = f"dev_{engine}"
    select = ["--select", "tag:example:incremental_demo", "--select", f"tag:engine:{engine}"]
    if engine == "postgres":
        with psycopg.connect(postgres_dsn(), autocommit=True) as server:
            server.execute("DROP SCHEMA IF EXISTS incremental_demo CASCADE")
    fft(demo, "seed", ".", env=env)
    fft(demo, "run", ".", *select, env=env)
    assert shown(demo, env) == dict.fromkeys(FACTS, FIRST)

    fft(demo, "run", ".", *select, "--cache", "rw", env=env)
    assert shown(demo, env) == dict.fromkeys(FACTS, FIRST)

    fft(demo, "seed", ".", "--from", "seeds_later", env=env)
    fft(demo, "run", ".", *select, env=env)
    assert shown(demo, env) == FACTS

    fft(demo, "run", ".", *select, env=env)
    assert shown(demo, env) == FACTS
    assert "12 ok" in fft(demo, "test", ".", "--select", "tag:example:incremental_demo", env=env)


@pytest.mark.engine("spark")
@pytest.mark.slow
def test_the_demo_on_spark_gives_the_same_tables_by_a_merge_in_their_delta_logs(demo: Path):
    env = "dev_databricks"
    select = ["--select", "tag:example:incremental_demo", "--select", "tag:engine:databricks_spark"]
    fft(demo, "seed", ".", env=env)
    fft(demo, "run", ".", *select, env=env)
    fft(demo, "seed", ".", "--from", "seeds_later", env=env)
    fft(demo, "run", ".", *select, env=env)
    assert "12 ok" in fft(demo, "test", ".", *select, env=env)

    session = spark_session()
    for name, rows in FACTS.items():
        table = f"delta.`{demo}/.local/spark_warehouse/incremental_demo.db/{name}`"
        found = session.values(f"SELECT event_id, updated_at, value, value_x10 FROM {table} ORDER BY event_id")
        assert [(row["event_id"], f"{row['updated_at']:%d %H:%M}", row["value"]) for row in found] == rows
        assert all(row["value_x10"] == 10 * row["value"] for row in found)
        history = session.rows(f"DESCRIBE HISTORY {table}")
        assert [entry["operation"] for entry in history] == ["MERGE", "CREATE TABLE AS SELECT"]


def test_the_demo_is_seeded_from_two_folders_above(demo: Path):
    out = fft(demo.parents[1], "seed", "examples/incremental_demo", "--env", "dev_duckdb", env=None)

    assert "seed_events  4 inserted" in out


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_make_demo_prints_the_tables_and_the_difference(demo: Path, engine: str):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("FFT_", "FF_"))}

    answer = subprocess.run(
        ["make", "demo", f"ENGINE={engine}"],
        cwd=demo,
        env={**variables, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )

    difference = answer.stdout.rpartition("== 9.")[2].partition("\n\n== 10.")[0].splitlines()[1:]
    assert [line[0] for line in difference] == ["5", ">"]
    assert '"event_id": 6' in difference[1]
    assert 'D301 "fct_events_ibis" is not published' in answer.stderr
    assert answer.stdout.rstrip().endswith("6 rows")


def test_the_three_engine_files_differ_in_the_engines_name_only():
    texts = set()
    for engine in ("duckdb", "postgres", "databricks_spark"):
        path = DEMO / "models" / "engines" / engine / "fct_events_py_incremental.ff.py"
        texts.add(path.read_text().replace(engine, "ENGINE"))

    assert len(texts) == 1
