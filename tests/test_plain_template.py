"""What is read without Jinja is what Jinja reads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fastflowtransform import template
from fastflowtransform.errors import JinjaError, Location
from fastflowtransform.template import Template
from tests.conftest import ProjectFolder

AT = Location(Path("m.ff.sql"), 1)
TOKENS = [
    *("{{", "}}", "{%", "%}", "{#", "#}", "{", "}", "(", ")", "[", "]", ",", "=", "'", '"', "-", "+", "#", ".", "|"),
    *(" ", "\n", "\t", "\r\n", "\\", "é", "select 1", "a", "ref", "config", "not", "if", "in", "self", "loop", "super"),
    *("true", "True", "TRUE", "none", "None", "0", "7", "007", "1_0", "1.5", "1e3", "0x1f", "'x'", '"y"', "r'x'", "~"),
]
SCALARS = st.sampled_from(
    ["'x'", '"y z"', "''", "'a\nb'", "'é'", "3", "0", "true", "False", "none", "-1", "1.5", "'\\n'", "x", "x()"]
)
VALUES = SCALARS | st.lists(SCALARS, max_size=2).map(lambda found: f"[{', '.join(found)}]")
ARGUMENTS = st.tuples(st.sampled_from(["", "", "by=", "by = ", "if="]), VALUES).map("".join)
GAPS = st.sampled_from(["", "", " ", "\n  ", "\t"])
CALLS = st.tuples(
    st.just("{{"),
    GAPS,
    st.sampled_from(["ref", "config", "é", "not", "a1"]),
    GAPS,
    st.just("("),
    GAPS,
    st.lists(ARGUMENTS, max_size=3).map(", ".join),
    st.sampled_from(["", ",", ", "]),
    st.just(")"),
    GAPS,
    st.just("}}"),
).map("".join)
NAMES = st.sampled_from(["{{ this }}", "{{this}}", "{{ True }}", "{{\nloop\n}}", "{{- a -}}", "{{ a.b }}", "{{ a() }}"])
TEXTS = st.lists(CALLS | NAMES | st.sampled_from(TOKENS), max_size=6).map("".join)


def by_jinja(text: str) -> Template | None:
    try:
        return template._by_jinja(text, AT)
    except JinjaError:
        return None


@settings(max_examples=1_500)
@given(TEXTS)
@example("{{ ref('a') }}")
@example("a {{ config(a=1,\n  b=['x'],\n) }}\n\nselect {{ ref('b', 'c') }}.{{ x }}\n")
@example("{{ f('}}') }}")
@example("{{ f(a=1, a=2) }}")
@example("{{ f(a=1, 2) }}")
@example("{{ f(1 2) }}")
@example("{{ f('a' 'b') }}")
@example("{{ f(,) }}")
@example("{{ f(1,, 2) }}")
def test_what_is_read_without_jinja_is_what_jinja_reads(text: str):
    plain = template.plain(text, AT)

    if plain is not None and "{" in text:
        assert plain == by_jinja(text)
        assert plain.parts == by_jinja(text).parts


EVERYDAY = [
    "select 1",
    "{{ config(materialized='table') }} select * from {{ ref('a') }}",
    "{{ config(\n    materialized='incremental',\n    unique_key=['id', 'day'],\n    updated_at=\"at\",\n) }} select 1",
    "select * from {{ source('raw', 'events') }} where v > {{ var('least', 3) }} and {{ this }}",
    "{{config(tags=[], x=true)}}",
]


@pytest.mark.parametrize("text", [text for text in EVERYDAY if "[]" not in text])
def test_everyday_texts_are_read_without_jinja(text: str):
    assert template.plain(text, AT) is not None


@pytest.mark.parametrize("text", EVERYDAY)
def test_the_line_of_a_call_is_that_of_its_text(text: str):
    found = template.compile_template(text, AT)

    assert [text.splitlines()[call.line - 1].count(call.function) for call in found.calls] == [1] * len(found.calls)


def test_a_project_of_plain_texts_is_read_without_jinja(project: ProjectFolder):
    project.write({f"models/m{number}.ff.sql": text for number, text in enumerate(EVERYDAY[:2])})
    project.write({"models/a.ff.sql": "select 1 as id"})
    code = f"""
import sys
from fastflowtransform import cli
assert cli.call(["list", {str(project.folder)!r}, "-q"]) == 0
assert "jinja2" not in sys.modules
"""

    subprocess.run([sys.executable, "-c", code], check=True)
