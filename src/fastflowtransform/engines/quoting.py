"""Names and texts as standard SQL writes them."""

from __future__ import annotations

from fastflowtransform.errors import EngineError


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


def require_no_nul(sql: str) -> None:
    """Raise `EngineError` for a statement with a NUL character, behind which a driver would send no more."""
    if "\0" in sql:
        raise EngineError(
            "the statement holds a NUL character, behind which it would be cut off",
            hint="take the character out of the text, the variable or the option that has it",
        )
