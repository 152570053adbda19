"""Templates: an error names the true line of the file that has it, and what means nothing is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflowtransform.errors import FftError, JinjaError, Location, SwallowedSql
from fastflowtransform.sql_comments import comments
from fastflowtransform.sql_model import read_inputs
from fastflowtransform.template import RESERVED, Scope, compile_template, compile_value
from tests.conftest import ProjectFolder

MODEL, MACROS, OTHERS = (Location(Path(name), 1) for name in ("m.ff.sql", "macros/a.sql", "macros/b.sql"))

FAILING = {
    "{{ nothing }}": '"nothing" is undefined',
    "{{ 1/0 }}": "division by zero",
    "{{ 'a' + 1 }}": "can only concatenate",
    "{{ {}['x'] }}": "has no attribute",
    "{{ var('nothing') }}": 'the variable "nothing" is not set',
    "{{ ref('a', 'b') }}": "ref() takes the name of one model",
    "{{ [1][7] }}": "has no element 7",
    "{{ 'x'.nothing }}": 'no attribute "nothing"',
    "{% for a in 5 %}{% endfor %}": "not iterable",
    "{{ column.upper.nothing }}": 'no attribute "nothing"',
    "{{ again(column) }}": "recursion",
    "{% include 'x' %}": "no loader",
    "{{ '%d'|format('x') }}": "%d format",
    "{{ is_incremental }}": '"is_incremental" is a function',
    "{% if not ref %}{% endif %}": '"ref" is a function',
}
LINES = st.integers(0, 5)


def read(model: str, *macros: str) -> None:
    """Read a model with files of macros, which are kept in the order of `MACROS` and `OTHERS`."""
    places = (MACROS, OTHERS)
    compiled = tuple(compile_template(text, at) for text, at in zip(macros, places, strict=False))
    read_inputs(compile_template(model, MODEL), Scope(macros=compiled))


@given(st.sampled_from([*FAILING]), LINES, LINES, LINES, st.sampled_from(["m", "_x", "range", "dict"]), st.booleans())
def test_an_error_in_a_macro_names_its_own_line_and_its_callers(text, above, inside, before, name, through):
    body = "\n" * above + f"{{% macro {name}(column) %}}" + "\n" * inside + text + "{% endmacro %}\n"
    body += "{% macro again(x) %}{{ again(x) }}{% endmacro %}"
    other = "{% macro outer() %}\n{{ " + name + "('c') }}{% endmacro %}"
    call = "outer()" if through else f"{name}('c')"

    with pytest.raises(FftError) as caught:
        read("\n" * before + f"select {{{{ {call} }}}}", body, other)

    assert FAILING[text] in caught.value.message
    line = body.count("\n") + 1 if "again" in text else above + inside + 1
    assert str(caught.value.at) == f"macros/a.sql:{line}"
    assert f"called at m.ff.sql:{before + 1}" in caught.value.message
    assert ("called at macros/b.sql:2" in caught.value.message) is through


@given(st.sampled_from([*FAILING]), LINES)
def test_an_error_in_a_text_names_its_line(text, above):
    if "column" in text or "again" in text:
        return

    with pytest.raises(FftError) as caught:
        read("\n" * above + f"select 1 {text}")

    assert str(caught.value.at) == f"m.ff.sql:{above + 1}"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("m()", 'parameter "a" was not provided'),
        ("m(1, 2, 3)", "not more than 2"),
        ("m(1, x=2)", "no keyword argument 'x'"),
    ],
)
@pytest.mark.parametrize("name", ["m", "_x"])
def test_wrong_arguments_of_a_macro_name_its_definition_and_the_call(name, call, message):
    with pytest.raises(JinjaError) as caught:
        read(
            f"select\n{{{{ {call.replace('m', name, 1)} }}}}",
            f"\n{{%- macro {name}(a, b=1) %}}{{{{ a }}}}{{% endmacro %}}",
        )

    assert message in caught.value.message
    assert str(caught.value.at) == "macros/a.sql:2"
    assert "called at m.ff.sql:2" in caught.value.message


@pytest.mark.parametrize(
    "text",
    ["{% macro m(a, a) %}{% endmacro %}", "{{ ref(a=1, a=2) }}", "{{ " + "(" * 300 + " }}", "{{ " + "9" * 5000 + " }}"]
    + ["{{ 1|nothing }}", "{{ 1 is nothing }}", "{% nothing %}", "{{ 'a }}", "{{ " + "not " * 5000 + "1 }}", "{% if %}"]
    + ["{% block a %}{% endblock %}{% block a %}{% endblock %}", "{% extends 'x' %}", "{% import 'x' as y %}{{ y }}"],
)
def test_a_text_that_jinja_cannot_take_is_an_error_with_its_line(text):
    with pytest.raises(JinjaError) as caught:
        read(f"select 1\n{text}")

    assert str(caught.value.at) in ("m.ff.sql:2", "m.ff.sql:1")


def test_what_jinja_has_by_itself_is_there_but_for_what_is_drawn_by_chance(project: ProjectFolder):
    project.write(
        {
            "models/m.ff.sql": """
                {%- set ns = namespace(n=0) -%}{% set row = cycler('a', 'b') %}{% set comma = joiner(', ') %}
                select {% for i in range(3) %}{{ comma() }}'{{ row.next() }}' as c{{ i }}
                {% set ns.n = ns.n + i %}{% endfor %}
                , {{ ns.n }} as n, {{ dict(a=4).a }} as d
                """
        }
    )

    assert project.fft("run").err == ""

    assert project.sql("from m") == [("a", "b", "a", 3, 4)]
    with pytest.raises(JinjaError, match='"lipsum" is undefined'):
        read("select '{{ lipsum() }}'")


def test_a_macro_of_the_project_wins_over_a_function_of_jinja():
    scope = Scope(macros=(compile_template("{% macro range(n) %}mine{% endmacro %}", MACROS),))

    assert compile_template("{{ range(3) }}", MODEL).render(scope.context({})) == "mine"


def test_a_macro_in_a_block_of_its_file_is_told_as_one_that_is_not_there():
    text = "{% for i in [1] %}{% macro m() %}1{% endmacro %}{% endfor %}"

    with pytest.raises(JinjaError, match='"m" is undefined here'):
        read("select {{ m() }}", text)


UNCALLED = [
    "{% if NAME %}x{% endif %}",
    "{% if not NAME %}x{% endif %}",
    "{% if NAME and true %}x{% endif %}",
    "{% if true == NAME %}x{% endif %}",
    "{% if NAME == false %}x{% endif %}",
    "{% if NAME in [1, 2] %}x{% endif %}",
    "{{ 'x' if NAME else 'y' }}",
    "{{ NAME }}",
    "{{ NAME ~ 'x' }}",
    "{{ NAME|upper }}",
    "{{ NAME|string }}",
    "{% set yes = NAME %}{% if yes %}x{% endif %}",
    "{% for each in NAME %}x{% endfor %}",
]


@pytest.mark.parametrize("name", sorted(RESERVED - {"this", "engine"}) + ["mine", "_mine"])
@pytest.mark.parametrize("text", UNCALLED)
def test_a_function_without_its_parentheses_is_refused(name, text):
    macros = "{% macro mine() %}{% endmacro %}{% macro _mine() %}{% endmacro %}"

    with pytest.raises(JinjaError) as caught:
        read("select 1\n" + text.replace("NAME", name), macros)

    assert caught.value.message == f'"{name}" is a function, and is used without a call'
    assert str(caught.value.at) == "m.ff.sql:2"


@pytest.mark.parametrize("text", ["{% if this %}x{% endif %}", "{{ 1 if ref('a') }}", "{{ not source('a', 'b') }}"])
def test_the_name_of_a_table_in_a_condition_is_refused(text):
    with pytest.raises(JinjaError, match="is the name of a table, which is always true"):
        read(text)


def test_a_setting_that_is_a_function_is_refused_with_its_line():
    with pytest.raises(JinjaError, match='"ref" is a function') as caught:
        read("\n{{ config(tags=ref) }}")

    assert str(caught.value.at) == "m.ff.sql:2"


def test_a_check_may_ask_whether_it_has_a_column(project: ProjectFolder):
    project.write(
        {
            "models/m.ff.sql": "select 1 as id",
            "tests/c.ff.sql": "select * from {{ model }} where {% if column %}{{ column }} < 0{% endif %}",
            "models/schema.yml": "models: [{name: m, columns: [{name: id, tests: [c]}]}]\n",
        }
    )
    project.fft("run")

    assert project.fft("test").err == ""


@pytest.mark.parametrize("text", ["{% if is_incremental is defined %}x{% endif %}", "{% set r = ref %}{{ r('a') }}"])
def test_a_function_may_be_handed_on(text):
    read(text)


def test_a_macro_of_the_text_itself_that_is_printed_is_refused():
    with pytest.raises(JinjaError, match='"m" is a function, and is used without a call'):
        read("{% macro m() %}{% endmacro %}{{ m }}")


def test_a_value_in_yaml_that_names_a_function_without_a_call_is_refused(project: ProjectFolder):
    project.write({"sources.yml": "sources: [{name: raw, schema: '{{ env }}'}]\n"})

    assert 'M100 "env" is a function' in project.fft("list").err
    assert str(compile_value("{{ 1 }}", MODEL).render({})) == "1"


CONFIG = "{{ config(materialized='table') }}"
TWICE = {
    f"{CONFIG}\n\n{CONFIG}\nselect 1 as id": (1, 3),
    f"select 1 as id\n{{% if true %}}{CONFIG}\n{{% else %}}{CONFIG}{{% endif %}}": (2, 3),
    f"{CONFIG} select 1 as id\n-- before: {CONFIG}": (2, 1),
    f"-- {CONFIG}\n{CONFIG} select 1 as id": (1, 2),
    f"/* once\n{CONFIG}\n*/ select 1 as id": (2, 1),
    f"select '--' as id -- {CONFIG}": (1, 1),
    f"select '''' as id, $$--$$ as b /* /* */ {CONFIG} */": (1, 1),
}


@pytest.mark.parametrize(("text", "places"), TWICE.items())
@pytest.mark.parametrize("folder", ["models", "tests"])
def test_config_that_is_called_twice_or_in_a_comment_is_refused_with_both_places(project, folder, text, places):
    written = text if folder == "models" else text.replace("materialized='table'", "severity='warn'")
    project.write({f"{folder}/m.ff.sql": written})

    err = project.fft("list").err

    assert err.startswith("M103 ")
    for line in places:
        assert f"{folder}/m.ff.sql:{line}" in err


@pytest.mark.parametrize(
    "text",
    [
        f"{{# {CONFIG} #}}{CONFIG} select 1 as id",
        f"{CONFIG} select '-- {{{{ var('x', 1) }}}} /*' as id",
        f"select '--' as id, {CONFIG} 2 as b",
        f"select $a$ -- $a$ as id {CONFIG}",
        f"-- note\n{CONFIG}\nselect 1 as id /* more */",
        f"{{% raw %}}{{{{ config() }}}}{{% endraw %}}{CONFIG}",
    ],
)
def test_config_that_is_called_once_and_outside_of_comments_counts(project, text):
    project.write({"models/m.ff.sql": text})

    assert "table" in project.fft("list").out


def test_config_in_a_loop_is_called_twice(project):
    project.write({"models/m.ff.sql": f"select 1 as id\n{{% for i in [1, 2] %}}{CONFIG}{{% endfor %}}"})

    assert 'M103 "m" calls config() twice' in project.fft("list").err


PIECES = st.sampled_from(
    ["-- note", "--note {{ 1 }}", "/* -- */", "select", " '--' ", "1", "\n", "\n", " ", "as id"]
    + ["{%- set a = 1 -%}", "{%- set b = 2 %}", "{% set c = 1 -%}", "{{- 1 -}}", "{#- x -#}", "{% if true -%}"]
    + ["{%- endif %}", "{% raw -%} {%- endraw %}"]
)


@given(st.lists(PIECES, max_size=8))
def test_sql_is_refused_exactly_if_a_tag_made_it_a_part_of_a_comment(pieces):
    text = "".join(pieces)
    try:
        template = compile_template(text, MODEL)
        trimmed = template.render({})
        whole = compile_template(re.sub(r"(?<=\{[{%#])-|-(?=[%#}]\})", " ", text), MODEL)
    except JinjaError:
        return
    lost = letters(trimmed) != letters(whole.render({}))

    try:
        read_inputs(template, Scope())
        refused = False
    except SwallowedSql:
        refused = True

    assert refused <= lost
    if not refused and lost:
        # A comment that became a part of one, or one that begins where a tag has joined two minus signs, loses nothing.
        assert "--" in trimmed


def letters(sql: str) -> str:
    """Return a text without its comments and blanks."""
    place, kept = 0, ""
    for begin, end in comments(sql):
        kept += sql[place:begin]
        place = end
    return "".join((kept + sql[place:]).split())


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("--note\n{%- set a = 1 -%}\nselect 1 as id", 1),
        ("select 1 as id -- one\n\n{%- if true %} where false{% endif %}", 1),
        ("select 1 as id\n-- two\n{#- x -#}\n, 2 as b", 2),
        ("select 1 as id\n -- three {{ 1 -}}\n, 2 as b", 1),
        ("{% if is_incremental() %}select 1 as id -- four\n{%- endif %} where true", None),
    ],
)
def test_a_comment_that_swallows_sql_is_told_with_its_line(project, text, line):
    project.write({"models/m.ff.sql": text})

    answer = project.fft("list")

    assert (answer.err.startswith("M106 "), f"m.ff.sql:{line}" in answer.err) == (line is not None, line is not None)


def test_a_comment_that_swallows_sql_in_an_increment_only_is_told_by_that(project):
    text = "{{ config(materialized='incremental', unique_key='id') }} select 1 as id -- all\n"
    project.write({"models/m.ff.sql": text + "{% if is_incremental() -%} where 1 = 0 -- new{%- endif %} \n"})
    assert project.fft("run").code == 0
    project.write({"models/m.ff.sql": text + "{%- if is_incremental() %} where 1 = 0 {% endif %} \n"})

    assert "M106" in project.fft("run").err


@pytest.mark.parametrize(
    "text",
    [
        "-- a\n{%- set x = 1 %}\nselect 1 as id",
        "-- a {{- ' b' }}\nselect 1 as id",
        "select 1 as id -- a\n{%- set x = 1 %}",
    ]
    + ["select '-- \n{%- set x = 1 -%}\n' as id", "select 1 as id, {% for i in [1] -%}\n 2 as b {%- endfor %} -- x"],
)
def test_tags_that_take_away_blanks_where_nothing_is_lost_are_as_they_were(project, text):
    project.write({"models/m.ff.sql": text})

    assert project.fft("run").err == ""
