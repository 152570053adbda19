"""What files were parsed to is kept, and never makes a difference but in time."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import jinja2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastflowtransform import kept_file
from fastflowtransform.errors import FftError, Location
from fastflowtransform.kept import NAME, keeping, made_by
from fastflowtransform.model import SqlBody
from fastflowtransform.project import Project, load
from fastflowtransform.reading import Reading
from fastflowtransform.sql_model import Name, render
from fastflowtransform.template import compile_template
from tests.conftest import ProjectFolder

PROJECT = "name: kept\nvars: {least: 0}\n"
SQL = [
    "select 1 as id",
    "select 2 as id -- {# no more #}",
    "{{ config(materialized='table', tags=['a']) }}\nselect * from {{ ref('one') }}",
    "{{ config(materialized=var('as', 'view')) }} select {{ var('least') }} as id, '{{ env('STAGE', '-') }}' as s",
    "{% if engine('duckdb') %}select 1 as id{% else %}select * from {{ ref('two') }}{% endif %}",
    "select {{ shout('x') }} as id from {{ ref('one') }}",
    "select {{ missing }} as id",
    "select {{ 1 + }} as id",
]
MACROS = [
    "{% macro shout(word) %}'{{ word }}!'{% endmacro %}",
    "{% macro shout(word) %}upper('{{ word }}'){% endmacro %}",
]
YAML = [
    "models: [{name: one, columns: [{name: id, tests: [unique]}]}]",
    "models:\n  - name: two\n    description: 2026-01-01\n    tests: [{not_null: {column: id}}]",
    "models: [{name: one, tags: [b], kind: unknown}]",
    "models: [",
]
SOURCES = ['sources: [{name: raw, tables: [{name: \'{{ env("STAGE", "x") }}\'}]}]']
FILES = {
    **dict.fromkeys(("models/one.ff.sql", "models/two.ff.sql", "models/deep/three.ff.sql"), SQL),
    "models/macros/shout.sql": MACROS,
    "models/schema.yml": YAML,
    "sources.yml": SOURCES,
}
WRITES = st.sampled_from([(name, text) for name, texts in FILES.items() for text in (*texts, None)])
RENAMES = st.tuples(st.sampled_from(sorted(FILES)), st.sampled_from(["models/four.ff.sql", "models/five.ff.sql"]))
GIVEN = st.fixed_dictionaries(
    {},
    optional={"least": st.integers(0, 2), "as": st.sampled_from(["table", "view"])},
)
STEPS = st.lists(
    st.tuples(st.lists(WRITES | RENAMES, max_size=2), GIVEN, st.sampled_from([{}, {"STAGE": "s"}])),
    min_size=2,
    max_size=5,
)


def change(folder: Path, name: str, other: str | None) -> None:
    """Write, remove or rename a file."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if other in ("models/four.ff.sql", "models/five.ff.sql"):
        if path.exists():
            path.rename(folder / str(other))
    elif other is None:
        path.unlink(missing_ok=True)
    else:
        path.write_text(other)


def told(folder: Path, variables: dict[str, str], given: dict[str, Any], engine: str, kept: Any = None) -> object:
    """Return all that a load gives, or its error."""
    try:
        reading = Reading(kept) if kept else None
        project = load(folder, engine=engine, database="main", variables=variables, given=given, reading=reading)
        return project.models, project.sources, project.checks, project.graph, sql(project)
    except FftError as error:
        return type(error), str(error)


def sql(project: Project) -> dict[str, str]:
    names = {node: Name(f'"{node}"', name=node) for node in project.graph.nodes}
    return {
        name: render(model.body.template, project.scope, names, names[name], is_incremental=True)
        for name, model in project.models.items()
        if isinstance(model.body, SqlBody)
    }


