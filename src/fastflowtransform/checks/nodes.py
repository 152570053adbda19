"""The other table that a check reads, beside the one that it is about."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fastflowtransform.document import Section

_REF = re.compile(r"""\s*ref\(\s*(["'])(?P<name>[^"']+)\1\s*\)\s*""")
_SOURCE = re.compile(r"""\s*source\(\s*(["'])(?P<name>[^"']+)\1\s*,\s*(["'])(?P<table>[^"']+)\3\s*\)\s*""")


@dataclass(frozen=True, slots=True)
class Other:
    """A model, seed or source by its name in the graph; `failing_rows` takes its table, after the one it is about.

    `where` is a condition in the engine's SQL: only such rows of it count.
    """

    node: str
    where: str | None = None


def read_other(section: Section) -> Other:
    """Return what stands under `to` and `to_where`.

    `to` is a model or seed, or a source as `source:raw.orders`; Jinja's forms are read too.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastflowtransform.errors import Location
    >>> [
    ...     read_other(Section({"to": text}, Location(Path("project.yml")), "check")).node
    ...     for text in ("orders", "ref('orders.ff')", "source('raw', 'orders')", "source:raw.orders")
    ... ]
    ['orders', 'orders', 'source:raw.orders', 'source:raw.orders']
    """
    text, where = section.required_text("to"), section.text("to_where")
    if (found := _SOURCE.fullmatch(text)) is not None:
        return Other(f"source:{found['name']}.{found['table']}", where)
    found = _REF.fullmatch(text)
    return Other((found["name"] if found else text.strip()).removesuffix(".ff"), where)
