"""Python's format codes for times, in the patterns of PostgreSQL's `to_char` and of Java.

A code that an engine cannot write as Python does has no pattern here, and is refused: an engine that does not know a
code writes it as it is, or nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_PART = re.compile(r"%-?.?|[^%]+", re.DOTALL)

POSTGRES: Mapping[str, str] = {
    "%Y": "YYYY",
    "%y": "YY",
    "%G": "IYYY",
    "%m": "MM",
    "%-m": "FMMM",
    "%B": "FMMonth",
    "%b": "Mon",
    "%d": "DD",
    "%-d": "FMDD",
    "%j": "DDD",
    "%-j": "FMDDD",
    "%V": "IW",
    "%u": "ID",
    "%A": "FMDay",
    "%a": "Dy",
    "%H": "HH24",
    "%-H": "FMHH24",
    "%I": "HH12",
    "%-I": "FMHH12",
    "%p": "AM",
    "%M": "MI",
    "%-M": "FMMI",
    "%S": "SS",
    "%-S": "FMSS",
    "%f": "US",
}
JAVA: Mapping[str, str] = {
    "%Y": "yyyy",
    "%y": "yy",
    "%m": "MM",
    "%-m": "M",
    "%B": "MMMM",
    "%b": "MMM",
    "%d": "dd",
    "%-d": "d",
    "%j": "DDD",
    "%-j": "D",
    "%A": "EEEE",
    "%a": "EEE",
    "%H": "HH",
    "%-H": "H",
    "%I": "hh",
    "%-I": "h",
    "%p": "a",
    "%M": "mm",
    "%-M": "m",
    "%S": "ss",
    "%-S": "s",
    "%f": "SSSSSS",
}

_SHORT = {"%F": "%Y-%m-%d", "%T": "%H:%M:%S", "%R": "%H:%M", "%D": "%m/%d/%y", "%h": "%b", "%n": "\n", "%t": "\t"}
_ONLY_WRITTEN = {"%y", "%G", "%V", "%u", "%A", "%a"}


class UnknownCode(ValueError):
    """A format code that an engine has no pattern for."""


def to_char_pattern(text: str, *, parse: bool = False) -> str:
    """Return a format in the pattern of PostgreSQL's `to_char`, or of `to_timestamp` with `parse`.

    Examples
    --------
    >>> to_char_pattern("%Y-%m %p")
    'YYYY"-"MM" "AM'

    Raises
    ------
    UnknownCode
        PostgreSQL has no pattern for one of the codes.
    """
    quoted = [
        POSTGRES[part] if is_code else '"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"'
        for part, is_code in _known(text, POSTGRES, parse=parse)
    ]
    # Two patterns side by side could be read as a third one: DD and D as DDD.
    return "".join(_apart(quoted, '"', '""'))


def java_patterns(text: str, *, parse: bool = False) -> list[str]:
    """Return a format as patterns of Java, whose texts are to be put together.

    Examples
    --------
    >>> java_patterns("%Y-%m %p")
    ["yyyy'-'MM' 'a"]
    >>> java_patterns("%d%-d")
    ['dd', 'd']

    Raises
    ------
    UnknownCode
        Java has no pattern for one of the codes.
    """
    patterns = [""]
    for part, is_code in _known(text, JAVA, parse=parse):
        written = JAVA[part] if is_code else "'" + part.replace("'", "''") + "'"
        # The same letter twice would be one longer pattern, and two quotes side by side are a quote.
        if patterns[-1] and patterns[-1][-1] == written[0]:
            patterns.append("")
        patterns[-1] += written
    return patterns


def _known(text: str, patterns: Mapping[str, str], *, parse: bool) -> Iterator[tuple[str, bool]]:
    """Yield each code, and each text between codes, with whether it is a code."""
    for short, long in _SHORT.items():
        text = re.sub(rf"(?<!%)((?:%%)*){short}", rf"\1{long}", text)
    literal = ""
    for part in _PART.findall(text):
        if not part.startswith("%"):
            literal += part
        elif part == "%%":
            literal += "%"
        elif part not in patterns or (parse and part in _ONLY_WRITTEN):
            raise UnknownCode(part)
        else:
            if literal:
                yield literal, False
            literal = ""
            yield part, True
    if literal:
        yield literal, False


def _apart(parts: list[str], quote: str, between: str) -> Iterator[str]:
    before = quote
    for part in parts:
        if not before.endswith(quote) and not part.startswith(quote):
            yield between
        yield part
        before = part
