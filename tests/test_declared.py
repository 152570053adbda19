"""The YAML of checks: its spellings, and what is wrong in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastflowtransform.checks.nodes import Other
from fastflowtransform.declared import Known, read_declarations
from fastflowtransform.document import Section
from fastflowtransform.errors import BadValue, DuplicateName, FftError, Location, UnknownKey, UnknownRef
from fastflowtransform.kept import Kept
from fastflowtransform.model import Check, Severity, Terms

KNOWN = Known({"orders", "customers"}, {"source:raw.orders"}, {"elsewhere"})


def declared(tmp_path: Path, schema: str, *tests: dict[str, object], known: Known = KNOWN) -> tuple[Check, ...]:
    """Return the checks of one YAML file below models/, and of project.yml."""
    (tmp_path / "models").mkdir(exist_ok=True)
    (tmp_path / "models" / "schema.yml").write_text(schema)
    sections = [Section(values, Location(tmp_path / "project.yml", 1), "test") for values in tests]
    return read_declarations(tmp_path, sections, known, Kept()).checks


def of_orders(tmp_path: Path, entry: str) -> Check:
    (check,) = declared(tmp_path, f"models: [{{name: orders, tests: [{entry}]}}]")
    return check


def refusal(tmp_path: Path, schema: str) -> FftError:
    with pytest.raises(FftError) as caught:
        declared(tmp_path, schema)
    return caught.value


@pytest.mark.parametrize(
    "entry",
    [
        "unique: {column: id, severity: warn, tags: [a]}",
        "{type: unique, column: id, severity: warn, tags: [a]}",
        "unique: {arguments: {column: id}, config: {severity: warn, tags: [a]}}",
        "{type: unique, arguments: {column: id}, severity: warn, config: {tags: a}}",
    ],
)
def test_all_spellings_of_a_check_mean_the_same(tmp_path, entry):
    check = of_orders(tmp_path, entry)

    assert (check.name, check.type, check.arguments) == ("unique_orders_id", "unique", {"columns": ("id",)})
    assert check.terms == Terms(severity=Severity.WARN, tags=frozenset({"a"}))


@pytest.mark.parametrize("version", ["", "version: 1\n", "version: 2\n"])
@pytest.mark.parametrize("key", ["tests", "data_tests"])
def test_both_versions_and_both_words_for_tests_are_read(tmp_path, version, key):
    (check,) = declared(tmp_path, f"{version}models: [{{name: orders, columns: [{{name: id, {key}: [unique]}}]}}]")

    assert check.name == "unique_orders_id"


def test_another_version_is_an_error(tmp_path):
    error = refusal(tmp_path, "version: 3\n")

    assert isinstance(error, BadValue)
    assert error.message == 'the version of schema.yml is "3"'
    assert error.at == Location(tmp_path / "models" / "schema.yml", 1)


def test_an_unknown_key_is_an_error_with_its_line_and_the_nearest(tmp_path):
    error = refusal(
        tmp_path, "models:\n- name: orders\n  tests:\n  - unique:\n      column: id\n      serverity: warn\n"
    )

    assert isinstance(error, UnknownKey)
    assert error.at == Location(tmp_path / "models" / "schema.yml", 6)
    assert error.hint == 'did you mean "severity"?'


def test_an_unknown_key_below_config_is_an_error_with_its_line(tmp_path):
    schema = (
        "models:\n- name: orders\n  tests:\n  - unique:\n      column: id\n      config:\n        serverity: warn\n"
    )
    error = refusal(tmp_path, schema)

    assert isinstance(error, UnknownKey)
    assert error.at == Location(tmp_path / "models" / "schema.yml", 7)


def test_an_unknown_check_is_an_error_with_the_nearest(tmp_path):
    error = refusal(tmp_path, "models: [{name: orders, tests: [uniqe]}]")

    assert (error.message, error.hint) == ('there is no check "uniqe"', 'did you mean "unique"?')


def test_an_entry_that_is_no_check_is_an_error(tmp_path):
    assert "write a name" in str(
        refusal(tmp_path, "models: [{name: orders, tests: [{unique: {}, not_null: {}}]}]").hint
    )


@pytest.mark.parametrize("to", ["source:raw.orders", "source('raw', 'orders')"])
def test_a_check_may_compare_with_a_source(tmp_path, to):
    check = of_orders(tmp_path, f'reconcile_equal: {{value: count(), to: "{to}"}}')

    assert check.arguments["to"] == Other("source:raw.orders")
    assert check.name == "reconcile_equal_orders_raw.orders"


@pytest.mark.parametrize(
    ("to", "name", "hint"),
    [
        ("custmers", "custmers", 'did you mean "customers"?'),
        ("source:raw.ordrs", "raw.ordrs", 'did you mean "raw.orders"?'),
    ],
)
def test_another_table_that_is_not_there_is_an_error_with_the_nearest(tmp_path, to, name, hint):
    error = refusal(tmp_path, f"models: [{{name: orders, tests: [reconcile_equal: {{value: count(), to: '{to}'}}]}}]")

    assert isinstance(error, UnknownRef)
    assert f'names "{name}", which is not in this project' in error.message
    assert error.hint == hint


def test_checks_of_a_model_for_other_engines_are_left_aside_and_those_that_read_one(tmp_path):
    schema = """
    models:
    - {name: elsewhere, tests: [unique: {column: id}]}
    - {name: orders, tests: [reconcile_equal: {value: count(), to: elsewhere}]}
    """

    assert declared(tmp_path, schema) == ()


def test_checks_of_one_kind_get_numbers(tmp_path):
    tests = [{"type": "between", "model": "orders", "column": "id", "min": number} for number in range(3)]

    names = [check.name for check in declared(tmp_path, "", *tests)]

    assert names == ["between_orders_id", "between_orders_id_2", "between_orders_id_3"]


def test_a_number_never_makes_a_name_that_is_given(tmp_path):
    tests = [{"type": "unique", "model": "orders", "column": "id"} for _ in range(2)]
    tests.append({"type": "not_null", "model": "orders", "column": "id", "name": "unique_orders_id_2"})

    names = [check.name for check in declared(tmp_path, "", *tests)]

    assert names == ["unique_orders_id", "unique_orders_id_3", "unique_orders_id_2"]


def test_two_checks_of_one_given_name_are_an_error(tmp_path):
    tests = [{"type": "unique", "model": "orders", "column": name, "name": "key"} for name in "ab"]

    with pytest.raises(DuplicateName, match='two checks are called "key"'):
        declared(tmp_path, "", *tests)


def test_a_check_is_of_a_model_or_seed_of_the_project(tmp_path):
    with pytest.raises(UnknownRef, match='"order" is not in this project'):
        declared(tmp_path, "", {"type": "unique", "model": "order", "column": "id"})


@pytest.mark.parametrize("text", [">10", "!=0", ">=10"])
def test_a_threshold_without_quotes_is_told_to_have_some(tmp_path, text):
    error = refusal(tmp_path, f"models:\n  - name: orders\n    tests:\n      - not_null:\n          error_if: {text}\n")

    assert error.hint == f'put it into quotes: "{text}"'
    assert error.at is not None
    assert error.at.line == 5


class _Counted(frozenset[str]):
    """Names that must not be gone through for one check: a project has as many checks as it has names."""

    def __iter__(self):
        pytest.fail("all names were gone through")

    def __or__(self, other):
        pytest.fail("all names were copied")


def test_a_check_costs_the_same_among_many_models(tmp_path):
    known = Known(_Counted({"orders", "customers"}), _Counted({"source:raw.orders"}))
    entry = "relationships: {column: id, to: ref('customers'), field: id}"

    (check,) = declared(tmp_path, f"models: [{{name: orders, tests: [{entry}]}}]", known=known)

    assert check.arguments["to"] == Other("customers")
