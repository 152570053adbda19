"""Scalars in YAML: one rule for files and `--vars`, and texts that are written so that they are read again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fastflowtransform import cli
from fastflowtransform.cli.options import given_variables
from fastflowtransform.document import packed, parse_document, unpacked
from fastflowtransform.errors import YamlSyntax
from fastflowtransform.yaml_scalars import parse, quoted
from tests.conftest import ProjectFolder

FILE = Path("project.yml")
CODES = st.text("0123456789abefonxyNOYE:.+-_", min_size=1, max_size=8).filter(lambda text: text[-1] not in ":-")


def in_file(text: str) -> object:
    """Return the value that a file gives for a scalar."""
    return parse_document(f"v: {text}\n", FILE, "a file").raw("v")


@pytest.mark.parametrize(
    "text",
    [
        "NO",
        "no",
        "Yes",
        "on",
        "off",
        "y",
        "01234",
        "-012",
        "00",
        "01.5",
        "10:30",
        "10:30:00",
        "1_000",
        "0b11",
        "0x_",
        "=",
    ]
    + ["2026-01-31", "2026-02-31", "2026-01-31 10:00:00", "1e", "1.2.3", "+", "tRue", "nULL", ".", "0o8", "12e03x"],
)
def test_a_scalar_that_is_no_number_of_yaml_1_2_is_the_text_that_it_looks_like(text: str):
    assert in_file(text) == text
    assert given_variables((f"v={text}",)) == {"v": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [("12", 12), ("-3", -3), ("+5", 5), ("0", 0), ("0o12", 10), ("0x1F", 31), ("1.10", 1.1), ("1e3", 1000.0)]
    + [
        (".5", 0.5),
        ("-.inf", float("-inf")),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
    ],
)
def test_a_number_a_boolean_and_null_are_as_in_yaml_1_2(text: str, value: object):
    assert in_file(text) == value
    assert given_variables((f"v={text}",)) == {"v": value}


@given(CODES)
def test_a_scalar_means_the_same_in_a_file_and_after_vars(text: str):
    found = in_file(text)

    assert given_variables((f"v={text}",)) == {"v": found}
    assert isinstance(found, bool | int | None) or str(found) == text or text.lower().endswith((".inf", ".nan"))


@given(st.floats(0.001, 1e6).map(repr) | st.sampled_from(["1.10", "1.0e5", "2.", "7.500"]))
def test_a_number_with_a_fraction_is_shown_as_it_was_written_also_from_what_is_kept(text: str):
    document = parse_document(f"v: {text}\n", FILE, "a file")

    assert [str(each.raw("v")) for each in (document, unpacked(packed(document), FILE, "a file"))] == [text, text]
    assert document.raw("v") == float(text)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_text_that_is_quoted_is_read_again_as_it_was_on_one_line(text: str):
    line = quoted(text)

    assert len(line.splitlines()) == 1
    assert parse(line) == text
    assert yaml.safe_load(f"[{{name: {line}, type: x}}]") == [{"name": text, "type": "x"}]


@pytest.mark.parametrize(
    "value",
    ["!!timestamp 2026-02-31", "!!timestamp soon", "!!int 0x_", "!!float x", "!!bool maybe", "!!null x", "!mine x"]
    + ["!!python/object/apply:os.getcwd []", "!!python/name:os.system x", "9" * 5000],
)
def test_a_scalar_that_cannot_be_made_is_an_error_with_its_line(value: str):
    with pytest.raises(YamlSyntax) as caught:
        parse_document(f"\nv: {value}\n", FILE, "a file")

    assert str(caught.value.at) == "project.yml:2"


def test_variables_mean_the_same_from_the_project_and_the_command_line(project: ProjectFolder):
    project.write(
        {
            "project.yml": "name: test\nvars: {a: NO, b: 01234, c: 1.10, d: 10:30}\n",
            "models/m.ff.sql": "select '{{ var('a') }}|{{ var('b') }}|{{ var('c') }}|{{ var('d') }}' as v",
        }
    )
    project.fft("run")
    of_project = project.sql("from m")

    project.fft("run", "--vars", "a=NO", "--vars", "b=01234", "--vars", "{c: 1.10, d: 10:30}")

    assert project.sql("from m") == of_project == [("NO|01234|1.10|10:30",)]


@pytest.mark.parametrize("text", ["0x1F", "+5", "-0", "0o12", "1.10", "1e3", "007", "NO", "10:30", "12", "1_000"])
def test_a_setting_that_is_a_text_is_as_it_was_written(text: str):
    document = parse_document(f"v: {text}\nw: [{text}]\n", FILE, "a file")

    for each in (document, unpacked(packed(document), FILE, "a file")):
        assert (each.text("v"), each.texts("w")) == (text, (text,))


def test_an_environment_may_be_called_no(project: ProjectFolder):
    project.write({"profiles.yml": "NO:\n  engine: duckdb\n  duckdb: {path: w.duckdb, schema: 007}\n"})

    assert project.fft("plan", "--env", "NO").code == 0


@pytest.mark.parametrize("name", ["NO", "a: b", "{{ x }}", "it's", 'a"b', "a\nb", "a\u2028b", "\x7f", "012", b"a\xff"])
def test_a_new_project_is_called_as_its_folder_whatever_that_is(tmp_path: Path, capsys, name: str | bytes):
    folder = os.path.join(os.fsencode(tmp_path), os.fsencode(name))

    assert cli.call(["init", os.fsdecode(folder)]) == 0
    assert cli.call(["list", os.fsdecode(folder)]) == 0, capsys.readouterr()

    text = Path(os.fsdecode(folder), "project.yml").read_text()
    wanted = name if isinstance(name, str) else "a?"
    assert parse(text)["name"] == wanted
