"""Python files of a project run as their text is, whatever Python has compiled of them before."""

from __future__ import annotations

import os
import py_compile
import subprocess
import sys
from pathlib import Path

import pytest

from fastflowtransform import cli
from tests.conftest import DuckDBFile, ProjectFolder

MODEL = """
from fastflowtransform import model
from shared.rates import RATE

OWN = 2


@model(materialized='table')
def t(base):
    return base.mutate(v=base.v * RATE * OWN)
"""
FILES = {
    "models/base.ff.sql": "select 1 as id, 1 as v",
    "models/t.ff.py": MODEL,
    "shared/__init__.py": "",
    "shared/rates.py": "RATE = 2\n",
}


def run(project: ProjectFolder) -> None:
    """Run the project in a process of its own, as a shell does."""
    command = [sys.executable, "-m", "fastflowtransform", "run", "-q"]
    done = subprocess.run(command, cwd=project.folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["models/t.ff.py", "shared/rates.py"])
def test_a_file_of_the_same_time_and_size_runs_as_it_is_now(project: ProjectFolder, name: str):
    # issue 18, point 8
    project.write(FILES)
    path = project.folder / name
    py_compile.compile(str(path), doraise=True)
    then = path.stat()

    project.write({name: FILES[name].replace("= 2", "= 3")})
    os.utime(path, ns=(then.st_atime_ns, then.st_mtime_ns))
    run(project)

    assert project.sql("select v from t") == [(6,)]


def test_nothing_of_a_project_is_compiled_to_a_file(project: ProjectFolder):
    project.write(FILES)

    run(project)

    assert list(project.folder.rglob("*.pyc")) == []


def test_a_second_command_of_a_process_sees_a_helper_as_it_is_now(project: ProjectFolder):
    project.write(FILES)
    project.fft("run")
    project.write({"shared/rates.py": "RATE = 5\n"})

    project.fft("run")

    assert project.sql("select v from t") == [(10,)]


def test_a_second_project_of_a_process_has_a_folder_of_its_own(project: ProjectFolder, tmp_path: Path):
    other = tmp_path / "other"
    project.write({name: text for name, text in FILES.items() if name != "shared/__init__.py"})
    project.write({f"other/{name}": text.replace("RATE = 2", "RATE = 7") for name, text in FILES.items()})
    project.write({f"other/{name}": (project.folder / name).read_text() for name in ("project.yml", "profiles.yml")})
    assert project.fft("run").code == 0

    assert cli.call(["run", str(other)]) == 0
    assert DuckDBFile(other).sql("select v from t") == [(14,)]
