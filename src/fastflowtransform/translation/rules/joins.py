"""Joins, lateral subqueries and WITH."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from fastflowtransform.translation.rule import Refused, rule
from fastflowtransform.translation.rules.aggregates import plain


def _join(to: str, node: Any) -> Any:
    if node.method.upper() not in ("", "NATURAL") or node.kind.upper() not in (
        "",
        "INNER",
        "OUTER",
        "CROSS",
        "SEMI",
        "ANTI",
    ):
        raise Refused(instead="join on row numbers, or the newest row of a lateral subquery")
    return plain(node, "this", "on", "using", "side", "kind", "method")


def _lateral(to: str, node: Any) -> Any:
    if not isinstance(node.this, exp.Subquery):
        raise Refused("LATERAL of a function")
    return plain(node, "this", "alias")


def _cte(to: str, node: Any) -> Any:
    if to == "spark":
        node.set("materialized", None)
    return node


def _with(to: str, node: Any) -> Any:
    if to == "spark" and node.args.get("recursive"):
        raise Refused("Spark 4.0 has no recursive queries", instead="a table of numbers, with range(…)")
    return node


RULES = (
    rule(_join, exp.Join),
    rule(_lateral, exp.Lateral),
    rule(_cte, exp.CTE),
    rule(_with, exp.With),
)
