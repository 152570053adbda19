"""The incremental demo, run as a user runs it: its own commands, in processes of their own, twice over."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

DEMO = Path(__file__).parents[2] / "examples" / "incremental_demo"
SELECT = ["--select", "tag:example:incremental_demo", "--select", "tag:engine:duckdb"]

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
    if env is not None:
        variables["FFT_ACTIVE_ENV"] = env
    command = [str(Path(sys.executable).with_name("fft")), *arguments]
    answer = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def facts(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return the rows of the fact tables."""
    with duckdb.connect(str(folder / ".local" / "incremental_demo.duckdb"), read_only=True) as connection:
        query = (
            "SELECT event_id, strftime(updated_at, '%d %H:%M'), value "
            "FROM incremental_demo.incremental_demo.{} WHERE value_x10 = value * 10 ORDER BY ALL"
        )
        return {name: connection.execute(query.format(name)).fetchall() for name in FACTS}


def test_the_commands_of_the_demo_give_its_tables_and_a_repetition_changes_nothing(demo: Path):
    fft(demo, "seed", ".")
    fft(demo, "run", ".", *SELECT)
    assert facts(demo) == dict.fromkeys(FACTS, FIRST)

    fft(demo, "run", ".", *SELECT, "--cache", "rw")
    assert facts(demo) == dict.fromkeys(FACTS, FIRST)

    fft(demo, "seed", ".", "--from", "seeds_later")
    fft(demo, "run", ".", *SELECT)
    assert facts(demo) == FACTS

    fft(demo, "run", ".", *SELECT)
    assert facts(demo) == FACTS
    assert "11 ok" in fft(demo, "test", ".", "--select", "tag:example:incremental_demo")


def test_the_demo_is_seeded_from_two_folders_above(demo: Path):
    out = fft(demo.parents[1], "seed", "examples/incremental_demo", "--env", "dev_duckdb", env=None)

    assert "seed_events  4 inserted" in out


def test_make_demo_prints_the_tables_and_the_difference(demo: Path):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("FFT_", "FF_"))}

    answer = subprocess.run(
        ["make", "demo"], cwd=demo, env={**variables, "PATH": path}, capture_output=True, text=True, check=True
    )

    difference = answer.stdout.rpartition("== 9.")[2].splitlines()[1:]
    assert [line[0] for line in difference] == ["5", ">"]
    assert '"event_id": 6' in difference[1]


def test_the_three_engine_files_differ_in_the_engines_name_only():
    texts = set()
    for engine in ("duckdb", "postgres", "databricks_spark"):
        path = DEMO / "models" / "engines" / engine / "fct_events_py_incremental.ff.py"
        texts.add(path.read_text().replace(engine, "ENGINE"))

    assert len(texts) == 1
