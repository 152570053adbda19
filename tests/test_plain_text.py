"""Names, data and messages of others steer neither a terminal nor a CI job."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflowtransform.plain_text import in_json, in_line, in_lines, in_sql
from tests.conftest import Answer, ProjectFolder

HOSTILE = "x\x1b[2J\x9b1m\u202eevil\u2066\r\n::error file=a::planted\n  ::stop-commands::t\n##[command]z\u2028\x07"
ORDER = re.compile(r"^\s*::[^\s:][^\n]*?::|##(?:\[|vso\[|teamcity\[)", re.MULTILINE)


def is_plain(text: str) -> bool:
    """Whether nothing in a text steers who reads it."""
    return all(c.isprintable() or c in "\n\t" for c in text) and ORDER.search(text) is None


@given(st.text())
def test_no_text_steers_a_terminal_or_a_ci_job(text: str):
    assert is_plain(in_line(text)) or "::" in text or "##" in text
    assert "\n" not in in_line(text)
    assert is_plain(in_lines(text))
    assert is_plain(in_sql(text))


PARTS = st.sampled_from(["::", ":", "#", "##", "[", "vso[", "error", " ", "\n", "\t", "a=b", "\u202e"])


@given(st.lists(PARTS).map("".join))
def test_no_order_is_left_at_the_start_of_a_line(text: str):
    assert is_plain(in_lines(text))
    assert is_plain(in_sql(text))


@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_that_steers_nobody_means_the_same(value: object):
    text = in_json(json.dumps(value, ensure_ascii=False))

    assert json.loads(text) == value
    assert is_plain(text)


@pytest.mark.parametrize("sql", ["select a\n::int::text from t", "select '\u00e4'\n  ::text", "select 1 -- ##[x]"])
def test_a_statement_that_holds_what_looks_like_an_order_can_still_be_copied(sql: str):

    shown = in_sql(sql)

    assert is_plain(shown)
    assert (
        duckdb.sql("with t as (select '1' as a) " + shown).fetchall()
        == duckdb.sql("with t as (select '1' as a) " + sql).fetchall()
    )


@pytest.mark.parametrize("flags", [["-v"], ["--json"], []])
def test_names_and_data_of_others_steer_no_command(project: ProjectFolder, flags: list[str]):
    text = json.dumps(HOSTILE)
    project.write(
        {
            "project.yml": f"name: {text}\n",
            "models/a.ff.sql": f"select '{HOSTILE}' as id, 1 as \"c{HOSTILE}\"",
            "models/b.ff.sql": f"select error('{HOSTILE}') as id",
            "models/a.yml": f"models: [{{name: a, description: {text}, tags: [{text}], columns: [{{name: id, "
            f"tests: [{{accepted_values: {{values: [{text}x]}}}}]}}]}}]\n",
            "seeds/s.csv": f'"{HOSTILE}",b\n"{HOSTILE}",2\n',
        }
    )
    commands = (
        ["seed"],
        ["run"],
        ["test"],
        ["build"],
        ["list"],
        ["plan"],
        ["compile"],
        ["show", "a"],
        ["show", "b"],
        ["show", "s"],
    )

    answers = [project.fft(*command, *flags) for command in commands]

    assert [answer for answer in answers if not is_plain(answer.out + answer.err)] == []


def test_a_folder_with_a_hostile_name_steers_no_command(tmp_path: Path, project: ProjectFolder):
    answer = in_process(project, ["init", str(tmp_path / "a\x1b[2J\n::error::x")])

    assert answer.code == 0
    assert is_plain(answer.out + answer.err)


def in_process(project: ProjectFolder, words: list[str]) -> Answer:
    """Run a command that is about another folder than the project's."""
    from fastflowtransform import cli

    project._capture.readouterr()
    code = cli.call(words)
    out, err = project._capture.readouterr()
    return Answer(code, out, err)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-16"])
@pytest.mark.parametrize("flags", [[], ["--json"], ["-v"]])
def test_output_in_another_encoding_says_the_same(project: ProjectFolder, encoding: str, flags: list[str]):
    project.write({"models/a.ff.sql": "select 'żółw 🐢 é' as \"naïve\""})
    project.fft("run")

    answer = subprocess.run(
        [sys.executable, "-m", "fastflowtransform", "show", "a", *flags, str(project.folder)],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        timeout=60,
    )

    out = answer.stdout.decode(encoding)
    assert answer.returncode == 0, answer
    assert "C900" not in answer.stderr.decode(encoding)
    if "--json" in flags:
        assert json.loads(out)["values"] == {"naïve": "żółw 🐢 é"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("words", ["--help", "--version", "run --help", "list .", "list --json .", "nothing"])
@pytest.mark.parametrize("streams", [("stdout",), ("stderr",), ("stdout", "stderr")])
def test_a_full_disk_in_place_of_the_output_is_an_error_and_no_traceback(
    project: ProjectFolder, words: str, streams: tuple[str, ...]
):
    project.write({"models/a.ff.sql": "select 1 as id"})
    with open("/dev/full", "wb") as full:
        into = {name: full if name in streams else subprocess.PIPE for name in ("stdout", "stderr")}
        done = subprocess.run(
            [sys.executable, "-m", "fastflowtransform", *words.split()], cwd=project.folder, timeout=60, **into
        )

    said = (done.stderr or b"").decode()
    assert done.returncode == (2 if "stdout" in streams or words == "nothing" else 0), said
    assert "Traceback" not in said
    assert "C900" not in said
