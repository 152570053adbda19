from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflowtransform.errors import BadSelector, NothingSelected
from fastflowtransform.graph import build
from fastflowtransform.select import Kind, Method, Selectable, Term, parse, select

# source:raw.events ─ events_base ─ fct_events ─┬─ daily
# source:crm.users ─┬─ users_base ──────────────┘
# seed_countries ───┘
GRAPH = build(
    {
        "events_base": ["source:raw.events"],
        "users_base": ["source:crm.users", "seed_countries"],
        "fct_events": ["events_base"],
        "daily": ["fct_events", "users_base"],
    },
    {},
)
NODES = {
    "source:raw.events": Selectable("raw.events", Kind.SOURCE, path="sources.yml"),
    "source:crm.users": Selectable("crm.users", Kind.SOURCE, frozenset({"pii"}), "sources.yml"),
    "seed_countries": Selectable("seed_countries", Kind.SEED, path="seeds/seed_countries.csv"),
    "events_base": Selectable("events_base", Kind.MODEL, path="models/staging/events_base.ff.sql"),
    "users_base": Selectable("users_base", Kind.MODEL, frozenset({"pii"}), "models/staging/users_base.ff.py"),
    "fct_events": Selectable(
        "fct_events", Kind.MODEL, frozenset({"example:incremental_demo"}), "models/fct_events.ff.sql", "incremental"
    ),
    "daily": Selectable(
        "daily", Kind.MODEL, frozenset({"example:incremental_demo", "nightly"}), "models/marts/daily.ff.sql"
    ),
}
ALL = (
    "seed_countries",
    "source:crm.users",
    "source:raw.events",
    "events_base",
    "users_base",
    "fct_events",
    "daily",
)


def chosen(*include: str, exclude: tuple[str, ...] = ()) -> set[str]:
    return set(select(GRAPH, NODES, include, exclude))


def refusal(*include: str, exclude: tuple[str, ...] = ()) -> BadSelector | NothingSelected:
    with pytest.raises((BadSelector, NothingSelected)) as caught:
        select(GRAPH, NODES, include, exclude)
    return caught.value


def members(*include: str, exclude: tuple[str, ...] = ()) -> set[str]:
    """Select, with the empty set for what matches nothing."""
    try:
        return chosen(*include, exclude=exclude)
    except NothingSelected:
        return set()


def test_no_options_choose_everything_in_the_order_of_the_graph():
    assert select(GRAPH, NODES, [], []) == ALL


def test_a_project_without_nodes_has_nothing_to_choose_and_that_is_fine():
    assert select(build({}, {}), {}, [], []) == ()


def test_the_order_of_the_result_is_that_of_the_graph_not_of_the_words():
    assert select(GRAPH, NODES, ["daily fct_events events_base"]) == ("events_base", "fct_events", "daily")


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("events_base", {"events_base"}),
        ("events_base.ff", {"events_base"}),
        ("events_base.ff.sql", {"events_base"}),
        ("users_base.ff.py+", {"users_base", "daily"}),
        ("name:events_base", {"events_base"}),
        ("seed_countries", {"seed_countries"}),
        ("*_base", {"events_base", "users_base"}),
        ("*_base.ff", {"events_base", "users_base"}),
        ("d?ily", {"daily"}),
        ("[de]*", {"daily", "events_base"}),
    ],
)
def test_a_bare_word_is_the_name_of_a_model_or_seed(selector, expected):
    assert chosen(selector) == expected


def test_a_glob_of_names_matches_no_source():
    assert chosen("*") == {"seed_countries", "events_base", "users_base", "fct_events", "daily"}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("tag:nightly", {"daily"}),
        ("tag:example:incremental_demo", {"fct_events", "daily"}),
        ("tag:example:*", {"fct_events", "daily"}),
        ("tag:pii", {"source:crm.users", "users_base"}),
    ],
)
def test_a_tag_finds_all_that_carry_it_and_may_hold_colons(selector, expected):
    assert chosen(selector) == expected


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("path:models/staging", {"events_base", "users_base"}),
        ("path:models/staging/", {"events_base", "users_base"}),
        ("path:./models/staging", {"events_base", "users_base"}),
        ("path:models/fct_events.ff.sql", {"fct_events"}),
        ("path:models", {"events_base", "users_base", "fct_events", "daily"}),
        ("path:models/*.ff.sql", {"fct_events"}),
        ("path:models/*/*.ff.sql", {"events_base", "daily"}),
        ("path:models/**/*.ff.sql", {"events_base", "fct_events", "daily"}),
        ("path:**/*.csv", {"seed_countries"}),
        ("path:models/st*", {"events_base", "users_base"}),
        ("path:sources.yml", {"source:raw.events", "source:crm.users"}),
        ("path:.", set(ALL)),
    ],
)
def test_a_path_is_a_file_a_folder_or_a_glob_of_them(selector, expected):
    assert chosen(selector) == expected


