"""Input that no reader expects ends in an error of its own, and never in a defect, a traceback or a hang."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from sqlglot.dialects.dialect import Dialects

from fastflowtransform.dialects import NAMES
from tests.conftest import Answer, ProjectFolder
from tests.fuzz.mutations import mutated_json

LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
YAML = {
    "aliases that explode": (LAUGHS, "its aliases stand for"),
    "a list that holds itself": ("a: &a [*a]\n", "an alias stands for what it is a part of"),
    "a mapping that holds itself": ("a: &a {b: *a}\n", "an alias stands for what it is a part of"),
    "a file that holds itself": ("&a\nname: x\nb: *a\n", "an alias stands for what it is a part of"),
    "a deep list": ("a: " + "[" * 3000 + "]" * 3000, "nest"),
    "a deep mapping": ("a: " + "{a: " * 3000 + "1" + "}" * 3000, "nest"),
    "a moment that is none": ("name: !!timestamp 2026-13-45\n", "timestamp"),
    "a number of 5,000 digits": ("name: x\nvars: {a: !!int 0x_}\n", "int"),
    "a tag of Python's": ("name: !!python/object/apply:os.system [x]\n", "tag"),
}
FILES = ("project.yml", "profiles.yml", "sources.yml", "models/schema.yml", "seeds/schema.yml")


def is_an_error_of_the_users(answer: Answer) -> bool:
    """Whether a command ended in an error that its user can act on."""
    return answer.code in (1, 2) and "C900" not in answer.err and "Traceback" not in answer.err


@pytest.mark.timeout(60)
@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("case", YAML)
def test_yaml_without_an_end_or_a_value_is_an_error_with_its_line(project: ProjectFolder, file: str, case: str):
    text, message = YAML[case]
    project.write({file: text, "seeds/s.csv": "a\n1\n"})

    answer = project.fft("list")

    assert is_an_error_of_the_users(answer), answer
    assert "P101" in answer.err
    assert message in answer.err or file == "profiles.yml"
    assert f"{file}:1" in answer.err.replace(":2", ":1") or "nest" in answer.err


def test_aliases_that_are_used_often_are_read(project: ProjectFolder):
    tests = "".join(f"      - {{name: c{number}, tests: *t}}\n" for number in range(300))
    project.write(
        {
            "models/a.ff.sql": "select 1 as id",
            "models/a.yml": f"models:\n  - name: a\n    tests: &t [row_count_between]\n    columns:\n{tests}",
        }
    )

    assert "nested" not in project.fft("list").err


@pytest.mark.parametrize("number", range(60))
def test_a_damaged_artifact_is_an_error_or_is_read(project: ProjectFolder, number: int):
    project.write(
        {
            "models/a.ff.sql": "select 1 as id",
            "models/b.ff.sql": "{{ config(materialized='table') }}select cast('x' as int) from {{ ref('a') }}",
            "models/a.yml": "models: [{name: a, columns: [{name: id, tests: [not_null]}]}]\n",
        }
    )
    project.fft("build")
    choose = random.Random(number)
    for name in ("manifest.json", "run_results.json"):
        path = project.folder / "target" / name
        path.write_text(json.dumps(mutated_json(json.loads(path.read_text()), choose)))
    target = str(project.folder / "target")
    commands = (
        ["list", "--select", "result:error result:fail"],
        ["list", "--select", "state:modified", "--state", target],
        ["plan", "--defer", "--state", target, "--select", "b"],
        ["retry"],
    )

    answers = [project.fft(*words) for words in commands]

    assert [answer for answer in answers if answer.code != 0 and not is_an_error_of_the_users(answer)] == []


TABLES = {
    "no columns": pa.table({}),
    "bytes of one length": pa.table({"a": pa.array([b"abcd"], pa.binary(4))}),
    "half floats": pa.table({"a": pa.array(np.array([1.5], dtype="float16"))}),
    "more digits than tables have": pa.table({"a": pa.array([10**60], pa.decimal256(76, 2))}),
    "a date beyond all dates": pa.table({"a": pa.array([2**31 - 1], pa.date32())}),
    "nothing but NULL": pa.table({"a": pa.nulls(2)}),
    "a length of time": pa.table({"a": pa.array([1], pa.duration("s"))}),
    "a map": pa.table({"a": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64()))}),
}
WRITTEN = {"bytes of one length": "abcd", "half floats": "1.5"}


@pytest.mark.parametrize("case", TABLES)
def test_a_parquet_file_of_any_types_is_loaded_or_is_an_error(each_project: ProjectFolder, case: str):
    each_project.write({"seeds/schema.yml": "seeds: []\n"})
    parquet.write_table(TABLES[case], each_project.folder / "seeds" / "s.parquet")

    seed, shown, plan = each_project.fft("seed"), each_project.fft("show", "s"), each_project.fft("plan")

    assert seed.code == 0 or is_an_error_of_the_users(seed), seed
    assert "C900" not in shown.err + plan.err
    assert WRITTEN.get(case, "") in shown.out


@pytest.mark.parametrize(
    "line", [r'{"a": "\ud83d"}', r'{"\ud83d": 1}', r'{"a": ["\ude00"]}', "{}", '{"a": ' + "[" * 3000 + "]" * 3000 + "}"]
)
def test_half_a_character_and_objects_without_keys_are_errors_with_their_line(project: ProjectFolder, line: str):
    project.write({"seeds/s.jsonl": f"{line}\n"})

    answer = project.fft("seed")

    assert is_an_error_of_the_users(answer), answer
    assert "D100" in answer.err
    assert "s.jsonl:1" in answer.err


def test_the_names_of_dialects_are_sqlglots():
    assert {dialect.value for dialect in Dialects if dialect.value} == NAMES


@pytest.mark.parametrize("name", ["postgresql", "Postgres", "pg"])
def test_a_dialect_is_known_by_the_names_that_people_give_it(project: ProjectFolder, name: str):
    project.write({"project.yml": f"name: x\ndialect: {name}\n", "models/a.ff.sql": "select '1'::int4 as id"})

    assert project.fft("run").code == 0


@pytest.mark.parametrize("place", ["project", "model"])
def test_an_unknown_dialect_is_an_error_with_the_nearest_name(project: ProjectFolder, place: str):
    in_project = "dialect: duckbd\n" if place == "project" else ""
    in_model = "" if in_project else "{{ config(dialect='duckbd') }}"
    project.write({"project.yml": f"name: x\n{in_project}", "models/a.ff.sql": f"{in_model}select 1 as id"})

    answer = project.fft("run")

    assert answer.code == 2
    assert 'did you mean "duckdb"?' in answer.err
    assert ".yml:2" in answer.err or "a.ff.sql:1" in answer.err


@pytest.mark.parametrize("length", ["99999999999 weeks", "9" * 40 + " microseconds", "9" * 400 + " days"])
def test_a_length_of_time_beyond_all_lengths_is_an_error(project: ProjectFolder, length: str):
    keys = f"materialized='incremental', unique_key='id', updated_at='at', lookback='{length}'"
    project.write({"models/a.ff.sql": f"{{{{ config({keys}) }}}}\nselect 1 as id, timestamp '2026-01-01' as at"})

    answer = project.fft("run")

    assert is_an_error_of_the_users(answer), answer
    assert "P104" in answer.err


@pytest.mark.parametrize("key", ["threads: 100000000", "threads: -1", "threads: 0"])
def test_a_number_of_threads_that_no_machine_bears_is_an_error(project: ProjectFolder, key: str):
    project.write({"profiles.yml": f"dev: {{engine: duckdb, duckdb: {{path: w.duckdb, {key}}}}}\n"})

    answer = project.fft("run")

    assert answer.code == 2
    assert "P104" in answer.err


RAISED = [
    "raise GeneratorExit",
    "raise type('E', (BaseException,), {})('x')",
    "raise BaseExceptionGroup('g', [ValueError(1)])",
    "import asyncio; raise asyncio.CancelledError",
    "raise Exception('\\ud83d')",
    "raise type('E', (Exception,), {'__str__': lambda self: 1 / 0})()",
    "raise SystemExit(3)",
]


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("line", RAISED)
def test_whatever_a_python_model_raises_fails_the_model_and_no_other(project: ProjectFolder, line: str, jobs: str):
    head = "import ibis.expr.types as ir\nfrom fastflowtransform import model\n\n"
    body = f"@model(materialized='table')\ndef b(a: ir.Table) -> ir.Table:\n    {line}\n"
    project.write(
        {"models/a.ff.sql": "select 1 as id", "models/b.ff.py": head + body, "models/c.ff.sql": "select 2 as id"}
    )

    answer = project.fft("run", "--jobs", jobs)

    assert answer.code == 1, answer
    assert "M220" in answer.err
    assert "b.ff.py:6" in answer.err
    assert "2 ok, 1 failed" in answer.out


@pytest.mark.parametrize("line", RAISED)
def test_whatever_a_python_file_raises_is_an_error_with_its_line(project: ProjectFolder, line: str):
    project.write({"models/b.ff.py": f"x = 1\n{line}\n"})

    answer = project.fft("list")

    assert answer.code == 2
    assert "b.ff.py:2" in answer.err


def fft_as_a_process(words: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command of its own process, as a shell does."""
    return subprocess.run(
        [sys.executable, "-m", "fastflowtransform", *words],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("words", [["list"], ["run", "."], ["init", "x"], ["--help"]])
def test_a_working_folder_that_is_gone_is_an_error(tmp_path: Path, words: list[str]):
    gone = tmp_path / "gone"
    gone.mkdir()
    command = f'cd "{gone}" && rmdir "{gone}" && exec "{sys.executable}" -m fastflowtransform {" ".join(words)}'

    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, timeout=60)

    assert done.returncode == (0 if words == ["--help"] else 2), done
    assert "C900" not in done.stderr
    assert "Traceback" not in done.stderr


