"""Literals, and signs before numbers."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from fastflowtransform.translation.kinds import Kind, kind
from fastflowtransform.translation.rule import Refused, rule
from fastflowtransform.translation.write import fragment


def _literal(to: str, node: Any) -> Any:
    return node


def _interval(to: str, node: Any) -> Any:
    unit, size = node.args.get("unit"), node.this
    if unit is not None and kind(size) is Kind.INTEGER and not isinstance(size, exp.Literal):
        return _computed(to, unit.name.upper().rstrip("S"), size)
    if unit is None or not isinstance(size, exp.Literal) or not size.name.lstrip("-").isdigit():
        raise Refused("its size is not one whole number", instead="interval '1' day")
    name = unit.name.upper().rstrip("S")
    if name not in _UNITS:
        raise Refused(f"the unit {unit.name.lower()} is not known to all engines", instead="interval '1' day")
    return exp.Interval(this=exp.Literal.string(size.name), unit=exp.Var(this=name))


def _computed(to: str, unit: str, size: Any) -> Any:
    """Return an interval whose size is computed, as a multiple of one unit."""
    if unit not in _UNITS:
        raise Refused(f"the unit {unit.lower()} is not known to all engines", instead="interval '1' day")
    return fragment(to, f"_0 * INTERVAL '{'7' if unit == 'WEEK' else '1'}' {'DAY' if unit == 'WEEK' else unit}", size)


def _to_unit(to: str, node: Any) -> Any:
    size = node.this if isinstance(node, exp.ToDays) else node.expressions[0]
    unit = "DAY" if isinstance(node, exp.ToDays) else node.name.upper().removeprefix("TO_").rstrip("S")
    if kind(size) is not Kind.INTEGER:
        raise Refused(f"it is of {kind(size)}")
    return _computed(to, unit, size)


_TO_UNITS = ("to_years", "to_months", "to_weeks", "to_hours", "to_minutes")
_UNITS = ("YEAR", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND")
RULES = (
    rule(_literal, exp.Literal),
    rule(_interval, exp.Interval),
    rule(_to_unit, exp.ToDays, *_TO_UNITS),
)