def test_a_path_does_not_match_the_beginning_of_a_folders_name():
    assert refusal("path:models/stag").code == "S101"


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("source:raw.events", {"source:raw.events"}),
        ("source:raw", {"source:raw.events"}),
        ("source:*", {"source:raw.events", "source:crm.users"}),
        ("source:*.users", {"source:crm.users"}),
        ("source:raw.events+", {"source:raw.events", "events_base", "fct_events", "daily"}),
    ],
)
def test_a_source_is_found_by_its_group_its_full_name_or_a_glob(selector, expected):
    assert chosen(selector) == expected


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("+fct_events", {"source:raw.events", "events_base", "fct_events"}),
        ("fct_events+", {"fct_events", "daily"}),
        ("+fct_events+", {"source:raw.events", "events_base", "fct_events", "daily"}),
        ("1+fct_events", {"events_base", "fct_events"}),
        ("0+fct_events", {"fct_events"}),
        ("2+daily", set(ALL) - {"source:raw.events"}),
        ("source:raw+2", {"source:raw.events", "events_base", "fct_events"}),
        ("1+fct_events+1", {"events_base", "fct_events", "daily"}),
        ("@seed_countries", set(ALL)),
        ("@users_base", set(ALL)),
        ("+tag:nightly", set(ALL)),
        ("1+tag:example:*", {"events_base", "fct_events", "users_base", "daily"}),
    ],
)
def test_graph_operators_add_ancestors_and_descendants(selector, expected):
    assert chosen(selector) == expected


def test_at_adds_no_ancestors_of_nodes_that_are_not_descendants():
    graph = build({"b": ["a"], "c": ["b", "x"], "y": ["x"]}, {})
    nodes = {name: Selectable(name, Kind.MODEL) for name in graph.nodes}

    assert set(select(graph, nodes, ["@b"])) == {"a", "b", "c", "x"}


def test_a_space_unites_and_a_comma_intersects_more_tightly():
    assert chosen("daily tag:pii,path:models") == {"daily", "users_base"}


def test_several_options_narrow_each_other():
    assert chosen("path:models", "tag:pii") == {"users_base"}


def test_several_excludes_unite():
    assert chosen("path:models", exclude=("daily", "tag:pii")) == {"events_base", "fct_events"}


def test_exclude_alone_takes_from_everything():
    assert chosen(exclude=("source:* path:seeds", "events_base+")) == {"users_base"}


def test_case_matters():
    assert refusal("Daily").hint == 'did you mean "daily"?'


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("x", Term(Method.NAME, "x")),
        ("+x", Term(Method.NAME, "x", ancestors=None)),
        ("x+3", Term(Method.NAME, "x", descendants=3)),
        ("2+tag:a:b+", Term(Method.TAG, "a:b", ancestors=2, descendants=None)),
        ("@path:models/", Term(Method.PATH, "models", at=True)),
        ("tag:@x", Term(Method.TAG, "@x")),
        ("path:c++/x.ff.sql", Term(Method.PATH, "c++/x.ff.sql")),
        ("a.ff.b", Term(Method.NAME, "a.ff.b")),
    ],
)
def test_a_term_is_operators_a_method_and_a_value(text, term):
    assert parse(text) == term


@pytest.mark.parametrize(
    "text",
    ["", "+", "2+", "@", "tag:", "+tag:", "tag:+", "tag:+x", "x++", "++x", "@+x", "@x+", "+@x", "@@x", "a b", "a,b"],
)
def test_a_malformed_term_is_refused_and_told_the_shape(text):
    with pytest.raises(BadSelector) as caught:
        parse(text)

    assert caught.value.message == f'"{text}" is not a selector'
    assert "tag:x" in str(caught.value.hint)


@pytest.mark.parametrize("option", [",daily", "daily,", "daily,,tag:nightly", ",", "daily, tag:nightly"])
def test_a_comma_with_nothing_beside_it_is_refused(option):
    error = refusal(option)

    assert error.code == "S100"
    assert "has a comma with nothing beside it" in error.message


@pytest.mark.parametrize("option", ["", "  "])
def test_an_empty_option_is_refused_and_does_not_mean_everything(option):
    assert refusal(option).message == f'"{option}" is an empty selector'


@pytest.mark.parametrize(
    ("option", "message", "hint"),
    [
        ("tga:x", '"tga:x" has an unknown method, "tga"', 'did you mean "tag"?'),
        (
            "+owner:me",
            '"+owner:me" has an unknown method, "owner"',
            "methods here: check, name, path, result, source, state, tag, type",
        ),
        (":x", '":x" has an unknown method, ""', "methods here: check, name, path, result, source, state, tag, type"),
    ],
)
def test_an_unknown_method_is_refused_with_those_that_exist(option, message, hint):
    error = refusal(option)

    assert (error.code, error.message, error.hint) == ("S100", message, hint)


