"""Tags that take away the blanks and line breaks beside them, such as `{%- … -%}`, and what they do to comments of SQL.

A comment from `--` on ends with its line. Where a tag takes the end of that line away, the SQL below becomes a part of
the comment, and the model is another one or none.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from fastflowtransform.errors import Location, SwallowedSql
from fastflowtransform.sql_comments import swallowed
from fastflowtransform.template import Scope, Template, compile_template

_TRIMMING = re.compile(r"\{[{%#]-|-[}%#]\}")


def require_whole_comments(sql: str, template: Template, scope: Scope, functions: Mapping[str, Any]) -> None:
    """Raise `SwallowedSql` where SQL became a part of a comment in what a template gave.

    Parameters
    ----------
    sql
        What it gave.
    template, scope
        The template, and what it sees.
    functions
        What else it sees; they may be called again.
    """
    texts = (template, *scope.macros)
    if "--" not in sql or not any(_TRIMMING.search(each.text) for each in texts) or _are_as_written(sql, texts):
        return
    own, *macros = (_untrimmed(each.text, each.at) for each in texts)
    found = swallowed(sql, own.render(replace(scope, macros=tuple(macros)).context(functions)))
    if found is None:
        return
    comment, behind = found
    places = [each.line(_line_of(comment, each.text)) for each in texts if comment in each.text]
    raise SwallowedSql(
        f'the comment "{comment}" swallows "{_short(behind)}": a tag with a "-" takes away the end of its line',
        at=places[0] if places else template.at,
        hint='write "{%" for "{%-" below the comment, or write the comment as {# … #}',
    )


def _are_as_written(sql: str, texts: Iterable[Template]) -> bool:
    """Whether each line of the SQL ends, from `--` on, as a line of a text does: then none can have taken up more."""
    return _line_ends(sql) <= frozenset().union(*(_kept_line_ends(each.text) for each in texts))


def _line_ends(text: str) -> frozenset[str]:
    return frozenset(line[line.index("--") :].rstrip() for line in text.splitlines() if "--" in line)


_kept_line_ends = functools.lru_cache(maxsize=1024)(_line_ends)


@functools.lru_cache(maxsize=1024)
def _untrimmed(text: str, at: Location) -> Template:
    """Return the template of a text in which no tag takes away anything beside it."""
    import jinja2

    parts, place = list[str](), 0
    # Jinja's tokens are the text, but for what is taken away.
    for _, kind, token in jinja2.Environment(keep_trailing_newline=True).lexer.tokeniter(text, None):
        begin = text.index(token, place)
        parts += [text[place:begin], _without_minus(kind, token)]
        place = begin + len(token)
    return compile_template("".join([*parts, text[place:]]), at)


def _without_minus(kind: str, token: str) -> str:
    if kind.endswith("_begin"):
        return re.sub(r"^(\{[{%#])-", r"\1 ", token)
    return re.sub(r"-([}%#]\})", r" \1", token, count=1) if kind.endswith("_end") else token


def _line_of(part: str, text: str) -> int:
    return text.count("\n", 0, text.index(part)) + 1


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:60]}…"
