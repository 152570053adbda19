"""The environment and the profile: which value wins, and what is read from where."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastflowtransform import settings
from fastflowtransform.errors import FftError

PROFILES = """
dev: {engine: duckdb, duckdb: {path: dev.duckdb}}
prod: {engine: duckdb, duckdb: {path: "{{ env('WHERE', 'default') }}.duckdb", threads: "{{ env('N', '2') }}"}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("FFT_ACTIVE_ENV", "WHERE", "FF_DUCKDB_PATH"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "profiles.yml").write_text(PROFILES)
    return tmp_path


def path_of(folder: Path, env: str | None = "prod") -> str | None:
    return settings.load(folder, env).options.text("path")


def test_each_place_wins_over_the_next(folder: Path, monkeypatch: pytest.MonkeyPatch):
    found = []
    for name in (".env", ".env.local", ".env.prod", ".env.prod.local"):
        (folder / name).write_text(f"WHERE={name}\n")
        found.append(path_of(folder))
    monkeypatch.setenv("WHERE", "shell")
    found.append(path_of(folder))

    assert found == [".env.duckdb", ".env.local.duckdb", ".env.prod.duckdb", ".env.prod.local.duckdb", "shell.duckdb"]


def test_the_active_environment_is_the_options_then_the_shells_then_the_files_then_dev(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    assert settings.load(folder).name == "dev"
    (folder / ".env").write_text("FFT_ACTIVE_ENV=prod\n")
    assert settings.load(folder).name == "prod"
    monkeypatch.setenv("FFT_ACTIVE_ENV", "dev")
    assert settings.load(folder).name == "dev"
    assert settings.load(folder, "prod").name == "prod"


def test_an_engines_variable_wins_over_the_profile(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FF_DUCKDB_PATH", "elsewhere.duckdb")

    options = settings.load(folder).with_variables({"FF_DUCKDB_PATH": "path"})

    assert options.text("path") == "elsewhere.duckdb"


def test_a_text_of_digits_out_of_jinja_is_a_number(folder: Path):
    assert settings.load(folder, "prod").options.integer("threads") == 2


def test_a_value_of_the_environment_cannot_change_the_structure_of_the_yaml(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("WHERE", 'x", threads: 9} # {{ env("HOME") }}\n')

    assert path_of(folder) == 'x", threads: 9} # {{ env("HOME") }}\n.duckdb'


def test_quotes_comments_and_export_in_env_files_are_understood(folder: Path):
    (folder / ".env").write_text("# a comment\n\nexport WHERE='a b'  # another\n")

    assert path_of(folder) == "a b.duckdb"


def test_a_secret_of_the_environment_is_in_no_text_of_the_profile(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WHERE", "s3cret")

    assert "s3cret" not in repr(settings.load(folder, "prod"))


def test_a_folder_beside_the_project_is_proposed(tmp_path: Path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "project.yml").write_text("name: x")

    with pytest.raises(FftError, match="did you mean") as caught:
        settings.find_project(tmp_path)

    assert caught.value.code == "P100"
