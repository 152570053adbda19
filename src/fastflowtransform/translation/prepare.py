"""What DuckDB lets a SELECT leave out, written out: GROUP BY ALL, and names in an ORDER BY."""

from __future__ import annotations

from sqlglot import exp

from fastflowtransform.translation.kinds import Kind, kind


def unnamed(tree: exp.Expr) -> tuple[bool, ...]:
    """Return for each column of a parsed SELECT whether nobody gave it a name; empty where it has a star."""
    select = tree
    while not isinstance(select, exp.Select):
        if not isinstance(select, exp.Subquery | exp.SetOperation):
            return ()
        select = select.this
    if any(one.find(exp.Star, exp.Columns) and not isinstance(one, exp.Count) for one in select.expressions):
        return ()
    return tuple(not isinstance(one, exp.Alias | exp.Column | exp.Dot | exp.Aliases) for one in select.expressions)


def expand_group_by_all(tree: exp.Expr) -> None:
    """Put the columns without an aggregate in place of ALL."""
    for select in tree.find_all(exp.Select):
        group = select.args.get("group")
        if group is None or not group.args.get("all"):
            continue
        keys = [one.unalias().copy() for one in select.selects if not _aggregates(one)]
        group.set("all", None)
        if keys:
            group.set("expressions", keys)
        else:
            select.set("group", None)


def _aggregates(node: exp.Expr) -> bool:
    found = node.find_all(exp.AggFunc, exp.WithinGroup)
    return any(not isinstance(each.parent, exp.Window) for each in found) or node.find(exp.Window) is not None


def mark_parameters(tree: exp.Expr) -> None:
    """Make a column of each use of a lambda's parameter, which is one item of the list."""
    for function in tree.find_all(exp.Lambda):
        names = {each.name for each in function.expressions}
        for identifier in list(function.this.find_all(exp.Identifier)):
            if identifier.name in names and not isinstance(identifier.parent, exp.Column | exp.Dot | exp.TableAlias):
                column = exp.Column(this=identifier.copy())
                column.meta["parameter"] = True
                identifier.replace(column)


def expand_order_aliases(tree: exp.Expr) -> None:
    """Put the expression in place of a column's name in ORDER BY, where text is ordered: a name takes no collation."""
    for select in list(tree.find_all(exp.Select)):
        distinct = select.args.get("distinct")
        on = None if distinct is None else distinct.args.get("on")
        if distinct is not None and on is None:
            continue
        order = select.args.get("order")
        keys = [each.this for each in order.expressions] if order is not None else []
        keys += on.expressions if isinstance(on, exp.Tuple) else []
        for column in keys:
            if isinstance(column, exp.Column) and not column.table and kind(column) is Kind.TEXT:
                named = [one for one in select.selects if one.alias_or_name == column.name]
                if len(named) == 1:
                    column.replace(named[0].unalias().copy())
