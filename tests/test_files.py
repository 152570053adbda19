"""Files of a project: none is left out without a word, each is read as a whole, and none is elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastflowtransform.errors import BadPath, EngineError, FftError, Location, UnreadableFile
from fastflowtransform.files import LIMIT, file_name, files_in, inside, read_text
from fastflowtransform.project import load
from tests.conftest import ProjectFolder

MODEL = "select 1 as id"
TEXTS = [
    "project.yml",
    "profiles.yml",
    "sources.yml",
    ".env",
    ".env.dev",
    "models/m.ff.sql",
    "models/p.ff.py",
    "models/helper.py",
    "models/macros/a.sql",
    "models/macros/a.jinja",
    "models/schema.yml",
    "models/schema.yaml",
    "config/delta.yml",
    "seeds/s.csv",
    "seeds/s.jsonl",
    "seeds/schema.yml",
    "tests/own.ff.sql",
    "tests/own.ff.py",
    "tests/unit/m.yml",
    "tests/unit/rows.csv",
    "tests/unit/m.ff.py",
]
FOUND = [name for name in TEXTS if name not in ("models/helper.py", "config/delta.yml", "tests/unit/rows.csv")]
"""Files that are looked for, and not named by another."""


def shop(project: ProjectFolder) -> ProjectFolder:
    """A project that reads each kind of file."""
    project.write(
        {
            "sources.yml": "sources: []\n",
            ".env": "A=1\n",
            ".env.dev": "B=1\n",
            "models/m.ff.sql": "{{ config(materialized='incremental', unique_key='id', "
            "delta_config='config/delta.yml') }}" + MODEL,
            "models/helper.py": "ONE = 1\n",
            "models/p.ff.py": "from fastflowtransform import model\nfrom models.helper import ONE\n\n"
            "@model\ndef p(m):\n    return m\n",
            "models/macros/a.sql": "{% macro one() %}1{% endmacro %}\n",
            "models/macros/a.jinja": "{% macro two() %}2{% endmacro %}\n",
            "models/schema.yml": "models: [{name: m}]\n",
            "models/schema.yaml": "models: [{name: m}]\n",
            "config/delta.yml": f"sql: {MODEL}\n",
            "seeds/s.csv": "id\n1\n",
            "seeds/s2.jsonl": '{"id": 1}\n',
            "seeds/schema.yml": "seeds: [{name: s}]\n",
            "tests/own.ff.sql": "select * from {{ ref('m') }} where id < 0\n",
            "tests/own.ff.py": "from fastflowtransform import dq_test\n\n@dq_test(deps=['m'])\ndef other(m):\n"
            "    return m.filter(m.id < 0)\n",
            "tests/unit/m.yml": "model: p\ncases: [{name: a, given: {m: {csv: rows.csv}}, expect: {csv: rows.csv}}]\n",
            "tests/unit/rows.csv": "id\n1\n",
            "tests/unit/m.ff.py": "from fastflowtransform import unit_test\n\n@unit_test('p')\ndef b():\n"
            "    return {'given': {'m': [{'id': 1}]}, 'expect': [{'id': 1}]}\n",
        }
    )
    return project


def named(project: ProjectFolder) -> set[str]:
    """Return the names of the models and seeds of a project."""
    found = load(project.folder, engine="duckdb", database="demo", variables={})
    return {*found.models, *found.seeds}


def refusals(project: ProjectFolder) -> str:
    """Return the errors of the commands that read all of a project; at least one has to fail."""
    answers = [project.fft(command) for command in ("seed", "run", "utest")]
    assert any(answer.code for answer in answers)
    return "".join(answer.err for answer in answers)


def named_pipe(path: Path) -> None:
    os.mkfifo(path)


def dangling_link(path: Path) -> None:
    path.symlink_to("nowhere")


def looping_link(path: Path) -> None:
    path.symlink_to(path.name)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


WRONG = [(named_pipe, "named pipe"), (dangling_link, "which is not there"), (looping_link, "leads to itself")]
WRONG += [(Path.mkdir, "a folder"), (device, "a device")]


def test_a_project_with_a_file_of_each_kind_is_read(project: ProjectFolder):
    shop(project)

    for command in ("seed", "run", "test", "utest"):
        assert project.fft(command).err == "", command


@pytest.mark.parametrize("name", TEXTS)
def test_a_nul_character_is_refused_with_its_place_in_any_text(project: ProjectFolder, name: str):
    path = shop(project).folder / name.replace("s.jsonl", "s2.jsonl")
    path.write_text(path.read_text() + "\n# a\0b\n")

    found = refusals(project)

    line = len(path.read_text().splitlines())
    assert f"{path}:{line}" in found
    assert "NUL" in found or name == "seeds/s.jsonl"


@pytest.mark.parametrize("name", FOUND)
@pytest.mark.parametrize(("put", "message"), WRONG)
def test_what_is_no_file_in_the_place_of_one_is_refused_with_its_path(
    project: ProjectFolder, name: str, put: Callable[[Path], None], message: str
):
    path = shop(project).folder / name.replace("s.jsonl", "s2.jsonl")
    path.unlink()
    put(path)

    found = refusals(project)

    assert str(path) in found
    assert message in found


@pytest.mark.parametrize("folder", ["models", "seeds", "tests", "tests/unit", "models/macros", "models/deep/er"])
@pytest.mark.parametrize("put", [dangling_link, looping_link, named_pipe, Path.touch])
def test_what_is_no_folder_in_the_place_of_one_is_refused_with_its_path(project: ProjectFolder, folder: str, put):
    path = project.folder / folder
    path.parent.mkdir(parents=True, exist_ok=True)
    put(path)

    answer = project.fft("utest")

    if put in (named_pipe, Path.touch) and folder == "models/deep/er":
        return  # What is called like no file and no folder of a project is no business of ours.
    assert (answer.code, str(path) in answer.err) == (2, True), answer


def test_a_folder_that_cannot_be_read_is_refused_with_its_path():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "models"
        (folder / "closed").mkdir(parents=True)
        (folder / "closed" / "m.ff.sql").write_text(MODEL)
        Path(name).chmod(0o755)
        (folder / "closed").chmod(0)
        user = os.geteuid()
        try:
            if user == 0:
                os.seteuid(65534)
            with pytest.raises(UnreadableFile, match="cannot read the folder") as caught:
                files_in(folder, ".ff.sql")
        finally:
            os.seteuid(user)
            (folder / "closed").chmod(0o755)

    assert caught.value.at == Location(folder / "closed")


def test_a_text_that_is_too_large_is_refused(tmp_path: Path):
    path = tmp_path / "m.ff.sql"
    with path.open("wb") as file:
        file.truncate(LIMIT + 1)

    with pytest.raises(UnreadableFile, match=f'"{LIMIT + 1}" bytes'):
        read_text(path)


TREES = st.lists(
    st.tuples(
        st.sampled_from(["file", "link", "folder"]),
        st.lists(st.sampled_from(["a", "b", ".c"]), max_size=2),
        st.sampled_from(["x.ff.sql", "d", ".e", ".#x.ff.sql"]),
        st.sampled_from([".", "..", "a", "b", "a/d", "../elsewhere"]),
    ),
    max_size=8,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TREES)
def test_each_file_below_a_folder_is_found_once_through_links_or_an_error_names_one(tree):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "models"
        (Path(name) / "elsewhere").mkdir()
        (Path(name) / "elsewhere" / "z.ff.sql").write_text(MODEL)
        folder.mkdir()
        for kind, parents, last, target in tree:
            path = folder.joinpath(*parents, last)
            if os.path.lexists(path) or any(os.path.lexists(p) and not p.is_dir() for p in path.parents):
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            if kind == "file":
                path.write_text(MODEL)
            elif kind == "link":
                path.symlink_to(folder / target)
            else:
                path.mkdir()
        wanted = reached(folder)
        try:
            found = files_in(folder, ".ff.sql")
        except FftError as error:
            assert error.at is not None and os.path.lexists(error.at.path)
            return
        assert {os.path.realpath(path) for path in found} >= wanted

    assert len({path for path in found}) == len(found)
    assert not [path for path in found if any(part.startswith(".") for part in path.relative_to(folder).parts)]


def reached(folder: Path) -> set[str]:
    """Return the real paths of all models that a shell would reach, links and all."""
    found, waiting = set[str](), [str(folder)]
    # A link to a folder that holds this one leads back.
    seen = {str(parent) for parent in folder.parents}
    while waiting:
        place = os.path.realpath(waiting.pop())
        if place in seen or not os.path.isdir(place):
            continue
        seen.add(place)
        for name in os.listdir(place):
            path = os.path.join(place, name)
            if name.startswith("."):
                continue
            if os.path.isdir(path):
                waiting.append(path)
            elif name.endswith(".ff.sql") and os.path.isfile(path):
                found.add(os.path.realpath(path))
    return found


def test_a_folder_that_links_to_another_is_read_once(project: ProjectFolder):
    project.write({"models/a/m.ff.sql": MODEL, "shared/n.ff.sql": MODEL})
    (project.folder / "models" / "again").symlink_to("a")
    (project.folder / "models" / "up").symlink_to("..")
    (project.folder / "models" / "shared").symlink_to("../shared")

    assert named(project) == {"m", "n"}


@pytest.mark.parametrize(
    "name",
    ["models/.ipynb_checkpoints/m-checkpoint.ff.sql", "models/.#m.ff.sql", "seeds/.~lock.s.csv", "tests/.x/own.ff.sql"]
    + ["models/macros/.a.sql", "models/.schema.yml", "tests/unit/.m.yml", "models/.git/p.ff.py"],
)
def test_names_that_begin_with_a_dot_are_not_the_projects(project: ProjectFolder, name: str):
    project.write({"models/m.ff.sql": MODEL, "seeds/s.csv": "id\n1\n", name: "\0"})

    assert named(project) == {"m", "s"}
    assert project.fft("utest").code == 0


def test_a_lock_of_an_editor_that_leads_nowhere_is_not_the_projects(project: ProjectFolder):
    project.write({"models/m.ff.sql": MODEL})
    (project.folder / "models" / ".#m.ff.sql").symlink_to("somebody@somewhere.1234:567")

    assert named(project) == {"m"}


@pytest.mark.parametrize("path", ["../up.yml", "../../../up.yml", "/etc/passwd", "a/../../up.yml", "..", "a\0b"])
def test_a_file_that_another_names_is_in_the_project(project: ProjectFolder, path: str):
    with pytest.raises(BadPath) as caught:
        inside(project.folder, project.folder, path, Location(project.folder / "project.yml", 3))

    assert str(caught.value.at) == f"{project.folder}/project.yml:3"
    assert inside(project.folder, project.folder / "tests", "../a.csv", Location(Path("x"))) == project.folder / "a.csv"


def test_neither_a_delta_nor_the_rows_of_a_test_are_read_from_outside_of_the_project(project: ProjectFolder):
    (project.folder.parent / "up.yml").write_text(f"sql: {MODEL}\n")
    (project.folder.parent / "up.csv").write_text("id\n1\n")
    unit = "model: n\ncases: [{name: a, given: {m: {csv: ../../../up.csv}}, expect: []}]\n"
    project.write(
        {"models/m.ff.sql": MODEL, "models/n.ff.sql": "select * from {{ ref('m') }}", "tests/unit/n.yml": unit}
    )
    assert 'P120 the path "../../../up.csv" leads out of the project' in project.fft("utest").err

    project.write({"models/m.ff.sql": "{{ config(incremental={'delta_config': '../up.yml'}) }}" + MODEL})

    assert 'P120 the path "../up.yml" leads out of the project' in project.fft("list").err


NAMES = ["../../../up", "/tmp/up", "..", ".", "a/b", "a\\b", "", "*", "[a", "x" * 300]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_ref_that_is_a_path_is_a_name_that_is_not_known(project: ProjectFolder, name: str):
    (project.folder.parent / "up.sql").write_text(MODEL)
    spelt = name.replace("\\", "\\\\")
    project.write({"models/m.ff.sql": f"select * from {{{{ ref('{spelt}') }}}}"})

    assert project.fft("list").err.startswith("G101 ")


@pytest.mark.parametrize(
    "name", ["../../../up", "/tmp/fft_up", "..", "a/b", "..\\up", "{{ 1/0 }}", "a: b", "NO", "it's"]
)
def test_files_of_a_model_stay_in_the_project_whatever_its_name(project: ProjectFolder, name: str):
    text = "from fastflowtransform import model\n\n@model(name={!r}, deps=['s'])\ndef m(s):\n    return s\n"
    project.write({"models/p.ff.py": text.format(name), "seeds/s.csv": "id\n1\n"})
    before = {path for path in project.folder.parent.rglob("*") if project.folder not in path.parents}

    for command in (["seed"], ["run"], ["compile"], ["utest", "--record", name], ["utest"]):
        assert project.fft(*command).err == "", command

    after = {path for path in project.folder.parent.rglob("*") if project.folder not in path.parents}
    assert after == before
    assert not Path("/tmp/fft_up.yml").exists()
    assert len(list((project.folder / "tests" / "unit").iterdir())) == 1
    assert len(list((project.folder / "target" / "compiled").iterdir())) == 1


@given(st.lists(st.text(min_size=1) | st.text("ab", min_size=195, max_size=205), unique=True))
def test_no_two_names_share_a_file_and_no_file_is_elsewhere(names: list[str]):
    found = [file_name(name) for name in names]

    assert len(set(found)) == len(names)
    assert not [name for name in found if "/" in name or name.startswith(".") or len(name) > 200]


def test_names_that_share_200_letters_do_not_share_a_file(project: ProjectFolder):
    long = "a" * 200
    model = "\n\n@model(name='{}', deps=['s'])\ndef {}(s):\n    return s\n"
    text = "from fastflowtransform import model\n" + model.format(f"{long}_x", "m") + model.format(f"{long}_y", "n")
    project.write({"models/p.ff.py": text, "seeds/s.csv": "id\n1\n"})
    project.fft("seed")

    assert project.fft("compile").code == 0

    assert len(list((project.folder / "target" / "compiled").iterdir())) == 2


def test_a_module_of_the_project_does_not_take_the_place_of_a_librarys(project: ProjectFolder):
    stolen = project.folder / "stolen"
    bad = f"open({str(stolen)!r}, 'w').write('x')\nraise SystemExit(9)\n"
    project.write(
        {
            **{f"{name}.py": bad for name in ("csv", "json", "decimal", "duckdb", "ibis", "yaml", "jinja2", "tarfile")},
            "shared.py": "ONE = 1\n",
            "models/m.ff.py": "import csv\nfrom fastflowtransform import model\nfrom shared import ONE\n\n"
            "@model(deps=['s'])\ndef m(s):\n    return s.mutate(one=ONE)\n",
            "seeds/s.csv": "id\n1\n",
            "tests/unit/m.yml": "model: m\ncases: [{name: a, given: {s: [{id: 1}]}, expect: [{id: 1, one: 1}]}]\n",
        }
    )
    for start in ([Path(sys.executable).with_name("fft")], [sys.executable, "-m", "fastflowtransform"]):
        for command in ("seed", "run", "utest"):
            done = subprocess.run([*start, command], cwd=project.folder, capture_output=True, text=True)
            assert (done.returncode, done.stderr) == (0, ""), (start, command, done)

    assert not stolen.exists()


def test_paths_in_sql_and_in_python_count_from_the_projects_folder(project: ProjectFolder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("shell")
    (elsewhere / "data").mkdir()
    (elsewhere / "data" / "a.csv").write_text("id\n9\n")
    project.write(
        {
            "project.yml": "name: test\nmodels: {materialized: table}\n",
            "data/a.csv": "id\n1\n",
            "data/b.json": '{"id": 2}\n',
            "models/csv.ff.sql": "select * from read_csv('data/a.csv')",
            "models/glob.ff.sql": "select * from read_csv('data/*.csv')",
            "models/json.ff.sql": "select * from read_json('data/b.json')",
            "models/parquet.ff.sql": "select * from 'data/c.parquet'",
            "models/python.ff.py": "import pandas as pd\nfrom fastflowtransform import model\n\n"
            "@model(deps=['csv'], frame='pandas')\ndef python(csv):\n    return pd.read_csv('data/a.csv')\n",
        }
    )
    duckdb.sql("select 3 as id").write_parquet(str(project.folder / "data" / "c.parquet"))

    done = subprocess.run(
        [sys.executable, "-m", "fastflowtransform", "run", str(project.folder)],
        cwd=elsewhere,
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stderr) == (0, "")
    found = [project.sql(f'from "{name}"') for name in ("csv", "glob", "json", "parquet", "python")]
    assert found == [[(1,)], [(1,)], [(2,)], [(3,)], [(1,)]]


def test_places_are_shown_from_the_shells_folder_and_options_count_from_it(project: ProjectFolder, monkeypatch):
    project.write({"models/m.ff.sql": "select 1 as id\nfrom nothing", "models/n.ff.sql": MODEL})
    (project.folder / "later").mkdir()
    monkeypatch.chdir(project.folder.parent)
    name = project.folder.name

    answer = project.fft("run")

    assert f"at {name}/models/m.ff.sql" in answer.err
    assert f'the SQL that was sent is in "{name}/target/failed/m.sql"' in answer.err
    assert project.fft("list", "-s", "state:modified", "--state", f"{name}/target").code == 0
    assert project.fft("seed", "--from", f"{name}/later").code in (0, 2)
    assert Path.cwd() == project.folder.parent


@pytest.mark.parametrize("where", ["{{ var('v') }}", "{{ env('V') }}", "{{ '\\0' }}", "{{ m() }}"])
def test_a_nul_character_that_a_template_makes_is_refused(project: ProjectFolder, where: str):
    project.write(
        {
            "project.yml": 'name: test\nvars: {v: "a\\0b"}\n',
            "models/macros/m.sql": "{% macro m() %}{{ '\\0' }}{% endmacro %}",
            "models/m.ff.sql": f"select 1 as id\n -- {where.replace('env', 'var').replace('V', 'v')}\n",
        }
    )

    answer = project.fft("run")

    assert answer.code != 0
    assert "NUL" in answer.err


@pytest.mark.parametrize("engine", ["duckdb", pytest.param("postgres", marks=pytest.mark.engine("postgres"))])
def test_a_nul_character_in_an_expression_is_refused_before_it_cuts_the_statement(request, engine):
    project = request.getfixturevalue("project" if engine == "duckdb" else "postgres_project")
    project.write(
        {
            "models/m.ff.sql": MODEL,
            "models/schema.yml": 'models: [{name: m, tests: [{expression: {expression: "id > 0 \\0 and false"}}]}]\n',
        }
    )
    project.fft("run")

    answer = project.fft("test")

    assert answer.code == 2
    assert "NUL" in answer.err and "models/schema.yml:1" in answer.err


@pytest.mark.parametrize("statement", ["select 1 as id -- a\0b", "select '\0' as id"])
@pytest.mark.parametrize("engine", ["duckdb", "postgres"], indirect=True)
def test_a_statement_with_a_nul_character_is_not_sent(engine, statement):
    with pytest.raises(EngineError, match="NUL"):
        engine.sql(statement)


@pytest.mark.parametrize("name", ["'a\\0b'", "'a\\ud800b'"])
def test_a_name_that_no_database_takes_is_refused_with_its_line(project: ProjectFolder, name: str):
    project.write(
        {"models/p.ff.py": f"from fastflowtransform import model\n\n@model(name={name})\ndef m(s):\n    return s\n"}
    )

    assert (err := project.fft("list").err).startswith("M102 ")
    assert "models/p.ff.py:3" in err
