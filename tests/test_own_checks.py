"""Checks of the project's own: SQL files and Python functions below `tests/`."""

from __future__ import annotations

import pytest

from tests.conftest import ProjectFolder

SEED = {"seeds/orders.csv": "id,amount\n1,5\n2,50\n3,500\n", "models/twice.ff.sql": "select * from {{ ref('orders') }}"}
TOO_LARGE = (
    "{{ config(params={'largest': 100}) }}\nselect * from {{ model }} m where m.{{ column }} > {{ params.largest }}"
)
MATCHING = (
    "select id from {{ ref('orders') }} except select id from {{ ref('twice') }} where id < {{ var('below', 9) }}"
)


@pytest.fixture
def orders(project: ProjectFolder) -> ProjectFolder:
    """A project with a seed and a view of it, both built."""
    project.write(SEED)
    assert project.fft("seed").code == 0
    assert project.fft("run").code == 0
    return project


def declare(project: ProjectFolder, check: str) -> None:
    project.write({"project.yml": f"name: test\ntests:\n  - {check}\n"})


def failing(project: ProjectFolder, *arguments: str) -> int:
    """Return how many rows fail the project's one check."""
    answer = project.fft("test", *arguments)
    assert "\n1 failed in" in answer.out or "\n1 ok in" in answer.out, answer
    return int(answer.err.partition(" fails on ")[2].partition(" row")[0] or 0)


def test_a_text_without_a_table_under_test_is_a_check_by_itself(orders):
    orders.write({"tests/matching.ff.sql": MATCHING})

    assert failing(orders) == 0
    assert failing(orders, "--vars", "below=3") == 1


def test_a_text_with_a_table_under_test_is_for_the_tables_that_yaml_names(orders):
    orders.write({"tests/sub/too_large.ff.sql": TOO_LARGE})
    assert "nothing to do" in orders.fft("test").out

    declare(orders, "{type: too_large, model: orders, column: amount}")
    assert failing(orders) == 1
    declare(orders, "{type: too_large, model: orders, column: amount, largest: 10}")
    assert failing(orders) == 2
    declare(orders, "{type: too_large, model: orders, column: amount, largest: 10, where: id < 3}")
    assert failing(orders) == 1


def test_a_check_below_a_column_is_about_it(orders):
    orders.write(
        {
            "tests/too_large.ff.sql": TOO_LARGE,
            "models/schema.yml": "models: [{name: twice, columns: [{name: amount, tests: [too_large: {largest: 4}]}]}]",
        }
    )

    assert failing(orders) == 3


def test_a_check_below_a_column_has_to_take_one(orders):
    orders.write(
        {
            "tests/own.ff.sql": "select * from {{ model }}",
            "models/schema.yml": "models: [{name: twice, columns: [{name: amount, tests: [own]}]}]",
        }
    )

    assert 'P102 check "own" has an unknown key "column"' in orders.fft("test").err


@pytest.mark.parametrize(
    ("check", "message", "hint"),
    [
        ("{type: too_large, model: orders}", 'P103 test 1 has no "column"', ""),
        ("{type: too_large, model: orders, column: amount, lrgest: 1}", 'unknown key "lrgest"', '"largest"'),
        ("{type: too_larg, model: orders}", 'P104 there is no check "too_larg"', 'did you mean "too_large"?'),
        ("{type: too_large, column: amount}", 'P103 test 1 has no "model"', ""),
        ("{type: matching, where: id > 1}", 'a where, and "matching" reads no table under test', "into the check"),
    ],
)
def test_what_does_not_fit_a_check_is_an_error_with_its_line(orders, check, message, hint):
    orders.write({"tests/too_large.ff.sql": TOO_LARGE, "tests/matching.ff.sql": MATCHING})
    declare(orders, check)

    answer = orders.fft("test")

    assert answer.code == 2
    assert message in answer.err
    assert hint in answer.err
    assert "project.yml:3" in answer.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ config(params=['where']) }} select 1", 'is called "where", which has a meaning for all checks'),
        ("{{ config(severty='warn') }} select 1", 'config() of "own" has an unknown key "severty"'),
        ("{{ config(severity=var('x')) }} select 1", "takes its settings by name, as literals"),
        ("{{ config(where='id > 1') }} select 1", "it reads no table under test"),
        ("{{ config(params=3) }} select 1", "which is not a list of names"),
        ("select * from {{ ref('ordrs') }}", 'check "own" names "ordrs", which is not in this project'),
        ("select * from {{ source('raw', 'x') }}", 'check "own" names "raw.x", which is not in this project'),
        ("select {{ params.x }}", "has no attribute"),
    ],
)
def test_what_is_wrong_in_a_text_is_an_error_with_its_line(orders, text, message):
    orders.write({"tests/own.ff.sql": text})

    answer = orders.fft("test")

    assert answer.code == 2
    assert message in answer.err
    assert "tests/own.ff.sql:1" in answer.err


