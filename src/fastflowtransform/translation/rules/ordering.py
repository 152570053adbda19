"""ORDER BY: NULLs where DuckDB has them, texts by code point."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from fastflowtransform.translation.collation import by_code_point
from fastflowtransform.translation.kinds import SORTED, Kind, kind
from fastflowtransform.translation.outputs import ORDERED
from fastflowtransform.translation.rule import Refused, rule
from fastflowtransform.translation.structure import same
from fastflowtransform.translation.write import whole


def _ordered(to: str, node: Any) -> Any:
    if node.args.get("with_fill"):
        raise Refused()
    if node.this.is_star or node.this.name.upper() == "ALL":
        raise Refused("ORDER BY ALL", instead="name the columns")
    if whole(node.this) is not None:
        return node
    if kind(node.this) not in SORTED | {Kind.NULL, Kind.INTERVAL, Kind.BYTES}:
        raise Refused(f"it orders by {kind(node.this)}", instead="cast it")
    return exp.Ordered(
        this=by_code_point(to, node.this).copy(), desc=node.args.get("desc"), nulls_first=node.args.get("nulls_first")
    )


def _collates(query: Any) -> bool:
    order = query.args.get("order")
    return order is not None and any(isinstance(each.this, exp.Collate) for each in order.expressions)


def _set_operation(to: str, node: Any) -> Any:
    """Order the rows of a set operation from outside: inside, an ORDER BY may have names only."""
    if node.args.get("by_name") or node.args.get("side") or node.args.get("kind"):
        raise Refused("UNION BY NAME", instead="name the columns of both sides")
    return _ordered_outside(node) if _collates(node) else node


def _select(to: str, node: Any) -> Any:
    """Order the rows of a SELECT DISTINCT from outside: inside, an ORDER BY may have its columns only."""
    same(node)
    distinct = node.args.get("distinct")
    if distinct is None or distinct.args.get("on") is not None or not _collates(node):
        return node
    for ordered in node.args["order"].expressions:
        key = ordered.this.this if isinstance(ordered.this, exp.Collate) else ordered.this
        named = [one for one in node.selects if one.unalias() == key or one.alias_or_name == key.name]
        if not named:
            raise Refused("DISTINCT, ordered by something that is not a column of it")
        key.replace(exp.column(named[0].alias_or_name, quoted=True))
    return _ordered_outside(node)


def _distinct(to: str, node: Any) -> Any:
    on = node.args.get("on")
    if on is not None:
        for key in on.expressions if isinstance(on, exp.Tuple) else [on]:
            if (collated := by_code_point(to, key)) is not key:
                key.replace(collated)
    return node


def _ordered_outside(node: Any) -> Any:
    outside = exp.Select(expressions=[exp.Star()])
    for name in ("order", "limit", "offset"):
        outside.set(name, node.args.get(name))
        node.set(name, None)
    inner = exp.Subquery(this=node.copy(), alias=exp.TableAlias(this=exp.to_identifier(ORDERED, quoted=True)))
    outside.set("from_", exp.From(this=inner))
    return outside


RULES = (
    rule(_ordered, exp.Ordered),
    rule(_select, exp.Select),
    rule(_distinct, exp.Distinct),
    rule(_set_operation, exp.Union, exp.Except, exp.Intersect),
)