def test_no_folder_for_temporary_files_ends_no_run(project: ProjectFolder):
    project.write({"models/a.ff.sql": "select 1 as id", "seeds/s.csv": "a\n1\n"})

    done = fft_as_a_process(["build"], project.folder, TMPDIR="/nothing", TMP="/nothing", TEMP="/nothing")

    assert done.returncode == 0, done


@pytest.mark.parametrize("words", ["init {}", "list {}", "list --state {} --select state:new"])
def test_a_name_of_300_letters_is_an_error(project: ProjectFolder, words: str):
    project.write({"models/a.ff.sql": "select 1 as id"})

    done = fft_as_a_process(words.format("x" * 300).split(), project.folder)

    assert done.returncode == 2, done
    assert "C900" not in done.stderr


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_project_without_rights_is_an_error(project: ProjectFolder):
    project.write({"models/a.ff.sql": "select 1 as id"})
    project.folder.chmod(0o500)

    answer = project.fft("run")
    project.folder.chmod(0o700)

    assert is_an_error_of_the_users(answer), answer


HINTS = {
    "run --target prod": "--env",
    "run --models a": "--select",
    "run --threads 4": "--jobs",
    "ls": "fft list",
    "run --profiles-dir x": "folder as the last argument",
}


@pytest.mark.parametrize("words", HINTS)
def test_words_of_other_tools_lead_to_ours(project: ProjectFolder, words: str):
    command, *arguments = words.split()

    answer = project.fft(command, *arguments)

    assert answer.code == 2
    assert HINTS[words] in answer.err


