"""Before which table's rows are published each check is asked, and which table is made before which for that. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from fastflowtransform import graph as graphs
from fastflowtransform.declared import others_of
from fastflowtransform.model import Check
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
        reads = {*check.nodes, *(other.node for other in others_of(check))} & positions.keys()
        found.setdefault(max(reads, key=positions.__getitem__), []).append(check)
    return {node: tuple(asked) for node, asked in found.items()}
