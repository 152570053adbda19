"""The comments of a SQL text, found without a parser, and what a template does to them."""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r"""
    (?P<line>--[^\n]*)
    | (?P<block>/\*)
    | (?P<dollar>\$(?:[A-Za-z_]\w*)?\$)
    | (?P<quoted>'(?:[^']|'')*' | "(?:[^"]|"")*" | `[^`]*`)
    """,
    re.VERBOSE,
)
_ESCAPING = _TOKEN.pattern.replace("'(?:[^']|'')*'", r"'(?:[^'\\]|\\.|'')*'")
_WITH_BACKSLASHES = re.compile(_ESCAPING, re.VERBOSE | re.DOTALL)
_BLOCK = re.compile(r"/\*|\*/")
_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_BLANK = re.compile(r"\s+")


def comments(sql: str, *, backslashes: bool = False) -> Iterator[tuple[int, int]]:
    r"""Yield where each comment begins and ends.

    Parameters
    ----------
    sql
        The text; block comments may be nested.
    backslashes
        Whether a backslash in a text takes away the meaning of the character behind it, as in Spark.

    Examples
    --------
    >>> sql = "select '--', 1 -- one\n/* a /* b */ c */"
    >>> [sql[begin:end] for begin, end in comments(sql)]
    ['-- one', '/* a /* b */ c */']
    """
    pattern = _WITH_BACKSLASHES if backslashes else _TOKEN
    end = 0
    while (found := pattern.search(sql, end)) is not None:
        begin, end = found.span()
        if found.lastgroup == "line":
            yield begin, end
        elif found.lastgroup == "block":
            end = _end_of_block(sql, end)
            yield begin, end
        elif found.lastgroup == "dollar":
            closing = sql.find(found[0], end)
            end = len(sql) if closing < 0 else closing + len(found[0])


def _end_of_block(sql: str, end: int) -> int:
    depth = 1
    while depth and (found := _BLOCK.search(sql, end)) is not None:
        depth += 1 if found[0] == "/*" else -1
        end = found.end()
    return len(sql) if depth else end


def comment_around(place: int, text: str) -> int | None:
    """Return where the comment begins that holds a place of a template's text; None where none does for certain."""
    blank = _TAG.sub(lambda tag: re.sub(r"[^\n]", " ", tag[0]), text)
    begins = [
        next((begin for begin, end in comments(blank, backslashes=backslashes) if begin <= place < end), None)
        for backslashes in (False, True)
    ]
    return begins[0] if None not in begins else None


def swallowed(trimmed: str, whole: str) -> tuple[str, str] | None:
    """Return a comment, and the SQL behind it that became a part of it where line breaks were taken away.

    Parameters
    ----------
    trimmed
        What a template gives.
    whole
        The same, with all of its blanks and line breaks.

    Examples
    --------
    >>> swallowed("-- noteselect 1", "-- note\\n select 1")
    ('-- note', 'select 1')
    >>> swallowed("-- note select 1", "-- note  select 1") is None
    True
    """
    found = [_swallowed(trimmed, whole, backslashes=backslashes) for backslashes in (False, True)]
    return found[0] if None not in found else None


def _swallowed(trimmed: str, whole: str, *, backslashes: bool) -> tuple[str, str] | None:
    before, after = (list(comments(sql, backslashes=backslashes)) for sql in (whole, trimmed))
    if _code(whole, before) == _code(trimmed, after):
        return None
    known = {_BLANK.sub("", whole[begin:end]): whole[begin:end].rstrip() for begin, end in before}
    for begin, end in after:
        comment = _BLANK.sub("", trimmed[begin:end])
        begins = [key for key in known if comment.startswith(key) and comment != key]
        if comment not in known and begins:
            own = known[max(begins, key=len)]
            return own, _behind(trimmed[begin:end], own)
    return None


def _behind(comment: str, own: str) -> str:
    """Return the rest of a comment behind its own text, in which blanks may differ."""
    letters, place = len(_BLANK.sub("", own)), 0
    while letters:
        letters -= not comment[place].isspace()
        place += 1
    return comment[place:].strip()


def _code(sql: str, found: list[tuple[int, int]]) -> str:
    """Return a text without its comments and blanks."""
    parts, place = [], 0
    for begin, end in found:
        parts.append(sql[place:begin])
        place = end
    return _BLANK.sub("", "".join([*parts, sql[place:]]))
