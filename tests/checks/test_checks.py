"""What holds for all checks: their members, and their docstrings, which are their reference."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
import yaml

from fastflowtransform.checks import BY_NAME, check
from fastflowtransform.document import Section
from fastflowtransform.errors import Location, UnknownKey
from fastflowtransform.terms import KEYS


class Asked(dict[str, object]):
    """The keys of an example, which notes what is looked up."""

    def __init__(self, values: dict[str, object]) -> None:
        super().__init__(values)
        self.keys_asked: set[str] = set()

    def get(self, key: str, default: object = None) -> object:
        self.keys_asked.add(key)
        return super().get(key, default)


def example(name: str) -> dict[str, object]:
    """Return the arguments of the YAML example in a check's docstring."""
    block = re.search(r"```yaml\n(.*?)```", check(name).__doc__ or "", flags=re.DOTALL)
    assert block is not None
    ((found,),) = (entry.items() for entry in yaml.safe_load(block[1]))
    assert found[0] == name
    return found[1]


def asked(name: str) -> set[str]:
    """Return the keys that a check looks for."""
    values = Asked(example(name))
    check(name).read(Section(values, Location(Path("project.yml")), "check"))
    return values.keys_asked


@pytest.mark.parametrize("name", BY_NAME)
def test_every_check_has_the_members_of_a_check_and_a_docstring(name):
    module = check(name)

    assert module is importlib.import_module(BY_NAME[name])
    assert callable(module.read)
    assert module.failing_rows.__doc__


@pytest.mark.parametrize("name", BY_NAME)
def test_the_example_of_a_check_is_read_and_has_no_key_that_is_not_known(name):
    section = Section(example(name), Location(Path("project.yml")), "check")

    assert check(name).read(section)
    section.close()


@pytest.mark.parametrize("name", BY_NAME)
def test_the_docstring_of_a_check_names_each_argument(name):
    listed = re.findall(r"^- (`.*?)(?::|$)", check(name).__doc__ or "", flags=re.MULTILINE)

    assert asked(name) == {argument for line in listed for argument in re.findall(r"`(\w+)`", line)}


@pytest.mark.parametrize("name", BY_NAME)
def test_no_argument_is_a_key_that_all_checks_have(name):
    # In project.yml, the check's own name stands under "type", and its model's under "model".
    assert not asked(name) & (KEYS | {"type", "model", "arguments", "config"})


def test_a_misspelt_argument_is_an_error_with_the_nearest():
    section = Section({"colunm": "id", "column": "id"}, Location(Path("project.yml"), 7), 'check "unique"')
    check("unique").read(section)

    with pytest.raises(UnknownKey) as caught:
        section.close()
    assert caught.value.hint == 'did you mean "column"?'


def test_an_unknown_check_is_the_callers_to_report():
    with pytest.raises(KeyError):
        check("uniqe")