@given(STEPS, st.sampled_from(["duckdb", "postgres"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_a_load_with_what_was_kept_gives_what_one_without_gives(tmp_path: Path, steps: Any, engine: str):
    folder = tmp_path / "project"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "models").mkdir(parents=True)
    (folder / "project.yml").write_text(PROJECT)
    change(folder, "models/one.ff.sql", SQL[0])
    for changes, given_vars, variables in steps:
        for name, other in changes:
            change(folder, name, other)
        with keeping(folder) as kept:
            with_kept = told(folder, variables, given_vars, engine, kept)

        assert with_kept == told(folder, variables, given_vars, engine)


@pytest.fixture
def one(project: ProjectFolder) -> ProjectFolder:
    """A project that was listed once, so that what its files were parsed to is kept."""
    project.write(
        {
            "models/one.ff.sql": "{% if engine('duckdb') %}select 1 as id{% endif %}",
            "models/schema.yml": "models: [{name: one, columns: [{name: id, tests: [unique]}]}]",
        }
    )
    assert project.fft("list").code == 0
    return project


def test_a_second_load_parses_nothing(one: ProjectFolder, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise AssertionError("parsed again")

    monkeypatch.setattr("fastflowtransform.template.compile_template", refuse)
    monkeypatch.setattr("fastflowtransform.document.parse_document", refuse)
    with keeping(one.folder) as kept:
        kept.template(one.folder / "models/one.ff.sql")
        kept.document(one.folder / "models/schema.yml", "schema.yml")

    assert len(kept.entries.used) == 2


@pytest.mark.parametrize("part", [0, 31, 40, 64, 70, -1])
def test_a_damaged_file_counts_as_none(one: ProjectFolder, part: int):
    path = one.folder / "target" / NAME
    content = bytearray(path.read_bytes())
    content[part] ^= 1
    path.write_bytes(content)

    answer = one.fft("plan")

    assert (answer.code, answer.err) == (0, "")
    assert path.read_bytes()[part] == content[part] ^ 1


@pytest.mark.parametrize("content", [b"", b"half", b"x" * 200])
def test_a_torn_file_counts_as_none(one: ProjectFolder, content: bytes):
    (one.folder / "target" / NAME).write_bytes(content)

    answer = one.fft("plan")

    assert (answer.code, answer.err) == (0, "")


def test_what_another_version_wrote_counts_as_none(one: ProjectFolder, monkeypatch: pytest.MonkeyPatch):
    path = one.folder / "target" / NAME
    assert kept_file.read(path, made_by())

    monkeypatch.setattr("fastflowtransform.kept_file.os.listdir", lambda _: ["jinja2-0.0.dist-info"])

    assert not kept_file.read(path, made_by())


def test_a_place_that_cannot_be_written_to_costs_nothing_but_time(one: ProjectFolder):
    shutil.rmtree(one.folder / "target")
    (one.folder / "target").write_text("in the way")

    answer = one.fft("plan")

    assert (answer.code, answer.err) == (0, "")


def test_a_load_that_changes_nothing_writes_nothing(one: ProjectFolder):
    path = one.folder / "target" / NAME
    before = path.stat().st_mtime_ns, path.stat().st_ino

    assert one.fft("plan").code == 0
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before


def test_a_load_that_fails_keeps_what_it_did_not_come_to(one: ProjectFolder):
    before = kept_file.read(one.folder / "target" / NAME, made_by())
    one.write({"models/a.ff.sql": "{{ 1 + }}"})

    assert one.fft("plan").code == 2
    assert kept_file.read(one.folder / "target" / NAME, made_by()) == before


def test_what_no_file_holds_any_more_is_dropped(one: ProjectFolder):
    one.write({"models/one.ff.sql": "select {{ 1 }} as id"})

    assert one.fft("plan").code == 0
    assert len(kept_file.read(one.folder / "target" / NAME, made_by())) == 2


LITERALS = st.one_of(
    st.none(), st.booleans(), st.integers(0, 9), st.text("ab '\n", max_size=4), st.lists(st.integers(0, 3), max_size=2)
)
CALLS = st.tuples(
    st.sampled_from(["noted", "other"]),
    st.lists(LITERALS, max_size=2),
    st.dictionaries(st.sampled_from("xy"), LITERALS),
)
TEXTS = st.sampled_from(
    ["select 1\n", "  ", "{{ this }}", "{#- no -#}", "{{- this -}}", "{% raw %}{{ x }}{% endraw %}", "\r\n"]
)


def written(call: tuple[str, list[object], dict[str, object]]) -> str:
    name, arguments, named = call
    return (
        f"{{{{ {name}({', '.join([*map(repr, arguments), *(f'{key}={value!r}' for key, value in named.items())])}) }}}}"
    )


@given(st.lists(TEXTS | CALLS.map(written), max_size=6).map(lambda parts: "".join(["{{ this }}", *parts])))
def test_a_text_with_plain_calls_is_rendered_as_jinja_does(text: str):
    def noted(*arguments: object, **named: object) -> str:
        return f"{arguments} {named}"

    context = {"noted": noted, "other": lambda *_, **__: None, "this": "here"}
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)

    template = compile_template(text, Location(Path("m.ff.sql"), 1))

    assert template.parts is not None
    assert template.render(context) == environment.from_string(text).render(context)


def test_what_another_user_has_kept_is_not_read(one: ProjectFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    # issue 18, point 17: it holds code, and comes with a project as any other file
    path = one.folder / "target" / NAME
    assert kept_file.read(path, made_by())
    monkeypatch.setenv("HOME", str(tmp_path / "another"))
    kept_file._key.cache_clear()

    found = kept_file.read(path, made_by())

    kept_file._key.cache_clear()
    assert found == {}


def test_without_a_place_for_a_key_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    kept_file._key.cache_clear()

    kept_file.write(tmp_path / "target" / NAME, made_by(), {b"a": b"b"})

    kept_file._key.cache_clear()
    assert not (tmp_path / "target").exists()


def test_only_its_user_may_read_what_is_kept(one: ProjectFolder):
    assert (one.folder / "target" / NAME).stat().st_mode & 0o777 == 0o600
