from __future__ import annotations

import itertools
import random
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflowtransform.errors import Cycle, Location
from fastflowtransform.graph import ancestors, build, descendants, order, reachable

DIAMOND = build({"b": ["a"], "c": ["a"], "d": ["b", "c"]}, {})


@st.composite
def acyclic(draw: st.DrawFn) -> dict[str, list[str]]:
    """Draw what each node reads, where a node reads only those before it in a shuffled list."""
    names = draw(st.lists(st.sampled_from("abcdefghijkl"), unique=True, max_size=12))
    return {name: draw(st.lists(st.sampled_from(names[:i]), unique=True)) if i else [] for i, name in enumerate(names)}


def seconds(action) -> float:
    start = time.process_time()
    action()
    return time.process_time() - start


def test_nodes_are_sorted_and_include_those_that_are_only_read():
    graph = build({"b": ["source:raw.events"], "a": []}, {})

    assert graph.nodes == ("a", "b", "source:raw.events")


def test_neighbours_are_direct_ones():
    assert DIAMOND.upstream["d"] == {"b", "c"}
    assert DIAMOND.downstream["a"] == {"b", "c"}
    assert DIAMOND.upstream["a"] == DIAMOND.downstream["d"] == frozenset()


def test_a_graph_cannot_be_changed():
    with pytest.raises(TypeError):
        DIAMOND.upstream["d"] = frozenset()  # type: ignore[index]


def test_an_empty_graph_has_an_empty_order():
    assert order(build({}, {})) == ()


def test_order_is_by_depth_and_then_by_name():
    graph = build({"z": [], "y": ["z"], "a": ["y"], "b": []}, {})

    assert order(graph) == ("b", "z", "y", "a")


def test_a_cycle_is_shown_as_a_path_from_its_first_name_and_placed_there():
    places = {"b": Location(Path("models/b.ff.sql"), 1), "c": Location(Path("models/c.ff.sql"), 1)}

    with pytest.raises(Cycle) as caught:
        build({"c": ["b"], "b": ["d"], "d": ["c"], "a": ["b"]}, places)

    assert caught.value.message == '"b" depends on itself: b -> d -> c -> b'
    assert caught.value.at == places["b"]


def test_a_node_that_reads_itself_is_a_cycle():
    with pytest.raises(Cycle, match='"a" depends on itself: a -> a'):
        build({"a": ["a"]}, {})


@pytest.mark.parametrize(
    ("depth", "expected"), [(0, set()), (1, {"b", "c"}), (2, {"a", "b", "c"}), (None, {"a", "b", "c"})]
)
def test_ancestors_go_as_deep_as_they_are_told(depth, expected):
    assert ancestors(DIAMOND, "d", depth) == expected


@pytest.mark.parametrize(
    ("depth", "expected"), [(0, set()), (1, {"b", "c"}), (2, {"b", "c", "d"}), (None, {"b", "c", "d"})]
)
def test_descendants_go_as_deep_as_they_are_told(depth, expected):
    assert descendants(DIAMOND, "a", depth) == expected


def test_an_unknown_node_is_a_key_error():
    with pytest.raises(KeyError, match="nobody"):
        ancestors(DIAMOND, "nobody")


@given(acyclic())
def test_order_holds_each_node_once_and_puts_it_after_all_that_it_reads(upstream):
    graph = build(upstream, {})
    position = {node: number for number, node in enumerate(order(graph))}

    assert sorted(order(graph)) == list(graph.nodes)
    assert all(position[parent] < position[node] for node in graph.nodes for parent in graph.upstream[node])


@given(acyclic())
def test_order_does_not_depend_on_how_the_nodes_were_given(upstream):
    turned = {node: parents[::-1] for node, parents in reversed(upstream.items())}

    assert order(build(turned, {})) == order(build(upstream, {}))


@given(acyclic(), st.none() | st.integers(0, 3))
def test_ancestors_and_descendants_are_converses(upstream, depth):
    graph = build(upstream, {})

    up = {(a, b) for a in graph.nodes for b in ancestors(graph, a, depth)}
    down = {(a, b) for b in graph.nodes for a in descendants(graph, b, depth)}

    assert up == down


@given(acyclic(), st.none() | st.integers(0, 3))
def test_reachable_from_many_is_the_union_of_reachable_from_each(upstream, depth):
    graph = build(upstream, {})
    starts = graph.nodes[::2]

    each = [reachable(graph.upstream, [node], depth) for node in starts]

    assert reachable(graph.upstream, starts, depth) == frozenset().union(*each)


@given(acyclic(), st.data())
def test_an_edge_back_to_an_ancestor_is_a_cycle_along_edges_that_exist(upstream, data):
    graph = build(upstream, {})
    edges = [(node, up) for node in graph.nodes for up in (node, *sorted(ancestors(graph, node)))]
    node, back = data.draw(st.sampled_from(edges or [("a", "a")]))
    closed = {**upstream, back: [*upstream.get(back, []), node]}

    with pytest.raises(Cycle) as caught:
        build(closed, {})

    path = caught.value.message.partition(": ")[2].split(" -> ")
    assert path[0] == path[-1] == min(path)
    assert all(parent in closed[child] for child, parent in itertools.pairwise(path))


def test_a_chain_of_5000_nodes_exhausts_no_stack():
    graph = build({f"n{i:04}": [f"n{i - 1:04}"] for i in range(1, 5000)}, {})

    assert order(graph) == graph.nodes
    assert len(ancestors(graph, "n4999")) == len(descendants(graph, "n0000")) == 4999


def test_a_cycle_of_5000_nodes_exhausts_no_stack():
    with pytest.raises(Cycle, match="n0000 -> n4999 -> n4998"):
        build({f"n{i:04}": [f"n{(i - 1) % 5000:04}"] for i in range(5000)}, {})


def test_5000_nodes_with_15000_edges_take_less_than_a_second():
    chance = random.Random(5000)
    upstream = {f"n{i}": {f"n{chance.randrange(i)}" for _ in range(3)} if i else set() for i in range(5000)}

    # About 0.03 s; anything quadratic would need several seconds.
    assert seconds(lambda: order(build(upstream, {}))) < 1
