"""Numbers: plus, minus, times; division, which gives a double; whole division and the rest, NULL for a divisor of 0."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from fastflowtransform.translation.kinds import NUMBERS, Kind, kind
from fastflowtransform.translation.rule import Refused, rule
from fastflowtransform.translation.rules.dates import plus_minus
from fastflowtransform.translation.write import fragment, whole

_DOUBLE = {"postgres": "double precision", "spark": "double"}


def as_double(to: str, node: Any) -> Any:
    """Return a number as a double."""
    if kind(node) is Kind.FLOAT and "FLOAT" not in str(node.type):
        return node
    return fragment(to, f"CAST(_0 AS {_DOUBLE[to]})", node)


def _numbers(node: Any) -> bool:
    return {kind(node.this), kind(node.expression)} <= NUMBERS | {Kind.NULL}


def _plus_minus_times(to: str, node: Any) -> Any:
    if _numbers(node):
        return type(node)(this=node.this.copy(), expression=node.expression.copy())
    return plus_minus(to, node)


def _divided(to: str, node: Any) -> Any:
    if not _numbers(node):
        raise Refused(f"it divides {kind(node.this)} by {kind(node.expression)}")
    return fragment(to, "_0 / _1", as_double(to, node.this), as_double(to, node.expression))


def _not_zero(to: str, node: Any) -> Any:
    return (
        node
        if whole(node) or (isinstance(node, exp.Literal) and float(node.name))
        else fragment(to, "NULLIF(_0, 0)", node)
    )


def _whole_division(to: str, node: Any) -> Any:
    if {kind(node.this), kind(node.expression)} != {Kind.INTEGER}:
        raise Refused("it is the same for whole numbers only", instead="cast(trunc(a / b) as bigint)")
    words = {"postgres": "_0 / _1", "spark": "_0 DIV _1"}
    return fragment(to, words[to], node.this, _not_zero(to, node.expression))


def _rest(to: str, node: Any) -> Any:
    if not _numbers(node) or Kind.FLOAT in (kind(node.this), kind(node.expression)):
        raise Refused("it is the same for whole numbers and decimals only")
    return fragment(to, "_0 % _1", node.this, _not_zero(to, node.expression))


def _negated(to: str, node: Any) -> Any:
    if kind(node.this) not in NUMBERS | {Kind.NULL}:
        raise Refused(f"a minus before {kind(node.this)}")
    return node


RULES = (
    rule(_plus_minus_times, exp.Add, exp.Sub, exp.Mul),
    rule(_divided, exp.Div),
    rule(_whole_division, exp.IntDiv),
    rule(_rest, exp.Mod),
    rule(_negated, exp.Neg),
)
