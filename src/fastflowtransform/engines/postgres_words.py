"""Words of a SQL text that PostgreSQL does not know: found without the tables that the text reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from fastflowtransform.engines.quoting import literal


def unknown(text: str, rows: Callable[[str], list[tuple[Any, ...]]]) -> list[str]:
    """Return the functions and types of a SELECT that the server does not have, in the order of the text.

    Parameters
    ----------
    text
        One SELECT.
    rows
        Runs a query on the catalog.
    """
    wanted = dict.fromkeys(_words(text))
    if not wanted:
        return []
    names = ", ".join(map(literal, wanted))
    known = rows(
        f"SELECT proname AS word FROM pg_proc WHERE proname IN ({names}) "
        f"UNION SELECT typname FROM pg_type WHERE typname IN ({names}) "
        f"UNION SELECT word FROM pg_get_keywords() WHERE word IN ({names})"
    )
    return [word for word in wanted if (word,) not in known]


def _words(text: str) -> Iterator[str]:
    """Yield what stands in front of a parenthesis, and types of one word, less the names that the text gives itself."""
    import sqlglot
    from sqlglot import exp

    tree = sqlglot.parse_one(text, read="postgres")
    own = {alias.name.lower() for alias in tree.find_all(exp.TableAlias)}
    tokens = sqlglot.tokenize(text, read="postgres")
    for token, following in zip(tokens, tokens[1:], strict=False):
        word = token.text.lower()
        if following.token_type is sqlglot.TokenType.L_PAREN and word.isidentifier() and word not in own:
            yield word
    for dtype in tree.find_all(exp.DataType):
        word = dtype.sql(dialect="postgres").lower()
        if word.isidentifier() and word not in own:
            yield word
