"""Messages of drivers, of which people are to read what is wrong and not where a driver found it."""

from __future__ import annotations

from collections.abc import Sequence


def whole_line(lines: Sequence[str], start: int = 0) -> str:
    """Return a line of a message, with those after it where it ends in a colon: they say what it is about.

    Parameters
    ----------
    lines
        The message; an empty line ends what belongs together.
    start
        The line's place.

    Examples
    --------
    >>> whole_line(["Error: a row breaks the rule with values:", " - id : 1", " - v : 2", "", "at line 3"])
    'Error: a row breaks the rule with values: - id : 1 - v : 2'
    >>> whole_line(["no such table", "at line 1"]), whole_line(["cannot write:"])
    ('no such table', 'cannot write, and the driver does not say why')
    """
    found = lines[start].strip()
    if not found.endswith(":"):
        return found
    more: list[str] = []
    for line in lines[start + 1 :]:
        if not line.strip():
            break
        more.append(line.strip())
    return " ".join([found, *more]) if more else f"{found.rstrip(': ')}, and the driver does not say why"
