"""Templates that need no Jinja: texts with names and calls in them, whose arguments are literals.

Most of a project's templates are such texts, and the import of Jinja alone takes longer than to read a hundred of them.
What is read here is a part of Jinja's grammar, and means the same; the rest is left to Jinja.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_SCALAR = r"""(?:'[^'\\{}]*'|"[^"\\{}]*"|(?:0|[1-9][0-9]*)(?![\w.])|(?:[Tt]rue|[Ff]alse|[Nn]one)(?!\w))"""
_VALUE = rf"(?:{_SCALAR}|\[\s*{_SCALAR}\s*(?:,\s*{_SCALAR}\s*)*\])"
_ARGUMENT = rf"(?:({_NAME})\s*=\s*)?({_VALUE})"
_TAG = re.compile(
    rf"\{{\{{\s*({_NAME})[ \t]*(?:(\()\s*((?:(?:{_NAME}\s*=\s*)?{_VALUE}\s*(?:,\s*|(?=\))))*)\))?\s*\}}\}}"
)
_EACH = re.compile(_ARGUMENT)
_EACH_SCALAR = re.compile(_SCALAR)
_CONSTANTS = {"true": True, "false": False, "none": None}
_KEYWORDS = frozenset({"and", "else", "if", "in", "is", "not", "or", *_CONSTANTS, *map(str.title, _CONSTANTS)})


@dataclass(frozen=True, slots=True)
class Tag:
    """A name in a text, or a call.

    Parameters
    ----------
    name
        The name.
    line
        Its line in the text, from 1.
    arguments, named
        What it is called with; None where it is not called.
    """

    name: str
    line: int
    arguments: tuple[Any, ...] | None
    named: dict[str, Any]


def read(text: str) -> list[str | Tag] | None:
    """Return what a text consists of; None where Jinja has to say.

    Examples
    --------
    >>> read("select * from {{ ref('orders', version=2) }}")
    ['select * from ', Tag(name='ref', line=1, arguments=('orders',), named={'version': 2})]
    >>> read("select {{ 1 + 1 }}") is None
    True
    """
    if "{%" in text or "{#" in text or "\r" in text:
        return None
    parts: list[str | Tag] = []
    end = line = 0
    while (begin := text.find("{{", end)) >= 0:
        if (found := _TAG.match(text, begin)) is None or (tag := _tag(found, text, line, end)) is None:
            return None
        if begin > end:
            parts.append(text[end:begin])
        parts.append(tag)
        line, end = line + text.count("\n", end, found.end()), found.end()
    return [*parts, text[end:]] if end < len(text) else parts


def _tag(found: re.Match[str], text: str, line: int, end: int) -> Tag | None:
    """Return a tag; `line` newlines stand before the place `end` of the text."""
    name, called, given = found.groups()
    if name in _KEYWORDS:
        return None
    at = line + 1 + text.count("\n", end, found.end(1))
    if called is None:
        return Tag(name, at, None, {})
    arguments: list[Any] = []
    named: dict[str, Any] = {}
    for key, value in _EACH.findall(given):
        if key in named or key in _KEYWORDS or (named and not key):
            return None
        if key:
            named[key] = _value(value)
        else:
            arguments.append(_value(value))
    return Tag(name, at, tuple(arguments), named)


def _value(written: str) -> Any:
    if written[0] == "[":
        return [_value(each) for each in _EACH_SCALAR.findall(written)]
    if written[0] in "'\"":
        return written[1:-1]
    return int(written) if written[0].isdigit() else _CONSTANTS[written.lower()]
