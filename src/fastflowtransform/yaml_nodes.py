"""Keeps the nodes of a YAML document within bounds, before values are made of them.

An alias can stand for the mapping that it is in, and a few aliases of aliases for more values than a machine holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import yaml

DEEPEST = 100
"""Lists and mappings that may stand in each other."""
MOST = 100_000
"""Values that aliases may stand for, where these are over ten times what is written."""


def bounded_node(loading: yaml.SafeLoader) -> yaml.Node | None:
    """Return the top node of a text; None where it is empty.

    Raises
    ------
    yaml.MarkedYAMLError
        The text is not YAML, is nested too deeply, or its aliases have no end, or stand for too much.

    Examples
    --------
    >>> import yaml
    >>> bounded_node(yaml.SafeLoader("a: &a [*a]"))
    Traceback (most recent call last):
    ...
    yaml.constructor.ConstructorError: an alias stands for what it is a part of
      in "<unicode string>", line 1, column 4:
        a: &a [*a]
           ^
    """
    from yaml.constructor import ConstructorError

    try:
        node = loading.get_single_node()
    except RecursionError:
        raise ConstructorError(None, None, "it is nested too deeply", None) from None
    if node is not None:
        sizes: dict[int, int] = {}
        size = _size(node, sizes, [])
        if size > MOST and size > 10 * len(sizes):
            problem = f"its aliases stand for {size} values, which is more than {MOST}"
            raise ConstructorError(None, None, problem, node.start_mark)
    return node


def _size(node: yaml.Node, sizes: dict[int, int], above: list[int]) -> int:
    """Return how many values a node stands for; each node is looked at once."""
    from yaml.constructor import ConstructorError

    if id(node) in above:
        raise ConstructorError(None, None, "an alias stands for what it is a part of", node.start_mark)
    if id(node) not in sizes:
        if len(above) > DEEPEST:
            raise ConstructorError(None, None, f"it is nested more than {DEEPEST} deep", node.start_mark)
        sizes[id(node)] = 1 + sum(_size(part, sizes, [*above, id(node)]) for part in _parts(node))
    return sizes[id(node)]


def _parts(node: yaml.Node) -> Iterator[yaml.Node]:
    import yaml

    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from (key, value)
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value
