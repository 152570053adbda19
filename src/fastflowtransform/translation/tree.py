"""A parsed SELECT: where its parts stand in the user's text, and what stands for a star."""

from __future__ import annotations

from sqlglot import exp

_SYMBOLS = {
    exp.Div: "/",
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.NullSafeEQ: "is not distinct from",
    exp.NullSafeNEQ: "is distinct from",
    exp.In: "in",
    exp.Between: "between",
    exp.IgnoreNulls: "ignore nulls",
    exp.WithinGroup: "within group",
    exp.Ordered: "order by",
    exp.Window: "over",
    exp.WindowSpec: "over",
    exp.Struct: "{}",
    exp.Array: "[]",
    exp.Dot: ".",
    exp.Mod: "%",
    exp.IntDiv: "//",
    exp.DPipe: "||",
    exp.JSONExtract: "->",
    exp.JSONExtractScalar: "->>",
    exp.Bracket: "[]",
    exp.Glob: "glob",
    exp.SimilarTo: "similar to",
    exp.RegexpFullMatch: "~",
    exp.Cast: "cast",
    exp.TryCast: "try_cast",
    exp.AtTimeZone: "at time zone",
    exp.Join: "join",
    exp.TableSample: "using sample",
    exp.LimitOptions: "limit %",
    exp.ILike: "ilike",
}


def mark_positions(tree: exp.Expr) -> None:
    """Note in each part where its first word stands, so that a copy still knows it."""
    for node in reversed(list(tree.walk())):
        if "line" in node.meta:
            continue
        places = [child.meta["start"] for child in node.iter_expressions() if "start" in child.meta]
        if places:
            first = min((child for child in node.iter_expressions() if "start" in child.meta), key=_start)
            node.meta.update(line=first.meta["line"], start=first.meta["start"])


def _start(node: exp.Expr) -> int:
    return int(node.meta["start"])


def line_of(node: exp.Expr) -> int | None:
    """Return the line of the user's text in which a part stands, counted from 1."""
    found: exp.Expr | None = node
    while found is not None:
        if "line" in found.meta:
            return int(found.meta["line"])
        found = found.parent
    return None


def word_of(node: exp.Expr, text: str) -> str:
    """Return the user's own word for a part."""
    if isinstance(node, exp.Join):
        return " ".join(filter(None, (node.method, node.side, node.kind, "join"))).lower()
    is_called = isinstance(node, exp.Func) and "end" in node.meta
    if type(node) in _SYMBOLS and not is_called and not isinstance(node, exp.JSONExtract | exp.JSONExtractScalar):
        return _SYMBOLS[type(node)]
    if "start" in node.meta and "end" in node.meta:
        return text[node.meta["start"] : node.meta["end"] + 1].lower()
    if type(node) in _SYMBOLS:
        return _SYMBOLS[type(node)]
    if isinstance(node, exp.Anonymous):
        return node.name.lower()
    return node.sql_name().lower() if isinstance(node, exp.Func) else type(node).__name__.lower()
