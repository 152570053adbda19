"""Which node can start next: one for which all that it waits for has ended. Pure, and without a notion of a node."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType


class Ready:
    """The nodes of an order that can start, the first of the order first; one by one, they come in just that order.

    Parameters
    ----------
    order
        All nodes, each after those that it waits for.
    waits
        For a node, those that have to end before it starts; others than those of `order` keep nobody waiting.

    Examples
    --------
    >>> ready = Ready(["a", "b", "c"], {"b": {"a"}})
    >>> ready.next(), ready.next(), ready.next()
    ('a', 'c', None)
    >>> ready.ended("a")
    >>> ready.next()
    'b'
    """

    def __init__(self, order: Sequence[str], waits: Mapping[str, Iterable[str]] = MappingProxyType({})) -> None:
        self.order = tuple(order)
        self._places = {node: place for place, node in enumerate(self.order)}
        self._below: dict[str, list[str]] = {}
        self._missing: dict[str, int] = {}
        for node in self.order:
            above = {other for other in waits.get(node, ()) if other in self._places}
            self._missing[node] = len(above)
            for other in above:
                self._below.setdefault(other, []).append(node)
        self._free = [place for place, node in enumerate(self.order) if not self._missing[node]]
        self._left = len(self.order)

    @property
    def is_over(self) -> bool:
        """Whether all nodes have ended."""
        return not self._left

    def next(self) -> str | None:
        """Take the first node that can start; None where each one waits, has started or has ended."""
        return self.order[heapq.heappop(self._free)] if self._free else None

    def returned(self, node: str) -> None:
        """Take back a node that was not started after all."""
        heapq.heappush(self._free, self._places[node])

    def ended(self, node: str) -> None:
        """Note that a node has ended, however it did."""
        self._left -= 1
        for other in self._below.get(node, ()):
            self._missing[other] -= 1
            if not self._missing[other]:
                heapq.heappush(self._free, self._places[other])
