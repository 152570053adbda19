"""Files of `target/` are whole, however many commands write at once."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fastflowtransform import artifacts
from fastflowtransform.atomic_file import write_whole
from fastflowtransform.results import RunResult, Status, StepResult


def test_a_reader_sees_one_whole_content_whoever_writes(tmp_path: Path):
    path = tmp_path / "file"
    contents = [bytes([number]) * 100_000 for number in range(4)]
    write_whole(path, contents[0])
    errors: list[str] = []

    def write(content: bytes) -> None:
        try:
            for _ in range(50):
                write_whole(path, content)
        except OSError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert path.read_bytes() in contents

    assert not errors
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


def test_a_write_that_fails_leaves_the_file_and_nothing_beside_it(tmp_path: Path):
    (tmp_path / "folder").mkdir()

    with pytest.raises(OSError, match="irectory"):
        write_whole(tmp_path / "folder", b"new")

    assert [found.name for found in tmp_path.iterdir()] == ["folder"]


def test_a_name_may_be_as_long_as_the_system_takes(tmp_path: Path):
    path = tmp_path / ("n" * 255)
    write_whole(path, b"new", 0o600)

    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", 0o600)


def test_results_of_commands_at_once_are_those_of_one_of_them(tmp_path: Path):
    artifacts.prepare(tmp_path)
    path = tmp_path / "target" / "run_results.json"

    def report(number: int) -> None:
        steps = tuple(StepResult(f"m{number}", "model", Status.ERROR) for _ in range(200 * number))
        for _ in range(20):
            artifacts.write_results(tmp_path, RunResult("run", steps, (), 1.0, ()))
            artifacts.forget_failures(tmp_path)

    threads = [threading.Thread(target=report, args=(number,)) for number in range(1, 4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if path.exists():
            assert len({step["name"] for step in json.loads(path.read_text())["steps"]}) == 1
    for thread in threads:
        thread.join()

    assert sorted(found.name for found in path.parent.iterdir()) == [".gitignore", "run_results.json"]


def test_commands_of_several_processes_at_once_all_end_well(tmp_path: Path):
    (tmp_path / "models").mkdir()
    (tmp_path / "project.yml").write_text("name: test\n")
    (tmp_path / "profiles.yml").write_text("dev:\n  engine: duckdb\n  duckdb: {path: ':memory:'}\n")
    for number in range(5):
        (tmp_path / "models" / f"m{number}.ff.sql").write_text(f"select {number} as id")

    commands = [["run"], ["compile"], ["utest"], ["build"]] * 2
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "fastflowtransform", *command, str(tmp_path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for command in commands
    ]
    ended = [(process.communicate(timeout=120)[0], process.returncode) for process in started]

    assert [code for _, code in ended] == [0] * len(commands), ended
    for name in ("run_results.json", "manifest.json"):
        assert json.loads((tmp_path / "target" / name).read_text())["version"] == 1
    assert not [found for found in (tmp_path / "target").rglob(".*.new")]
