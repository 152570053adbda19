"""What is installed is what pyproject.toml asks for, where the reasons for each pin stand."""

from __future__ import annotations

import tomllib
from importlib.metadata import distributions, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

PROJECT = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text(encoding="utf-8"))["project"]
DEFAULT = [Requirement(line) for line in PROJECT["dependencies"]]
EXTRA = [Requirement(line) for lines in PROJECT["optional-dependencies"].values() for line in lines]
PRESENT = {canonicalize_name(found.name) for found in distributions()}


def complaint(requirement: Requirement, installed: str) -> str:
    """Return the sentence for a version outside of its pin, and nothing for one inside."""
    if requirement.specifier.contains(installed, prereleases=True):
        return ""
    return (
        f'{requirement.name} {installed} is installed, and pyproject.toml asks for "{requirement}", '
        "with the reason beside it: install that version, or move the pin once the tests pass on the other one"
    )


@pytest.mark.parametrize("requirement", DEFAULT, ids=str)
def test_each_default_dependency_is_installed_within_its_pin(requirement: Requirement):
    assert not complaint(requirement, version(requirement.name))


@pytest.mark.parametrize("requirement", [each for each in EXTRA if canonicalize_name(each.name) in PRESENT], ids=str)
def test_each_dependency_of_an_extra_is_within_its_pin_where_it_is_installed(requirement: Requirement):
    assert not complaint(requirement, version(requirement.name))


def test_a_version_outside_of_its_pin_is_told_in_a_sentence():
    assert complaint(Requirement("sqlglot<30.18"), "30.18.0").startswith(
        'sqlglot 30.18.0 is installed, and pyproject.toml asks for "sqlglot<30.18", with the reason beside it'
    )


@pytest.mark.parametrize(
    ("name", "broken", "working"),
    [("duckdb", "2.0.0", "1.5.6"), ("sqlglot", "30.18.0", "30.17.0"), ("delta-spark", "4.4.1", "4.4.0")],
)
def test_releases_known_to_break_are_outside_of_the_pins(name: str, broken: str, working: str):
    (pin,) = (found.specifier for found in [*DEFAULT, *EXTRA] if found.name == name)

    assert Version(broken) not in pin
    assert Version(working) in pin
