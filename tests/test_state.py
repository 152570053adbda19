"""Selecting by what changed and by what came of the last run, repeating what failed, and reading elsewhere."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import make_dataclass, replace
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflowtransform.errors import Location
from fastflowtransform.fingerprint import fingerprints, settings_of, tokens
from fastflowtransform.model import Model, PythonBody, SqlBody
from fastflowtransform.project import load
from fastflowtransform.python_text import forget
from fastflowtransform.template import compile_template
from tests.conftest import ProjectFolder

FILES = {
    "project.yml": "name: shop\nvars: {least: 0}\n",
    "models/macros/money.sql": "{% macro cents(column) %}{{ column }} * 100{% endmacro %}",
    "models/base.ff.sql": "select 1 as id, 2 as v",
    "models/priced.ff.sql": "select id, {{ cents('v') }} as v from {{ ref('base') }}",
    "models/total.ff.sql": "{{ config(materialized='table') }} select sum(v) as v from {{ ref('priced') }}",
    "models/recent.ff.sql": "select * from {{ ref('base') }} where v > {{ var('least') }}",
    "helpers.py": "FACTOR = 2\n\ndef double(column):\n    return column * FACTOR\n",
    "models/python.ff.py": """
        from fastflowtransform import model
        import helpers

        LIMIT = 3

        def near(column):
            return column < LIMIT

        @model
        def doubled(base):
            kept = base.filter(near(base.v))
            return kept.mutate(v=helpers.double(kept.v))

        @model(materialized="table")
        def plain(base):
            return base
        """,
    "seeds/codes.csv": "code\na\n",
    "sources.yml": "sources: [{name: raw, tables: [{name: codes}]}]",
}
ALL = {"base", "priced", "total", "recent", "doubled", "plain", "codes", "source:raw.codes"}


PROFILES = """
    dev: {engine: duckdb, duckdb: {path: w.duckdb, schema: demo}}
    ci: {engine: duckdb, duckdb: {path: w.duckdb, schema: ci}}
    """


@pytest.fixture
def shop(project: ProjectFolder) -> ProjectFolder:
    """A project that was run, whose manifest is kept in the folder `before`."""
    project.write(FILES)
    assert project.fft("seed").code == 0
    answer = project.fft("run")
    assert answer.code == 0, answer.err
    shutil.copytree(project.folder / "target", project.folder / "before")
    return project


def listed(project: ProjectFolder, *arguments: str) -> set[str]:
    """Return the names that `fft list` shows."""
    answer = project.fft("list", *arguments, "--json")
    assert answer.code == 0, answer.err
    return {json.loads(line)["name"] for line in answer.out.splitlines()}


def changed(project: ProjectFolder, what: str) -> set[str]:
    return listed(project, "--state", str(project.folder / "before"), "--select", f"state:{what}")


CONTRACT = "contract: enforced, columns: [{name: id, type: int32}, {name: v, type: int32}]"
CHANGES = [
    ({"models/base.ff.sql": "SELECT_ 1 as id"}, {"base"}, set()),
    ({"models/base.ff.sql": "select 1   as id, -- the key\n  2 as v;\n"}, set(), set()),
    (
        {"models/base.ff.sql": "{{ config(tags=['a'], meta={'b': 1}) }}\nselect 1 as id, 2 as v"},
        set(),
        set(),
    ),
    ({"models/base.ff.sql": "{{ config(materialized='table') }} select 1 as id, 2 as v"}, set(), {"base"}),
    ({"models/macros/money.sql": "{% macro cents(column) %}{{ column }} * 1000{% endmacro %}"}, {"priced"}, set()),
    ({"project.yml": "name: shop\nvars: {least: 1}\n"}, {"recent"}, set()),
    (
        {"project.yml": "name: shop\nvars: {least: 0}\nmodels: {materialized: table}\n"},
        set(),
        {"base", "priced", "recent", "doubled"},
    ),
    ({"helpers.py": "FACTOR = 3\n\ndef double(column):\n    return column * FACTOR\n"}, {"doubled"}, set()),
    (
        {"helpers.py": "# twice\nFACTOR = 2\n\n\ndef double(column):\n    'Twice.'\n    return column*FACTOR\n"},
        set(),
        set(),
    ),
    ({"models/python.ff.py": FILES["models/python.ff.py"].replace("LIMIT = 3", "LIMIT = 4")}, {"doubled"}, set()),
    (
        {"models/python.ff.py": FILES["models/python.ff.py"].replace("return base\n", "return base.limit(1)\n")},
        {"plain"},
        set(),
    ),
    ({"models/python.ff.py": FILES["models/python.ff.py"].replace('"table"', '"view"')}, set(), {"plain"}),
    (
        {"models/s.yml": f"models: [{{name: base, {CONTRACT}}}]"},
        set(),
        {"base"},
    ),
    ({"models/s.yml": "models: [{name: base, description: x, columns: [{name: id, tests: [unique]}]}]"}, set(), set()),
    ({"project.yml": FILES["project.yml"] + "dialect: postgres\n"}, set(), {"base", "priced", "total", "recent"}),
    ({"seeds/codes.csv": "code\nb\n"}, {"codes"}, set()),
    ({"seeds/schema.yml": "seeds: [{name: codes, columns: [{name: code, type: string}]}]"}, set(), {"codes"}),
    (
        {"sources.yml": "sources: [{name: raw, tables: [{name: codes, identifier: codes2}]}]"},
        set(),
        {"source:raw.codes"},
    ),
]


@pytest.mark.parametrize(("files", "body", "config"), CHANGES)
def test_a_change_of_the_body_and_one_of_the_config_are_told_apart(shop, files, body, config):
    shop.write(files)

    assert (changed(shop, "modified.body"), changed(shop, "modified.config")) == (body, config)
    assert changed(shop, "modified") == body | config


IMPORTS = {
    "relatively": "from .rates import RATE",
    "relatively, the module": "from . import rates\nRATE = rates.RATE",
    "in a function": "def scaled(t):\n    from .rates import RATE\n    return t.mutate(v=t.v * RATE)",
    "by its name": "import importlib\nRATE = importlib.import_module('shared.rates').RATE",
    "by its name, relatively": "import importlib\nRATE = importlib.import_module('.rates', __package__).RATE",
    "by a name that is computed": "import importlib\nRATE = importlib.import_module('shared.' + 'rates').RATE",
    "by its path": "import runpy, pathlib\nRATE = runpy.run_path(pathlib.Path(__file__).with_name('rates.py'))['RATE']",
}


@pytest.mark.parametrize("how", IMPORTS.values(), ids=IMPORTS)
def test_what_a_helper_imports_is_a_part_of_the_function(project: ProjectFolder, how: str):
    # issue 18, point 8
    scaled = "" if "def scaled" in how else "\n\ndef scaled(t):\n    return t.mutate(v=t.v * RATE)\n"
    project.write(
        {
            "models/base.ff.sql": "select 1 as id, 2 as v",
            "models/t.ff.py": "from fastflowtransform import model\nfrom shared.money import scaled\n\n\n"
            "@model(materialized='table')\ndef t(base):\n    return scaled(base)\n",
            "shared/__init__.py": "",
            "shared/money.py": how + scaled,
            "shared/rates.py": "RATE = 2\n",
        }
    )
    project.fft("run")
    shutil.copytree(project.folder / "target", project.folder / "before")

    project.write({"shared/rates.py": "RATE = 3\n"})
    project.fft("run")

    assert project.sql("select v from t") == [(6,)]
    assert changed(project, "modified.body") == {"t"}


def test_what_a_folder_of_pythonpath_gives_is_a_part_of_the_function(shop: ProjectFolder, tmp_path, monkeypatch):
    library = tmp_path / "library"
    library.mkdir()
    (library / "fft_test_rates.py").write_text("RATE = 2\n")
    monkeypatch.syspath_prepend(str(library))
    shop.write({"helpers.py": "from fft_test_rates import RATE\n\ndef double(column):\n    return column * RATE\n"})
    before = fingerprints(load(shop.folder, engine="duckdb", database="demo", variables={}))

    (library / "fft_test_rates.py").write_text("RATE = 3\n")
    forget(library)
    after = fingerprints(load(shop.folder, engine="duckdb", database="demo", variables={}))

    assert {name for name in after if after[name] != before[name]} == {"doubled"}


def test_a_setting_that_a_model_gets_is_a_part_of_its_fingerprint_unless_it_is_descriptive():
    more = make_dataclass("More", [("coloured", str, "red")], bases=(Model,), frozen=True, slots=True)
    template = compile_template("select 1 as id", Location(Path("m.ff.sql"), 1))
    model = more("m", SqlBody(template), Location(Path("m.ff.sql"), 1))
    plain = settings_of(model)

    assert settings_of(replace(model, coloured="blue")) != plain
    assert settings_of(replace(model, description="blue", tags=frozenset({"a"}), meta={"a": 1})) == plain
    assert settings_of(replace(model, at=Location(Path("m.ff.sql"), 9))) == plain


SCALARS = st.one_of(st.booleans(), st.integers(0, 1), st.sampled_from([0.0, -0.0, 1.0, "1", "True", None]))


@given(st.lists(SCALARS, min_size=2, max_size=2))
def test_values_that_python_calls_equal_are_told_apart(values):
    one, other = (
        settings_of(Model("m", PythonBody(len), Location(Path("m")), requires={"a": (value,)})) for value in values
    )

    assert (one == other) == (repr(values[0]) == repr(values[1]))


def test_nothing_is_modified_where_nothing_was_changed(shop: ProjectFolder):
    assert changed(shop, "modified") == set()


def test_a_new_model_is_new_and_modified_and_nothing_else(shop: ProjectFolder):
    shop.write({"models/more.ff.sql": "select 1 as id"})

    found = [changed(shop, what) for what in ("new", "modified", "modified.body", "modified.config")]

    assert found == [{"more"}, {"more"}, set(), set()]


def test_what_is_below_a_change_is_selected_with_a_plus(shop: ProjectFolder):
    shop.write({"models/macros/money.sql": "{% macro cents(column) %}{{ column }} + 1{% endmacro %}"})

    assert changed(shop, "modified+") == {"priced", "total"}


def test_running_what_changed_is_fine_where_nothing_did(shop: ProjectFolder):
    answer = shop.fft("run", "--state", str(shop.folder / "before"), "--select", "state:modified+")

    assert (answer.code, answer.err) == (0, "")


REFUSALS = [
    (["--select", "state:modified"], "C100 state: has nothing to compare with"),
    (["--select", "state:modifed"], 'S100 "state:modifed" asks for an unknown state'),
    (["--select", "result:failed"], 'S100 "result:failed" asks for an unknown result'),
    (["--select", "state:new", "--state", "nowhere"], 'S102 there is no "manifest.json" to read'),
    (
        ["--select", "state:new", "--state", "x", "--changed-since", "y"],
        "C100 --state and --changed-since are two things",
    ),
    (["--changed-since", "nothing"], 'S102 git has no project at "nothing"'),
    (["--defer"], "C100 --defer has no --state"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSALS)
def test_a_state_that_cannot_be_had_is_an_error(shop: ProjectFolder, arguments: list[str], message: str):
    answer = shop.fft("list", *arguments)

    assert (answer.code, message in answer.err) == (2, True), answer.err


@pytest.mark.parametrize("text", ["", "[]", "{", '{"nodes": {"a": {"kind": "model"}}}', '{"nodes": 3}'])
def test_a_manifest_that_is_none_is_an_error(shop: ProjectFolder, text: str):
    (shop.folder / "before" / "manifest.json").write_text(text)

    answer = shop.fft("list", "--state", str(shop.folder / "before"), "--select", "state:new")

    assert (answer.code, answer.err[:4]) == (2, "S102"), answer.err


STATEMENTS = st.lists(
    st.sampled_from(["select", "a", ",", "'x  y'", '"a b"', "1", "=", "(", ")", "$$ -- $$", "||"]), max_size=8
)
GAPS = st.sampled_from([" ", "\n", " -- c 'x\n", ' /* " */ ', "\t  "])


@given(STATEMENTS, st.data())
def test_tokens_do_not_depend_on_what_stands_between_words(words: list[str], data: st.DataObject):
    text = "".join(word + data.draw(GAPS) for word in words)

    assert tokens(text) == tokens(" ".join(words))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("'a  b'", "'a b'"),
        ('"A"', '"a"'),
        ("select A", "select a"),
        ("/*+ x */ 1", "/*+ y */ 1"),
        (r"'\'  '", r"'\' '"),
        ("a b", "ab"),
    ],
)
def test_statements_that_may_differ_in_meaning_differ(one: str, other: str):
    assert tokens(one) != tokens(other)


def test_a_fingerprint_does_not_depend_on_the_schema_or_the_folder(shop: ProjectFolder, tmp_path: Path):
    other = tmp_path / "elsewhere"
    shutil.copytree(shop.folder, other, ignore=shutil.ignore_patterns("elsewhere", "target", "before"))

    first = fingerprints(load(shop.folder, engine="duckdb", database="main", variables={}))
    second = fingerprints(load(other, engine="duckdb", database="prod", variables={}))

    assert first == second and first.keys() == ALL


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(params=["", "deep/er"])
def tracked(project: ProjectFolder, request: pytest.FixtureRequest) -> ProjectFolder:
    """The project, committed, in a repository of its own or in a subfolder of one; work goes on on a branch."""
    project.write(FILES)
    folder = project.folder / "repository" / request.param
    shutil.copytree(project.folder, folder, ignore=shutil.ignore_patterns("repository"))
    git(project.folder / "repository", "init")
    git(project.folder / "repository", "add", "-A")
    git(project.folder / "repository", "commit", "-m", "first")
    git(project.folder / "repository", "checkout", "-b", "work")
    project.folder = folder
    return project


def test_changed_since_selects_what_differs_from_where_the_branch_began(tracked: ProjectFolder):
    tracked.write(
        {"models/base.ff.sql": "select 2 as id, 2 as v", "helpers.py": "def double(column):\n    return column\n"}
    )
    git(tracked.folder, "commit", "-am", "committed")
    tracked.write({"models/new.ff.sql": "select 1 as id", "seeds/codes.csv": "code\nz\n"})

    assert listed(tracked, "--changed-since", "main") == {"base", "doubled", "new", "codes"}
    assert listed(tracked, "--changed-since", "HEAD") == {"new", "codes"}
    assert listed(tracked, "--changed-since", "main", "--select", "state:new") == {"new"}


def test_changed_since_leaves_out_what_the_other_branch_changed_later(tracked: ProjectFolder):
    git(tracked.folder, "checkout", "main")
    tracked.write({"models/base.ff.sql": "select 2 as id, 2 as v"})
    git(tracked.folder, "commit", "-am", "later")
    git(tracked.folder, "checkout", "work")

    assert listed(tracked, "--changed-since", "main") == set()


def test_the_models_that_run_have_the_helpers_of_now(tracked: ProjectFolder):
    tracked.write({"helpers.py": "def double(column):\n    return column * 50\n"})

    # In a process of its own: in this one, other tests have imported a module of that name.
    command = ["run", str(tracked.folder), "--changed-since", "HEAD", "--select", "+state:modified"]
    subprocess.run([sys.executable, "-m", "fastflowtransform", *command], check=True, capture_output=True)

    with duckdb.connect(str(tracked.folder / "w.duckdb")) as connection:
        found = connection.execute("select v from demo.doubled").fetchall()
    assert found == [(100,)]


@pytest.fixture
def broken(project: ProjectFolder) -> ProjectFolder:
    """A project whose model `half` fails, and with it `below`."""
    project.write(
        {
            "models/base.ff.sql": "{{ config(materialized='table') }} select 1 as id",
            "models/half.ff.sql": "{{ config(materialized='table') }} select {{ var('what') }} as id "
            "from {{ ref('base') }}",
            "models/below.ff.sql": "{{ config(materialized='table') }} select * from {{ ref('half') }}",
            "models/schema.yml": "models: [{name: base, columns: [{name: id, tests: [{between: {min: 2}}]}]}]",
        }
    )
    assert project.fft("run", "--vars", "what=nothing_of_that").code == 1
    return project


def test_result_selects_by_what_came_of_the_last_run(broken: ProjectFolder):
    found = [
        listed(broken, "--vars", "what=1", "--select", f"result:{word}") for word in ("error", "skipped", "success")
    ]

    assert found == [{"half"}, {"below"}, {"base"}]


def test_result_fail_is_what_a_check_failed_on(broken: ProjectFolder):
    assert broken.fft("test", "--vars", "what=1").code == 1

    assert listed(broken, "--vars", "what=1", "--select", "result:fail") == {"base"}


def steps(project: ProjectFolder) -> dict[str, str]:
    document = json.loads((project.folder / "target" / "run_results.json").read_text())
    return {step["name"]: step["status"] for step in document["steps"]}


def test_retry_repeats_what_failed_and_what_was_below_it_with_the_same_options(broken: ProjectFolder):
    path = broken.folder / "models/half.ff.sql"
    path.write_text(path.read_text().replace("{{ var('what') }}", "'{{ var('what') }}'"))

    answer = broken.fft("retry")

    assert (answer.code, steps(broken)) == (0, {"half": "success", "below": "success"}), answer.err
    assert broken.sql("from below") == [("nothing_of_that",)]


def test_retry_has_nothing_to_do_where_nothing_failed(shop: ProjectFolder):
    answer = shop.fft("retry")

    assert (answer.code, answer.out) == (0, "nothing failed in the last fft run\n")


def test_retry_repeats_the_checks_that_failed(broken: ProjectFolder):
    assert broken.fft("test", "--vars", "what=1").code == 1

    assert broken.fft("retry").code == 1


PASSES = "models: [{name: base, tests: [expression: {expression: 1 = 1}]}]\n"


@pytest.mark.parametrize("between", [["utest"], ["test"], ["test", "utest"], ["utest", "test", "test"]])
def test_retry_repeats_a_run_that_failed_whatever_was_tested_since(broken: ProjectFolder, between: list[str]):
    broken.write({"models/checks.yml": PASSES})
    for command in between:
        broken.fft(command, "--vars", "what=1")
    path = broken.folder / "models/half.ff.sql"
    path.write_text(path.read_text().replace("{{ var('what') }}", "'{{ var('what') }}'"))

    answer = broken.fft("retry")

    assert broken.sql("from below") == [("nothing_of_that",)], answer.err
    assert answer.out.startswith("test: 2 models"), answer.out


def test_retry_repeats_the_run_and_then_the_checks_that_failed_after_it(broken: ProjectFolder):
    assert broken.fft("test", "--vars", "what=1").code == 1
    path = broken.folder / "models/half.ff.sql"
    path.write_text(path.read_text().replace("{{ var('what') }}", "'{{ var('what') }}'"))

    answer = broken.fft("retry")

    assert (answer.code, broken.sql("from below")) == (1, [("nothing_of_that",)])
    assert "test: 2 models" in answer.out and "test: 1 check" in answer.out


def test_a_run_that_fails_no_more_is_not_repeated_after_a_test(broken: ProjectFolder):
    broken.fft("utest", "--vars", "what=1")
    assert broken.fft("run", "--select", "base", "--vars", "what=1").code == 0
    assert broken.fft("test", "--vars", "what=1").code == 1

    answer = broken.fft("retry")

    assert "models" not in answer.out and "1 check" in answer.out


def test_retry_refuses_where_nothing_was_run(project: ProjectFolder):
    project.write({"models/a.ff.sql": "select 1 as id"})

    answer = project.fft("retry")

    assert (answer.code, answer.err[:4]) == (2, "S102")


def test_defer_reads_what_is_not_selected_from_the_other_environment(project: ProjectFolder):
    project.write(FILES)
    assert project.fft("run").code == 0
    shutil.copytree(project.folder / "target", project.folder / "before")
    project.write({"profiles.yml": PROFILES})
    before = str(project.folder / "before")

    answer = project.fft("run", "--env", "ci", "--select", "total", "--defer", "--state", before)

    assert answer.code == 0, answer.err
    of_ci = "select table_name from information_schema.tables where table_schema = 'ci'"
    tables = project.sql(f"{of_ci} and not starts_with(table_name, 'fft_')")
    assert (tables, project.sql("from ci.total")) == ([("total",)], [(200,)])
