"""Comparisons: of equal families of types; of texts, by code point."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from fastflowtransform.translation.collation import by_code_point
from fastflowtransform.translation.kinds import NUMBERS, SORTED, TIMES, Kind, kind
from fastflowtransform.translation.rule import Refused, rule
from fastflowtransform.translation.write import literal_text


def comparable(to: str, one: Any, other: Any) -> tuple[Any, Any]:
    """Return both sides, a written-out text as a value of the other side's type.

    Raises
    ------
    Refused
        The types are of two families, or their order is not the same everywhere.
    """
    left, right = kind(one), kind(other)
    if Kind.NULL in (left, right):
        return one, other
    if left is Kind.TEXT and right is not Kind.TEXT and literal_text(one) is not None:
        return _typed(to, one, other), other
    if right is Kind.TEXT and left is not Kind.TEXT and literal_text(other) is not None:
        return one, _typed(to, other, one)
    if Kind.UNKNOWN in (left, right):
        raise Refused("the type of one side is not known", instead="cast it")
    families = ({left, right} <= NUMBERS) or ({left, right} <= TIMES) or left is right
    if not families or left not in SORTED | {Kind.INTERVAL, Kind.BYTES}:
        raise Refused(f"it compares {left} with {right}", instead="cast one side")
    return one, other


def _typed(to: str, literal: Any, other: Any) -> Any:
    from fastflowtransform.translation.rules.cast import converted

    assert other.type is not None
    if kind(other) in (Kind.UNKNOWN, Kind.LIST, Kind.STRUCT, Kind.MAP, Kind.JSON, Kind.INTERVAL):
        raise Refused(f"it compares a text with {kind(other)}", instead="cast one side")
    made = converted(to, literal, other.type)
    made._type = other.type
    return made


def _compare(to: str, node: Any) -> Any:
    if isinstance(node, exp.EQ) and isinstance(node.expression, exp.Any):
        return _any_of(to, node.this, node.expression.this)
    one, other = comparable(to, node.this, node.expression)
    if isinstance(node, exp.LT | exp.LTE | exp.GT | exp.GTE):
        one = by_code_point(to, one)
    return type(node)(this=one.copy(), expression=other.copy())


def _any_of(to: str, this: Any, listed: Any) -> Any:
    """Return whether a value is one of those that are written out."""
    inner = listed.unnest() if isinstance(listed, exp.Paren) else listed
    if not isinstance(inner, exp.Array) or not inner.expressions:
        raise Refused("it is any of a list that is not written out", instead="list_contains(…, …), or in (…)")
    made = [comparable(to, this, each)[1].copy() for each in inner.expressions]
    return exp.In(this=this.copy(), expressions=made)


def _any(to: str, node: Any) -> Any:
    return node


def _between(to: str, node: Any) -> Any:
    if node.args.get("symmetric"):
        raise Refused("BETWEEN SYMMETRIC")
    this, low = comparable(to, node.this, node.args["low"])
    this, high = comparable(to, this, node.args["high"])
    return exp.Between(this=by_code_point(to, this).copy(), low=low.copy(), high=high.copy())


def _in(to: str, node: Any) -> Any:
    if node.args.get("unnest") or node.args.get("field"):
        raise Refused()
    if kind(node.this) is Kind.STRUCT or isinstance(node.this, exp.Tuple):
        raise Refused("in a row, DuckDB finds NULL equal to NULL", instead="compare column by column")
    if query := node.args.get("query"):
        inner = query.unnest()
        first = inner.selects[0]
        comparable(to, node.this, first.unalias() if first.type is None else first)
        return node
    made = [comparable(to, node.this, each)[1].copy() for each in node.expressions]
    return exp.In(this=node.this.copy(), expressions=made)


RULES = (
    rule(_compare, exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.NullSafeEQ, exp.NullSafeNEQ),
    rule(_between, exp.Between),
    rule(_any, exp.Any),
    rule(_in, exp.In),
)
