r"""Regular expressions that mean the same wherever they are matched.

Engines agree on most of what everyday patterns are made of, and not on what `.`, `$`, `\d`, `\w` and `\s` match.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKEN = re.compile(r"\\.|\[:\w+:\]|.", re.DOTALL)
_DOT_IS_ANYTHING = re.compile(r"\(\?[a-z]*s")

NUMBER = r"^\s*[+-]?([0-9]+(_[0-9]+)*([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]{1,3})?\s*$"
DAY = r"^\s*[0-9]{4}([-/])[0-9]{1,2}\1[0-9]{1,2}\s*$"
"""Texts that `try_cast` reads as a number and as a day, on every engine as DuckDB does."""

_SETS = {r"\d": "0-9", r"\w": "A-Za-z0-9_", r"\s": r" \t\n\r\f\v"}


def portable(pattern: str) -> str:
    r"""Return a pattern whose classes are spelt out: `\d`, `\w` and `\s` are ASCII's, and `.` is all but a line break.

    Examples
    --------
    >>> print(portable(r"^\w+\.[\d.]$"))
    ^[A-Za-z0-9_]+\.[0-9.]$
    >>> print(portable(r".\D"))
    [^\n][^0-9]
    """
    dot = "." if _DOT_IS_ANYTHING.match(pattern) else r"[^\n]"
    parts = []
    for token, in_set in _tokens(pattern):
        if token in _SETS:
            parts.append(_SETS[token] if in_set else f"[{_SETS[token]}]")
        elif not in_set and token.lower() in _SETS:
            parts.append(f"[^{_SETS[token.lower()]}]")
        else:
            parts.append(dot if token == "." and not in_set else token)
    return "".join(parts)


def for_java(pattern: str) -> str:
    r"""Return a pattern for Java, where `$` matches before a last line break too, and `\v` is not one character.

    Examples
    --------
    >>> print(for_java(r"^[$\v]\$$"))
    ^[$\x0B]\$\z
    """
    words = {r"\v": r"\x0B", "$": r"\z"}
    return "".join(token if in_set and token == "$" else words.get(token, token) for token, in_set in _tokens(pattern))


def _tokens(pattern: str) -> Iterator[tuple[str, bool]]:
    """Yield each character, escape and named class, and whether it stands in a set such as `[a-z]`."""
    begin = None
    for found in _TOKEN.finditer(pattern):
        token, place = found[0], found.start()
        inside = begin is not None
        yield token, inside
        if begin is None:
            begin = place if token == "[" else None
        elif token == "]" and pattern[begin:place] not in ("[", "[^"):
            begin = None
