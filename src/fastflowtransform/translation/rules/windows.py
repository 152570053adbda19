"""Window functions, and their frames."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from fastflowtransform.translation.collation import as_before
from fastflowtransform.translation.rule import Refused, rule
from fastflowtransform.translation.rules.aggregates import plain

_OFFSET = ("this", "offset", "default")


def _window(to: str, node: Any) -> Any:
    plain(node, "this", "partition_by", "order", "over", "spec", "alias")
    if node.arg_key == "windows":
        return node
    if node.this.find(exp.Distinct) is not None:
        raise Refused("not all engines have DISTINCT in a window", instead="a subquery")
    function = node.this
    while isinstance(function, exp.IgnoreNulls | exp.RespectNulls | exp.Filter):
        function = function.this
    if isinstance(function, exp.Min | exp.Max):
        return as_before(to, node, node)
    return node


def _frame(to: str, node: Any) -> Any:
    if to == "spark" and (node.args.get("exclude") or str(node.args.get("kind")).upper() == "GROUPS"):
        raise Refused("Spark has no EXCLUDE and no GROUPS in a window", instead="rows between … and …")
    return node


def _ignoring_nulls(to: str, node: Any) -> Any:
    if node.this.name.upper() == "ANY_VALUE" or isinstance(node.this, exp.AnyValue):
        return node.this
    if to == "postgres":
        raise Refused(
            "PostgreSQL cannot leave out NULLs here", instead="max(…) over a group that count(…) over (…) numbers"
        )
    return node


def _offset(to: str, node: Any) -> Any:
    return plain(node, *_OFFSET)


def _value(to: str, node: Any) -> Any:
    if not isinstance(node.parent, exp.Window | exp.IgnoreNulls | exp.RespectNulls):
        raise Refused("which row comes first is not said", instead="arg_min(…, order)")
    return plain(node, "this", "offset")


def _rank(to: str, node: Any) -> Any:
    return plain(node, "this")


RULES = (
    rule(_window, exp.Window),
    rule(_frame, exp.WindowSpec),
    rule(_ignoring_nulls, exp.IgnoreNulls),
    rule(lambda to, node: node.this, exp.RespectNulls),
    rule(_offset, exp.Lag, exp.Lead),
    rule(_value, exp.FirstValue, exp.LastValue, exp.NthValue),
    rule(_rank, exp.RowNumber, exp.Rank, exp.DenseRank, exp.PercentRank, exp.CumeDist, exp.Ntile),
)