def test_a_texts_own_terms_hold_where_yaml_says_nothing_else(orders):
    orders.write({"tests/own.ff.sql": "{{ config(severity='warn', tags=['slow']) }} select * from {{ model }}"})
    declare(orders, "{type: own, model: orders}")
    assert "\n1 warned in" in orders.fft("test", "--select", "tag:slow").out

    declare(orders, "{type: own, model: orders, severity: error}")
    assert "\n1 failed in" in orders.fft("test", "--select", "tag:slow").out


def test_a_check_cannot_be_called_like_one_that_is_built_in(orders):
    orders.write({"tests/unique.ff.sql": "select 1"})

    assert 'M101 "unique" is the name of a built-in check' in orders.fft("test").err


PYTHON = """
from fastflowtransform import dq_test

@dq_test("too_large")
def anything(table, *, column, largest=100):
    return table.filter(table[column] > largest)

@dq_test(deps=["orders", "twice"], tags=["both"])
def matching(orders, twice):
    return orders.anti_join(twice, "id")
"""


def test_a_function_takes_the_table_that_yaml_names_and_its_parameters(orders):
    orders.write({"tests/own.ff.py": PYTHON})
    declare(orders, "{type: too_large, model: orders, column: amount, largest: 10}")

    assert failing(orders, "--select", "type:too_large") == 2


def test_a_function_whose_tables_are_all_named_is_a_check_by_itself(orders):
    orders.write({"tests/own.ff.py": PYTHON})
    assert failing(orders) == 0

    orders.sql("INSERT INTO orders VALUES (4, 4)")
    orders.write({"models/twice.ff.sql": "select * from {{ ref('orders') }} where id < 4"})
    orders.fft("run")
    assert failing(orders, "--select", "tag:both") == 1


def test_a_functions_other_arguments_are_models_by_their_names(orders):
    function = "def covers(table, twice): return twice.anti_join(table, 'id')"
    orders.write({"tests/own.ff.py": f"from fastflowtransform import dq_test\n@dq_test\n{function}\n"})
    declare(orders, "{type: covers, model: orders, where: id < 3}")

    assert failing(orders) == 1


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (
            "def own(t):\n    return 1",
            'M221 own_orders: check "own" returned "builtins.int", and should return an Ibis table',
        ),
        ("def own(t):\n    raise ValueError('no')", 'M220 own_orders: check "own" raised ValueError: "no"'),
        ("def own(t):\n    return t.x", 'M220 own_orders: check "own" raised AttributeError'),
        ("def own():\n    return 1", 'M102 "own" takes 0 tables, and a check needs one at least'),
        ("def own(t, *, name):\n    return t", 'P104 a parameter of "own" is called "name"'),
    ],
)
def test_a_function_that_is_no_check_is_an_error_with_its_place(orders, code, error):
    orders.write({"tests/own.ff.py": f"from fastflowtransform import dq_test\n@dq_test\n{code}\n"})
    declare(orders, "{type: own, model: orders}")

    answer = orders.fft("test")

    assert error in answer.err
    assert "tests/own.ff.py:" in answer.err


def test_a_python_file_without_a_check_is_an_error(orders):
    orders.write({"tests/own.ff.py": "x = 1\n"})

    assert "M102 no function in this file is a check" in orders.fft("test").err


def test_deps_that_do_not_fit_the_function_are_an_error(orders):
    orders.write({"tests/own.ff.py": PYTHON.replace('["orders", "twice"]', '["orders"]')})

    assert 'M102 "matching" takes 2 tables, and deps names 1' in orders.fft("test").err


def test_other_files_below_tests_are_left_alone(orders):
    orders.write(
        {"tests/test_unit.py": "raise SystemExit", "tests/unit/cases.yml": "x: 1", "tests/notes.sql": "select"}
    )

    assert orders.fft("test").code == 0
