"""A command about a few models reads these, what they read, and nothing else."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflowtransform.declared import others_of
from fastflowtransform.graph import ancestors
from fastflowtransform.kept import Kept
from fastflowtransform.project import Project, load
from fastflowtransform.reading import Reading
from tests.conftest import ProjectFolder

BROKEN = "{{ config( }}"
SHOP = {
    "models/base.ff.sql": "select 1 as id",
    "models/total.ff.sql": "{{ config(materialized='table') }} select count(*) as n from {{ ref('base') }}",
    "models/staging/other.ff.sql": "select 2 as id",
}


@pytest.fixture
def shop(project: ProjectFolder) -> ProjectFolder:
    project.write(SHOP)
    return project


def break_the_rest(project: ProjectFolder) -> None:
    project.write(
        {"models/staging/other.ff.sql": BROKEN, "models/staging/other.yml": "models: [{name: other, bad: 1}]"}
    )


def loaded(folder: Path, *only: str) -> Project:
    reading = Reading(only=frozenset(only)) if only else None
    return load(folder, engine="duckdb", database="demo", variables={}, reading=reading)


YAML = """
models:
  - name: {name}
    description: of {name}
    contract: enforced
    columns:
      - {{name: one, type: int32, tests: [not_null{asked}], constraints: [not_null{promised}]}}