@pytest.mark.parametrize(
    ("option", "hint"),
    [
        ("+events_bas", 'did you mean "events_base"?'),
        ("tag:nightli", 'did you mean "nightly"?'),
        ("tag:zzz", "tags here: example:incremental_demo, nightly, pii"),
        ("source:rav.events", 'did you mean "raw.events"?'),
        ("path:model/staging", 'did you mean "models/staging"?'),
        ("nightly", 'did you mean "tag:nightly"?'),
        ("models/staging", 'did you mean "path:models/staging"?'),
        ("raw.events", 'did you mean "source:raw.events"?'),
        ("tag:daily", 'did you mean "daily"?'),
    ],
)
def test_a_term_that_matches_nothing_is_named_with_the_nearest_word(option, hint):
    error = refusal(f"daily {option}")

    assert (error.code, error.message, error.hint) == ("S101", f'"{option}" matches nothing', hint)


def test_a_term_without_any_words_to_compare_says_so():
    with pytest.raises(NothingSelected, match="hint there are no tags here"):
        select(build({"a": []}, {}), {"a": Selectable("a", Kind.MODEL)}, ["tag:x"])


def test_an_empty_intersection_names_the_whole():
    assert refusal("tag:nightly,path:seeds").message == '"tag:nightly,path:seeds" matches nothing'


def test_options_that_leave_nothing_together_are_all_named():
    error = refusal("daily", "fct_events", exclude=("events_base",))

    assert error.code == "S101"
    assert error.message == 'nothing is left of --select "daily" --select "fct_events" --exclude "events_base"'


def test_an_exclude_that_matches_nothing_is_refused_too():
    assert refusal("daily", exclude=("dialy",)).message == '"dialy" matches nothing'


words = st.sampled_from(
    ["daily", "*_base", "+fct_events", "2+daily", "tag:pii", "@users_base", "path:models", "source:raw+", "[s-z]*+1"]
)


@given(words, words)
def test_a_space_is_the_union(a, b):
    assert members(f"{a} {b}") == members(a) | members(b)


@given(words, words)
def test_a_comma_is_the_intersection(a, b):
    assert members(f"{a},{b}") == members(a, b) == members(a) & members(b)


@given(words, words)
def test_exclude_is_the_difference(a, b):
    assert members(a, exclude=(b,)) == members(a) - members(b)


@given(st.text(alphabet="ab@+,:*?[]!-./0 9dtagpath\n\u00b2\u0663") | st.text())
def test_any_text_is_either_understood_or_refused(text):
    try:
        assert set(select(GRAPH, NODES, [text])) <= set(ALL)
    except (BadSelector, NothingSelected) as error:
        assert error.hint


@given(st.text())
def test_any_text_is_a_term_or_no_selector(text):
    try:
        assert parse(text).value
    except BadSelector as error:
        assert f'"{text}"' in error.message


def test_the_operators_of_5000_matches_take_less_than_a_second():
    graph = build({f"n{i:04}": [f"n{i - 1:04}"] for i in range(1, 5000)}, {})
    nodes = {node: Selectable(node, Kind.MODEL, path=f"models/{node}.ff.sql") for node in graph.nodes}

    start = time.process_time()
    assert len(select(graph, nodes, ["+path:models+ @n*"])) == 5000

    # About 0.1 s; going up and down from each match on its own would need several seconds.
    assert time.process_time() - start < 1


# Two checks of fct_events, and one of daily and users_base.
CHECKED = build(
    {
        **{node: sorted(GRAPH.upstream[node]) for node in GRAPH.nodes},
        "check:key": ["fct_events"],
        "check:not_null_id": ["fct_events"],
        "check:no_user_lost": ["daily", "users_base"],
    },
    {},
)
CHECKS = {
    "check:key": Selectable("key", Kind.CHECK, frozenset({"nightly"}), type="unique"),
    "check:not_null_id": Selectable("not_null_id", Kind.CHECK, type="not_null"),
    "check:no_user_lost": Selectable("no_user_lost", Kind.CHECK, path="tests/no_user_lost.ff.sql", type="no_user_lost"),
}


@pytest.mark.parametrize(
    ("include", "found"),
    [
        (["fct_events"], {"key", "not_null_id"}),
        (["+fct_events"], {"key", "not_null_id"}),
        (["users_base"], {"no_user_lost"}),
        (["daily+"], {"no_user_lost"}),
        (["source:raw"], set()),
        (["source:raw+"], {"key", "not_null_id", "no_user_lost"}),
        (["type:unique"], {"key"}),
        (["check:n*"], {"not_null_id", "no_user_lost"}),
        (["key"], {"key"}),
        (["tag:nightly"], {"key", "no_user_lost"}),
        (["path:tests"], {"no_user_lost"}),
        (["fct_events", "type:not_null"], {"not_null_id"}),
    ],
)
def test_a_term_finds_checks_by_themselves_and_by_what_they_are_about(include, found):
    names = select(CHECKED, {**NODES, **CHECKS}, include)

    assert {CHECKS[name].name for name in names if name in CHECKS} == found


def test_a_check_that_is_excluded_takes_no_model_with_it():
    names = select(CHECKED, {**NODES, **CHECKS}, ["fct_events"], ["type:unique"])

    assert set(names) == {"fct_events", "check:not_null_id"}


def test_without_checks_a_method_for_them_finds_nothing():
    assert refusal("type:unique").hint == "there are no types here"
