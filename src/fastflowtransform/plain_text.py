"""Texts as a terminal and the log of a CI job may see them: data and names cannot steer either.

A name, a cell or a driver's message may hold what moves the cursor, what turns the direction of reading, or a line that
a CI service takes for an order. `in_line` spells these out.
"""

from __future__ import annotations

import re

_ORDER = re.compile(
    # GitHub reads `::name values::message` at the start of a line, whatever blanks stand before it.
    r"^(?P<blank>[^\S\n]*)(?P<start>:)(?=:[^\s:][^\n]*?::)"
    # Azure, GitHub's older form and TeamCity read these anywhere in a line.
    r"|(?P<anywhere>#)(?=#(?:\[|vso\[|teamcity\[))",
    re.MULTILINE,
)
_UNSEEN = re.compile(r"[^\x20-\x7e]")


def in_line(text: str) -> str:
    r"""Return a text as one line, in which all that cannot be seen is spelt out.

    Examples
    --------
    >>> in_line("a\nb\x1b[2J")
    'a\\nb\\x1b[2J'
    """
    return text if text.isprintable() else "".join(map(_spelt, text))


def in_lines(text: str) -> str:
    r"""Return a text of several lines, in which nothing else is left that steers a terminal or a CI job.

    Examples
    --------
    >>> in_lines("a\n::error::b\x1b")
    'a\n\\x3a:error::b\\x1b'
    """
    return _ORDER.sub(_spelt_order, _seen(text))


def in_sql(text: str) -> str:
    r"""Return a statement that can be copied: where a line could be an order, an empty comment stands before it.

    Examples
    --------
    >>> in_sql("select a\n::error::text")
    'select a\n/**/::error::text'
    """
    return _ORDER.sub(lambda found: "#/**/" if found["anywhere"] else f"{found['blank']}/**/:", _seen(text))


def in_json(text: str) -> str:
    r"""Return JSON whose texts mean the same, and hold nothing that steers a terminal or a CI job.

    Examples
    --------
    >>> in_json('{"a": "\x9b2J ##[error]"}')
    '{"a": "\\u009b2J \\u0023#[error]"}'
    """
    if not text.isprintable():
        text = _UNSEEN.sub(
            lambda found: found[0] if found[0].isprintable() or found[0] == "\n" else _units(found[0]), text
        )
    return text.replace("##", "\\u0023#") if "##" in text else text


def in_ascii_json(text: str) -> str:
    """Return JSON whose texts mean the same, for a reader who takes nothing but ASCII."""
    return _UNSEEN.sub(lambda found: found[0] if found[0] == "\n" else _units(found[0]), text)


def _seen(text: str) -> str:
    return text if text.isprintable() else "".join(c if c in "\n\t" else _spelt(c) for c in text)


def _spelt(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode()


def _spelt_order(found: re.Match[str]) -> str:
    return f"{found['blank'] or ''}\\x{ord(found['start'] or found['anywhere']):02x}"


def _units(character: str) -> str:
    """Return a character by its UTF-16 units, as JSON writes them."""
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
