"""Which node comes before which.

Nodes are names, an edge leads from a node to each one that reads it, and nothing here knows what a node is.
Every function takes time linear in nodes and edges (`order` sorts them besides), and none recurses.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from types import MappingProxyType

from fastflowtransform.errors import Cycle, Location


@dataclass(frozen=True, slots=True)
class Graph:
    """A directed graph without cycles; `build` makes it.

    Parameters
    ----------
    nodes
        All names, sorted.
    upstream
        For each node, the nodes that it reads.
    downstream
        For each node, the nodes that read it.
    """

    nodes: tuple[str, ...]
    upstream: Mapping[str, frozenset[str]]
    downstream: Mapping[str, frozenset[str]]


def build(upstream: Mapping[str, Iterable[str]], places: Mapping[str, Location]) -> Graph:
    """Make a graph of what each node reads.

    Parameters
    ----------
    upstream
        For each node, the nodes that it reads. One that is only read, and is no key, becomes a node as well.
    places
        Where a node is defined, for the error; a node may be absent.

    Raises
    ------
    Cycle
        A node reads itself, be it through others. In the path shown, each node reads the next; it starts
        from the first of them by name.

    Examples
    --------
    >>> graph = build({"b": ["a"], "c": ["a", "b"]}, {})
    >>> graph.nodes
    ('a', 'b', 'c')
    >>> sorted(graph.downstream["a"])
    ['b', 'c']
    >>> build({"a": ["b"], "b": ["a"]}, {})
    Traceback (most recent call last):
    fastflowtransform.errors.project.Cycle: G103 "a" depends on itself: a -> b -> a
    hint take out one of these references
    """
    parents = {node: frozenset(names) for node, names in upstream.items()}
    nodes = tuple(sorted(parents.keys() | frozenset().union(*parents.values())))
    children: dict[str, set[str]] = {node: set() for node in nodes}
    for node, names in parents.items():
        for name in names:
            children[name].add(node)
    graph = Graph(
        nodes,
        upstream=MappingProxyType({node: parents.get(node, frozenset()) for node in nodes}),
        downstream=MappingProxyType({node: frozenset(children[node]) for node in nodes}),
    )
    _refuse_cycles(graph, places)
    return graph


def order(graph: Graph) -> tuple[str, ...]:
    """Put each node after all that it reads.

    The order is by depth, which is the longest way up from a node, and then by name: it depends on the graph alone.

    Examples
    --------
    >>> order(build({"a": ["c"], "b": [], "d": ["a", "b"]}, {}))
    ('b', 'c', 'a', 'd')
    """
    return tuple(itertools.chain.from_iterable(_levels(graph)))


def ancestors(graph: Graph, node: str, depth: int | None = None) -> frozenset[str]:
    """Return what `node` reads, directly or through others, without itself.

    Parameters
    ----------
    graph
        The graph.
    node
        One of its nodes; another is a `KeyError`.
    depth
        How many edges to go at most; None is all the way, and 0 gives no node.

    Examples
    --------
    >>> graph = build({"b": ["a"], "c": ["b"]}, {})
    >>> sorted(ancestors(graph, "c"))
    ['a', 'b']
    >>> sorted(ancestors(graph, "c", depth=1))
    ['b']
    """
    return reachable(graph.upstream, [node], depth) - {node}


def descendants(graph: Graph, node: str, depth: int | None = None) -> frozenset[str]:
    """Return what reads `node`, directly or through others, without itself; the parameters are those of `ancestors`.

    Examples
    --------
    >>> sorted(descendants(build({"b": ["a"], "c": ["b"]}, {}), "a"))
    ['b', 'c']
    """
    return reachable(graph.downstream, [node], depth) - {node}


def reachable(neighbours: Mapping[str, Set[str]], starts: Iterable[str], depth: int | None = None) -> frozenset[str]:
    """Return `starts` and all that lies within `depth` edges of any of them.

    Parameters
    ----------
    neighbours
        `upstream` or `downstream` of a graph.
    starts
        Nodes of that graph. Many of them cost no more than one: no node is visited twice.
    depth
        How many edges to go at most; None is all the way, and 0 gives `starts`.

    Examples
    --------
    >>> graph = build({"b": ["a"], "c": ["b"], "y": ["x"]}, {})
    >>> sorted(reachable(graph.downstream, ["a", "x"], depth=1))
    ['a', 'b', 'x', 'y']
    """
    seen = set(starts)
    frontier = frozenset(seen)
    for _ in itertools.count() if depth is None else range(depth):
        if not frontier:
            break
        frontier = frozenset().union(*(neighbours[node] for node in frontier)) - seen
        seen |= frontier
    return frozenset(seen)


def _levels(graph: Graph) -> Iterator[list[str]]:
    """Yield the nodes of each depth, sorted."""
    sorter = TopologicalSorter(graph.upstream)
    sorter.prepare()
    while sorter.is_active():
        level = sorted(sorter.get_ready())
        yield level
        sorter.done(*level)


def _refuse_cycles(graph: Graph, places: Mapping[str, Location]) -> None:
    # Sorted, because graphlib reports the cycle that it meets first, and a set's order changes from run to run.
    sorter = TopologicalSorter({node: sorted(graph.upstream[node]) for node in graph.nodes})
    try:
        sorter.prepare()
    except CycleError as error:
        ring = error.args[1][:0:-1]  # graphlib's path follows the data, and ends where it begins.
        start = ring.index(min(ring))
        path = [*ring[start:], *ring[: start + 1]]
        raise Cycle(
            f'"{path[0]}" depends on itself: {" -> ".join(path)}',
            at=places.get(path[0]),
            hint="take out one of these references",
        ) from error
