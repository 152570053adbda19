"""Names and texts as standard SQL writes them."""

from __future__ import annotations


def quoted(name: str) -> str:
    """Return a name in double quotes.

    Examples
    --------
    >>> print(quoted('say "hi"'))
    "say ""hi""\"
    """
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text in single quotes.

    Examples
    --------
    >>> print(literal("O'Hara"))
    'O''Hara'
    """
    return "'" + text.replace("'", "''") + "'"
