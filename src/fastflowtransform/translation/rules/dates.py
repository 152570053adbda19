"""Dates and times: plus, minus, and the time between two of them."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from fastflowtransform.translation.kinds import TIMES, Kind, kind
from fastflowtransform.translation.rule import Refused
from fastflowtransform.translation.write import fragment


def plus_minus(to: str, node: Any) -> Any:
    """Return a sum or a difference that has a date, a time or an interval in it."""
    one, other = node.this, node.expression
    if isinstance(node, exp.Add) and kind(other) in TIMES and kind(one) not in TIMES:
        one, other = other, one
    sign = {exp.Add: "+", exp.Sub: "-"}.get(type(node))
    pair = (kind(one), kind(other))
    if sign is not None and pair == (Kind.DATE, Kind.INTEGER):
        words = {
            "postgres": f"_0 {sign} CAST(_1 AS integer)",
            "spark": f"DATE_{'ADD' if sign == '+' else 'SUB'}(_0, _1)",
        }
        return fragment(to, words[to], one, other)
    if sign is not None and pair[0] in TIMES and pair[1] is Kind.INTERVAL:
        words = {"postgres": "CAST(_0 AS timestamp)", "spark": "CAST(_0 AS timestamp_ntz)"}
        begin = fragment(to, words[to], one) if pair[0] is Kind.DATE else one
        return type(node)(this=begin.copy(), expression=other.copy())
    if sign == "-" and pair == (Kind.DATE, Kind.DATE):
        return fragment(to, {"postgres": "_0 - _1", "spark": "DATEDIFF(_0, _1)"}[to], one, other)
    if sign == "-" and pair[0] is pair[1] and pair[0] in (Kind.TIMESTAMP, Kind.MOMENT):
        return fragment(to, "_0 - _1", one, other)
    if isinstance(node, exp.Mul) and set(pair) == {Kind.INTEGER, Kind.INTERVAL}:
        return exp.Mul(this=one.copy(), expression=other.copy())
    if sign is not None and pair == (Kind.INTERVAL, Kind.INTERVAL) and to == "postgres":
        return type(node)(this=one.copy(), expression=other.copy())
    word = {exp.Add: "adds", exp.Sub: "subtracts", exp.Mul: "multiplies"}[type(node)]
    raise Refused(f"it {word} {kind(node.this)} and {kind(node.expression)}")
