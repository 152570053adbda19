"""The ready queue: what starts when, over random graphs and in every interleaving that threads could give."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fastflowtransform.schedule import Ready

Waits = dict[str, set[str]]


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[str], Waits]:
    """An order, and what each of its nodes waits for: some of those before it."""
    order = [f"n{number}" for number in range(draw(st.integers(0, 12)))]
    waits = {node: draw(st.sets(st.sampled_from(order[:place]))) for place, node in enumerate(order) if place}
    return order, waits


@given(graphs())
def test_one_by_one_nodes_come_in_the_order(graph: tuple[list[str], Waits]):
    order, waits = graph
    ready, found = Ready(order, waits), []
    while (node := ready.next()) is not None:
        found.append(node)
        ready.ended(node)

    assert found == order
    assert ready.is_over


@given(graphs(), st.integers(1, 8), st.randoms(use_true_random=False))
def test_many_at_once_each_comes_once_and_after_all_that_it_waits_for(graph, jobs, random):
    order, waits = graph
    ready, running, ended = Ready(order, waits), [], []
    while not ready.is_over:
        while len(running) < jobs and (node := ready.next()) is not None:
            assert waits.get(node, set()) <= set(ended)
            running.append(node)
        random.shuffle(running)
        ended.append(running.pop())
        ready.ended(ended[-1])

    assert sorted(ended) == sorted(order)


@given(graphs(), st.randoms(use_true_random=False))
def test_no_node_is_kept_waiting_by_one_that_it_does_not_wait_for(graph, random):
    order, waits = graph
    ready, running, ended = Ready(order, waits), [], set()
    while not ready.is_over:
        while (node := ready.next()) is not None:
            running.append(node)
        assert {*running, *ended} == {node for node in order if waits.get(node, set()) <= ended}
        random.shuffle(running)
        node = running.pop()
        ended.add(node)
        ready.ended(node)


def test_a_node_that_was_given_back_comes_again():
    ready = Ready(["a", "b"])
    assert ready.next() == "a"

    ready.returned("a")

    assert (ready.next(), ready.next(), ready.next()) == ("a", "b", None)


def test_what_is_not_in_the_order_keeps_nobody_waiting():
    assert Ready(["b"], {"b": {"a"}}).next() == "b"
