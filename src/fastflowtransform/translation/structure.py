"""The parts of a SELECT that mean the same to all targets, as sqlglot writes them, and which forms of them do.

A part, or an argument of one, that is not named here is refused: nobody has tried it.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from fastflowtransform.translation.rule import Refused

_ANY = frozenset({"*"})

SAME: dict[type[exp.Expr], frozenset[str]] = {
    exp.Select: frozenset(
        {"expressions", "from_", "joins", "where", "group", "having", "qualify", "order", "limit", "offset"}
        | {"distinct", "with_", "laterals", "windows", "kind"}
    ),
    exp.From: frozenset({"this"}),
    exp.Where: frozenset({"this"}),
    exp.Having: frozenset({"this"}),
    exp.Qualify: frozenset({"this"}),
    exp.Order: frozenset({"expressions", "this"}),
    exp.Offset: frozenset({"expression", "this"}),
    exp.Limit: frozenset({"expression", "this"}),
    exp.Distinct: frozenset({"expressions", "on"}),
    exp.With: frozenset({"expressions", "recursive"}),
    exp.CTE: frozenset({"this", "alias", "materialized"}),
    exp.Subquery: frozenset({"this", "alias", "with_", "order", "limit", "offset"}),
    exp.TableAlias: frozenset({"this", "columns"}),
    exp.Table: frozenset({"this", "db", "catalog", "alias", "joins", "laterals"}),
    exp.Column: frozenset({"this", "table", "db", "catalog"}),
    exp.Identifier: frozenset({"this", "quoted"}),
    exp.Alias: frozenset({"this", "alias"}),
    exp.Paren: frozenset({"this"}),
    exp.Star: frozenset(),
    exp.Null: frozenset(),
    exp.Boolean: frozenset({"this"}),
    exp.And: frozenset({"this", "expression"}),
    exp.Or: frozenset({"this", "expression"}),
    exp.Not: frozenset({"this"}),
    exp.Is: frozenset({"this", "expression"}),
    exp.Exists: frozenset({"this"}),
    exp.Case: frozenset({"this", "ifs", "default"}),
    exp.If: frozenset({"this", "true", "false"}),
    exp.Coalesce: frozenset({"this", "expressions", "is_null"}),
    exp.Nullif: frozenset({"this", "expression"}),
    exp.Union: frozenset({"this", "expression", "distinct", "order", "limit", "offset", "with_"}),
    exp.Except: frozenset({"this", "expression", "distinct", "order", "limit", "offset", "with_"}),
    exp.Intersect: frozenset({"this", "expression", "distinct", "order", "limit", "offset", "with_"}),
    exp.Values: frozenset({"expressions", "alias"}),
    exp.Filter: frozenset({"this", "expression"}),
    exp.Neg: frozenset({"this"}),
    exp.Var: frozenset({"this"}),
    exp.DataType: _ANY,
    exp.DataTypeParam: _ANY,
    exp.Lambda: frozenset({"this", "expressions"}),
    exp.Tuple: frozenset({"expressions"}),
    exp.PropertyEQ: frozenset({"this", "expression"}),
    exp.JSONPath: _ANY,
    exp.JSONPathRoot: _ANY,
    exp.JSONPathKey: _ANY,
    exp.JSONPathSubscript: _ANY,
    exp.Interval: frozenset({"this", "unit"}),
}

_HOW: dict[type[exp.Expr], dict[str, str]] = {
    exp.Select: {
        "sample": "USING SAMPLE takes other rows on each engine",
        "pivots": "PIVOT is written another way on each engine",
    },
    exp.Limit: {"limit_options": "a limit in percent"},
}


def same(node: exp.Expr) -> exp.Expr:
    """Return a part as it is, if each of its arguments is known to mean the same."""
    allowed = SAME[type(node)]
    if allowed is not _ANY:
        for name, value in node.args.items():
            if name not in allowed and value not in (None, [], False) and name not in ("safe", "nonnull"):
                raise Refused(_HOW.get(type(node), {}).get(name, ""))
    return node


def same_class(node: exp.Expr) -> Callable[[exp.Expr], exp.Expr] | None:
    """Return the check of a part that is written as it is; None for one that is not known."""
    return same if type(node) in SAME else None