"""
ASKED = ", {{relationships: {{to: \"ref('{other}')\", field: one}}}}"
PROMISED = ", {{type: foreign_key, to: \"ref('{other}')\", field: one}}"


@st.composite
def projects(draw: st.DrawFn) -> tuple[dict[str, str], str]:
    """Draw the files of a project of SQL and Python models with their YAML, and one of its models."""
    names = draw(st.lists(st.sampled_from([f"m_{n}" for n in range(12)]), unique=True, min_size=1))
    files, functions = {"seeds/codes.csv": "code\na\n"}, ["from fastflowtransform import model\n"]
    for number, name in enumerate(names):
        above = draw(st.lists(st.sampled_from([*names[:number], "codes"]), unique=True, max_size=3))
        if draw(st.integers(0, 3)) == 0:
            functions.append(f"@model(deps={above})\ndef {name}(*tables):\n    return tables[0]\n")
        else:
            refs = "".join(f" union all select 1 from {{{{ ref('{other}') }}}}" for other in above)
            files[f"models/{name}.ff.sql"] = f"select 1{refs}"
        others = draw(st.lists(st.sampled_from(names), max_size=2))
        asked = "".join(ASKED.format(other=other) for other in others[:1])
        promised = "".join(PROMISED.format(other=other) for other in others[1:])
        files[f"models/{name}.yml"] = YAML.format(name=name, asked=asked, promised=promised)
    if len(functions) > 1:
        files["models/functions.ff.py"] = "\n".join(functions)
    return files, draw(st.sampled_from(names))


@given(projects())
def test_what_is_read_of_a_project_is_the_same_as_when_all_of_it_is(drawn):
    files, name = drawn
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for path, text in {"project.yml": "name: shop\n", **files}.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)

        whole, part = loaded(folder), loaded(folder, name)

    wanted, before = {name}, set[str]()
    while wanted != before:
        before = set(wanted)
        wanted |= {above for node in before for above in ancestors(whole.graph, node)}
        wanted |= {
            other.node
            for check in whole.checks
            if check.is_promised and check.node in wanted
            for other in others_of(check)
        }
    assert part.models.keys() == wanted & whole.models.keys()
    assert part.unread == whole.models.keys() - wanted
    for model in part.models:
        assert replace(part.models[model], body=whole.models[model].body) == whole.models[model]
        assert part.graph.upstream[model] == whole.graph.upstream[model]
    assert part.checks == tuple(
        check
        for check in whole.checks
        if {check.node, *(other.node for other in others_of(check))} <= wanted | whole.seeds.keys()
    )


@pytest.mark.parametrize("command", ["run", "plan", "compile"])
def test_what_is_broken_elsewhere_is_not_in_the_way_of_a_command_about_one_model(shop, command):
    break_the_rest(shop)

    assert shop.fft(command, "--select", "total").code == (1 if command == "run" else 0)
    assert shop.fft(command, "--select", "+total").code == 0
    assert shop.fft(command).code == 2


@pytest.mark.parametrize("selection", ["total+", "tot*", "tag:x total", "@total", "path:models/total.ff.sql"])
def test_a_selection_that_may_mean_any_model_reads_them_all(shop, selection):
    break_the_rest(shop)

    assert "other" in shop.fft("plan", "--select", selection).err


@pytest.mark.parametrize("options", [["build"], ["test"], ["run", "--audit"], ["list"]])
def test_commands_about_checks_read_all_models(shop, options):
    break_the_rest(shop)

    answer = shop.fft(*options, "--select", "+total")

    assert answer.code == 2 and "other" in answer.err


def test_a_model_that_is_not_there_is_told_with_the_nearest_one_of_all(shop):
    answer = shop.fft("plan", "--select", "otherr")

    assert answer.code == 2
    assert 'did you mean "other"?' in answer.err


def test_a_ref_to_a_model_that_is_not_there_is_told_with_the_nearest_one_of_all(shop):
    shop.write({"models/base.ff.sql": "select * from {{ ref('otherr') }}"})

    assert 'did you mean "other"?' in shop.fft("plan", "--select", "total").err


def test_two_files_of_one_name_are_found_although_neither_is_read(shop):
    shop.write({"models/again/other.ff.sql": "select 3 as id"})

    answer = shop.fft("plan", "--select", "total")

    assert answer.code == 2
    assert '"other" is defined twice' in answer.err


def test_a_yaml_file_that_spells_a_name_in_another_way_is_read(shop):
    shop.write({"models/total.yml": 'models: [{name: "tot\\x61l", tests: [{not_null: {column: n}}]}]'})

    (check,) = loaded(shop.folder, "total").checks

    assert check.node == "total"


def test_a_yaml_file_is_left_alone_where_it_only_names_longer_names(shop):
    shop.write({"models/totals.ff.sql": "select 1 as n", "models/totals.yml": "models: [{name: totals, bad: 1}]"})

    assert shop.fft("plan", "--select", "total").code == 0


def test_the_manifest_stays_as_it_is_where_not_all_was_read(shop):
    assert shop.fft("run").code == 0
    before = (shop.folder / "target" / "manifest.json").read_text()
    shop.write({"models/total.ff.sql": SHOP["models/total.ff.sql"] + " where true"})

    assert shop.fft("run", "--select", "total").code == 0

    assert (shop.folder / "target" / "manifest.json").read_text() == before


def test_the_manifest_is_written_where_all_was_needed(shop):
    assert shop.fft("run", "--select", "+total other").code == 0

    assert (shop.folder / "target" / "manifest.json").exists()


def test_what_is_kept_of_files_that_were_not_read_stays(shop):
    shop.write(
        {"models/other.yml": "models: [{name: other, description: x}]", "models/total.yml": "models: [{name: total}]"}
    )
    kept = shop.folder / "target" / "parsed.bin"
    assert shop.fft("plan").code == 0
    before = kept.read_bytes()
    shop.write({"models/total.ff.sql": SHOP["models/total.ff.sql"] + "{% if 1 %} where true {% endif %}"})

    assert shop.fft("plan", "--select", "total").code == 0

    assert kept.read_bytes() == before


def test_a_python_model_is_read_with_all_of_its_file_and_others_of_that_are_left_out(shop):
    shop.write(
        {
            "models/functions.ff.py": """
            from fastflowtransform import model

            @model
            def near(base):
                return base

            @model
            def far(other):
                return other
            """
        }
    )

    part = loaded(shop.folder, "near")

    assert part.models.keys() == {"near", "base"}
    assert part.unread == {"far", "total", "other"}


def test_all_is_read_without_anything_kept(shop):
    assert load(shop.folder, engine="duckdb", database="demo", variables={}, reading=Reading(Kept())).models.keys() == {
        "base",
        "total",
        "other",
    }


FOREIGN_KEY = """
    models:
      - name: total
        contract: enforced
        columns:
          - {name: n, type: int64, constraints: [{type: foreign_key, to: "ref('other')", field: id}]}
    """


def test_a_promised_check_has_the_model_read_that_it_looks_at(shop):
    shop.write({"models/total.yml": FOREIGN_KEY})
    assert shop.fft("run", "--select", "base other").code == 0

    answer = shop.fft("run", "--select", "total")

    assert answer.code == 1 and "D301" in answer.out + answer.err
    assert loaded(shop.folder, "total").models.keys() == {"base", "total", "other"}


def test_what_a_yaml_file_says_of_a_model_that_was_not_read_is_not_held_against_it(shop):
    shop.write(
        {
            "models/staging/other.ff.sql": "{{ config(materialized='table', contract='enforced') }} select 2 as id",
            "models/schema.yml": "models: [{name: base}, {name: other, columns: [{name: id, type: int32}]}]",
        }
    )

    assert shop.fft("plan", "--select", "base").code == 0
    assert shop.fft("plan").code == 0


@pytest.mark.parametrize(
    ("name", "spelt"), [("it's", "'it''s'"), ("a b", "a\n          b"), ("2024", '"\\x32024"'), ("über", "über")]
)
def test_a_name_that_yaml_can_spell_in_several_ways_is_found(shop, name, spelt):
    shop.write(
        {f"models/{name}.ff.sql": "select 1 as id", "models/x.yml": f"models:\n  - name: {spelt}\n    tags: [x]\n"}
    )

    assert loaded(shop.folder, name).models[name].tags == {"x"}


def test_a_python_model_in_the_folder_of_macros_is_a_model(shop):
    shop.write(
        {"models/macros/p.ff.py": "from fastflowtransform import model\n\n@model\ndef p(base):\n    return base\n"}
    )

    assert "p" in loaded(shop.folder).models
    assert loaded(shop.folder, "p").models.keys() == {"p", "base"}


def test_a_source_that_is_the_table_of_a_model_has_that_read(shop):
    shop.write(
        {
            "sources.yml": "sources: [{name: raw, schema: demo, tables: [{name: other}]}]",
            "models/total.ff.sql": "select * from {{ source('raw', 'other') }}",
        }
    )

    assert loaded(shop.folder, "total").models.keys() == {"total", "other"}


@pytest.mark.parametrize("selection", ["base", "total"])
def test_a_function_with_the_name_of_a_file_is_found_although_that_is_not_read(shop, selection):
    shop.write({"models/p.ff.py": "from fastflowtransform import model\n\n@model\ndef other(base):\n    return base\n"})

    answer = shop.fft("plan", "--select", selection)

    assert answer.code == 2 and '"other" is defined twice' in answer.err


def test_a_model_for_another_engine_is_told_with_the_nearest_one_of_all(shop):
    shop.write(
        {
            "models/p.ff.py": """
            from fastflowtransform import engine_model

            @engine_model(only="spark")
            def othr(base):
                return base
            """
        }
    )

    assert 'did you mean "other"?' in shop.fft("plan", "--select", "othr").err


def test_a_check_that_names_no_model_is_told_with_the_nearest_one_of_all(shop):
    entry = "relationships: {column: n, to: \"ref('othr')\", field: id}"
    shop.write({"models/total.yml": f"models: [{{name: total, tests: [{entry}]}}]"})

    assert 'did you mean "other"?' in shop.fft("plan", "--select", "total").err


def test_a_seed_that_would_be_the_table_of_a_model_is_found_although_that_is_not_read(shop):
    shop.write({"seeds/codes.csv": "code\na\n", "seeds/schema.yml": "seeds: [{name: codes, table: other}]"})

    answer = shop.fft("plan", "--select", "total")

    assert answer.code == 2 and "would both be the table" in answer.err


def test_a_python_file_is_executed_once_whatever_is_asked_for(shop):
    shop.write(
        {
            "models/p.ff.py": """
            from pathlib import Path
            from fastflowtransform import model

            with Path(__file__).with_suffix(".log").open("a") as log:
                log.write("executed ")

            @model
            def p(base):
                return base
            """,
            "models/total.yml": FOREIGN_KEY,
        }
    )

    for name in ("total", "othr"):
        loaded(shop.folder, name)

    assert (shop.folder / "models/p.ff.log").read_text() == "executed executed "
