"""Before which table's rows are published each check is asked, and which table is made before which for that. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence, Set

from fastflowtransform import graph as graphs
from fastflowtransform.declared import others_of
from fastflowtransform.model import Check, Materialized
from fastflowtransform.project import Project


def ordered(project: Project, names: Iterable[str], checks: Iterable[Check]) -> tuple[str, ...]:
    """Put nodes in an order in which each comes after all that it reads, and after what its checks read.

    Parameters
    ----------
    project
        The project.
    names
        Some of its nodes.
    checks
        A check that reads what is below its own node changes nothing: its node comes first all the same.
    """
    upstream = {node: set(found) for node, found in project.graph.upstream.items()}
    for check in checks:
        if check.own is not None and check.own.alone:
            continue
        for other in others_of(check):
            if check.node not in graphs.reachable(upstream, [other.node]):
                upstream[check.node].add(other.node)
    wanted = set(names)
    return tuple(node for node in graphs.order(graphs.build(upstream, {})) if node in wanted)


def placed(order: Sequence[str], checks: Iterable[Check]) -> Mapping[str, tuple[Check, ...]]:
    """Return checks by the node before which they are asked: the last of those that they read.

    Parameters
    ----------
    order
        The nodes in the order in which they are made.
    checks
        Those that are about none of these nodes are left out. One that reads other tables too finds them as they stand.
    """
    positions = {node: number for number, node in enumerate(order)}
    found: dict[str, list[Check]] = {}
    for check in checks:
        if not positions.keys() & set(check.nodes):
            continue
        found.setdefault(max(_reads(check) & positions.keys(), key=positions.__getitem__), []).append(check)
    return {node: tuple(asked) for node, asked in found.items()}


def waits(
    project: Project, order: Sequence[str], checks: Mapping[str, Iterable[Check]]
) -> Mapping[str, frozenset[str]]:
    """Return what each node waits for: of two that would see each other's rows, the later one for the earlier one.

    A node sees what it reads, through whatever is not made itself; and what is asked before its rows are published
    sees more. With that, it does not matter how many are made at once: each sees what it would see in the order.

    Parameters
    ----------
    project
        The project.
    order
        The nodes, each after all that it reads.
    checks
        Those that are asked before a node's rows are published, as `placed` gives them.
    """
    positions = {node: number for number, node in enumerate(order)}
    upstream, opaque = _seen(project, positions.keys())
    found: dict[str, set[str]] = {node: set() for node in order}
    for node in order:
        reads = {*upstream[node], *(read for check in checks.get(node, ()) for read in _reads(check))}
        above = _above(reads - {node}, upstream, opaque)
        for other in (above & positions.keys()) - {node}:
            earlier, later = sorted((node, other), key=positions.__getitem__)
            found[later].add(earlier)
    return {node: frozenset(others) for node, others in found.items()}


def _seen(project: Project, made: Set[str]) -> tuple[Mapping[str, Set[str]], Set[str]]:
    """Return what each node reads, and the nodes through which nobody has to look for more.

    As a rule these are all that are made: each of them waits for what is above it. But a source may be the table of a
    model, which the graph does not know; where such a table is made, its rows are seen through views as well.
    """
    named = {project.relation(name).folded: name for name in (*project.models, *project.seeds)}
    upstream: dict[str, Set[str]] = dict(project.graph.upstream)
    hidden = set()
    for node, source in project.sources.items():
        name = named.get(source.relation.folded)
        if name is not None and name not in upstream[node]:
            upstream[node] = upstream[node] | {name}
            hidden.add(name)
    if not hidden & made:
        return upstream, made
    kept = (Materialized.TABLE, Materialized.INCREMENTAL)
    tables = {name for name, model in project.models.items() if model.materialized in kept}
    return upstream, made & (tables | project.seeds.keys())


def _above(reads: Iterable[str], upstream: Mapping[str, Set[str]], opaque: Container[str]) -> set[str]:
    """Return what is read and what is above it, up to the first opaque nodes on each way."""
    seen: set[str] = set()
    waiting = list(reads)
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting += () if node in opaque else upstream[node]
    return seen


def _reads(check: Check) -> set[str]:
    return {*check.nodes, *(other.node for other in others_of(check))}
