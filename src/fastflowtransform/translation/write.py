"""How rules write the target's SQL: small texts with places for the parts of an expression."""

from __future__ import annotations

import functools
import re

import sqlglot
from sqlglot import exp

_PLACE = re.compile(r"_\d+")
_CLOSED = (
    exp.Collate,
    exp.Func,
    exp.Column,
    exp.Literal,
    exp.Paren,
    exp.Case,
    exp.Null,
    exp.Boolean,
    exp.Subquery,
    exp.Cast,
)


class Raw(exp.Func):
    """A call that no generator changes: its name and arguments are written as they are."""

    arg_types = {"this": True, "expressions": False}
    is_var_len_args = True


def fragment(dialect: str, text: str, *parts: exp.Expr) -> exp.Expr:
    """Return an expression from its SQL in the target's dialect; `_0`, `_1` are places for `parts`.

    Examples
    --------
    >>> fragment("spark", "date_add(_0, _1)", exp.column("d"), exp.Literal.number(1)).sql("spark")
    'DATE_ADD(d, 1)'
    """
    made = _parsed(dialect, text).copy()
    for place in [made] if isinstance(made, exp.Column) else list(made.find_all(exp.Column)):
        if _PLACE.fullmatch(place.name):
            part = parts[int(place.name[1:])].copy()
            put = part if isinstance(part, _CLOSED) or isinstance(place.parent, exp.Func) else exp.Paren(this=part)
            if place is made:
                return put
            place.replace(put)
    return made if isinstance(made, _CLOSED) else exp.Paren(this=made)


@functools.lru_cache(maxsize=1024)
def _parsed(dialect: str, text: str) -> exp.Expr:
    return sqlglot.parse_one(text, read=dialect)


def call(name: str, *arguments: exp.Expr) -> exp.Expr:
    """Return a call that is written as it is."""
    return exp.Anonymous(this=name, expressions=[argument.copy() for argument in arguments])


def text(value: str) -> exp.Expr:
    """Return a text as a literal."""
    return exp.Literal.string(value)


def number(value: int) -> exp.Expr:
    """Return a whole number as a literal."""
    return exp.Literal.number(value)


def whole(node: exp.Expr | None) -> int | None:
    """Return the value of a whole number that is written out; None for anything else."""
    if isinstance(node, exp.Paren):
        return whole(node.this)
    if isinstance(node, exp.Neg):
        inner = whole(node.this)
        return None if inner is None else -inner
    if isinstance(node, exp.Literal) and not node.is_string and node.name.isdigit():
        return int(node.name)
    return None


def literal_text(node: exp.Expr | None) -> str | None:
    """Return the value of a text that is written out; None for anything else."""
    return node.name if isinstance(node, exp.Literal) and node.is_string else None
