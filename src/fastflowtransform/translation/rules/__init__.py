"""The rules, one file for each kind of construct, and the index in which a part of a text is looked up."""

from __future__ import annotations

from sqlglot import exp

from fastflowtransform.translation.rule import Of, Rewrite, Rule
from fastflowtransform.translation.rules import (
    aggregates,
    arithmetic,
    cast,
    collected,
    comparison,
    date_functions,
    joins,
    json_values,
    lists,
    literals,
    ordering,
    others,
    patterns,
    rounding,
    series,
    text_functions,
    time_formats,
    try_casts,
    windows,
)

_MODULES = (
    aggregates,
    arithmetic,
    cast,
    collected,
    comparison,
    date_functions,
    joins,
    json_values,
    lists,
    literals,
    ordering,
    others,
    patterns,
    rounding,
    series,
    text_functions,
    time_formats,
    try_casts,
    windows,
)
ALL: tuple[Rule, ...] = tuple(rule for module in _MODULES for rule in module.RULES)
_REWRITES: dict[tuple[Of, str], Rewrite] = {
    (of, to): rewrite for rule in ALL for of in rule.of for to, rewrite in rule.to.items()
}
_INSTEAD: dict[Of, str | None] = {of: rule.instead for rule in ALL for of in rule.of}


def _key(node: exp.Expr) -> Of:
    return node.name.lower() if isinstance(node, exp.Anonymous) else type(node)


def find(node: exp.Expr, to: str) -> Rewrite | None:
    """Return the rewrite of a part for a target; None where no rule has one."""
    return _REWRITES.get((_key(node), to))


def instead(node: exp.Expr) -> str | None:
    """Return the portable way to write a construct; None where none is known."""
    return _INSTEAD.get(_key(node))
