"""Literals, and signs before numbers."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from fastflowtransform.translation.rule import Refused, rule


def _literal(to: str, node: Any) -> Any:
    return node


def _interval(to: str, node: Any) -> Any:
    unit, size = node.args.get("unit"), node.this
    if unit is None or not isinstance(size, exp.Literal) or not size.name.lstrip("-").isdigit():
        raise Refused("its size is not one whole number", instead="interval '1' day")
    name = unit.name.upper().rstrip("S")
    if name not in {"YEAR", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND"}:
        raise Refused(f"the unit {unit.name.lower()} is not known to all engines", instead="interval '1' day")
    return exp.Interval(this=exp.Literal.string(size.name), unit=exp.Var(this=name))


RULES = (rule(_literal, exp.Literal), rule(_interval, exp.Interval))
