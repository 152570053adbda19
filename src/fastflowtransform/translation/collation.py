"""The order of texts: by code point, whatever the database's collation."""

from __future__ import annotations

from sqlglot import exp

from fastflowtransform.translation.kinds import Kind, kind

_BY_LOCALE = {"postgres"}
"""Targets whose databases order texts by a language's rules."""


def by_code_point(to: str, node: exp.Expr) -> exp.Expr:
    """Return a text that is compared by code point; other values as they are."""
    if to not in _BY_LOCALE or kind(node) is not Kind.TEXT:
        return node
    made = exp.Collate(this=node.copy(), expression=exp.to_identifier("C", quoted=True))
    made._type = node.type
    return made


def as_before(to: str, node: exp.Expr, like: exp.Expr) -> exp.Expr:
    """Return a text that was found by code point with the database's collation, which its column is to have."""
    if to not in _BY_LOCALE or kind(like) is not Kind.TEXT:
        return node
    return exp.Collate(this=node, expression=exp.to_identifier("default", quoted=True))