def test_a_key_that_is_close_to_one_that_is_missing_is_to_be_renamed(project: ProjectFolder):
    project.write({"profiles.yml": "dev: {engine: postgres, postgres: {dns: x}}\n"})

    assert 'rename "dns" to "dsn"' in project.fft("run").err


@pytest.mark.parametrize("where", ["models/a.ff.sql", "profiles.yml"])
def test_env_var_leads_to_env(project: ProjectFolder, where: str):
    text = "{{ env_var('X') }}"
    profile = f'dev: {{engine: duckdb, duckdb: {{path: "{text}"}}}}\n'
    project.write({where: text if where.endswith("sql") else profile})

    answer = project.fft("run")

    assert answer.code == 2
    assert "hint env('NAME', 'default')" in answer.err
    assert f"{where}:1" in answer.err


PLACES = {
    "project.yml": ("project.yml", ""),
    "profiles.yml": ("profiles.yml", "prod: {engine: duckdb}\n"),
    "a SQL model": (
        "models/a.ff.sql",
        "{{ config(unique_key='id', materialized='incremental', updated_at='x') }} select 1 as id",
    ),
    "a column type": ("models/a.ff.sql", "select 1 as id; select 2"),
    "a Python file": ("models/a.ff.py", "x = 1\n"),
}


@pytest.mark.parametrize("case", PLACES)
def test_an_error_of_a_file_has_a_line(project: ProjectFolder, case: str):
    file, text = PLACES[case]
    project.write({file: text})

    answer = project.fft("build")

    assert answer.code != 0
    assert f"{file}:1" in answer.err


@pytest.mark.parametrize("command", ["list", "plan", "run"])
def test_all_errors_of_a_kind_are_told_at_once(project: ProjectFolder, command: str):
    project.write(
        {
            "models/a.ff.sql": "select * from {{ ref('x') }} join {{ source('y', 'z') }}",
            "models/b.ff.sql": "select * from {{ ref('w') }}",
        }
    )

    unknown = project.fft(command)
    project.write({"models/a.ff.sql": "{{ 1 +", "models/c.ff.py": "1 / 0\n"})
    unread = project.fft(command)

    assert [line[:4] for line in unknown.err.splitlines() if line[0] != " "] == ["G101", "G102", "G101"]
    assert [line[:4] for line in unread.err.splitlines() if line[0] != " "] == ["M100", "M102"]


def test_all_errors_of_a_kind_are_events_of_their_own(project: ProjectFolder):
    project.write({"models/a.ff.sql": "{{ 1 +", "models/b.ff.sql": "{{ 2 +"})

    events = [json.loads(line) for line in project.fft("list", "--json").out.splitlines()]

    assert [Path(event["at"]).name for event in events] == ["a.ff.sql:1", "b.ff.sql:1"]
