"""The type of each part of a SELECT, as the dialect's own binder gives it.

A part is bound by itself, with a column of the right type in place of each of its own parts; so the types are those of
the dialect, and no table of functions has to be kept here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from fastflowtransform.translation.binding import Binder, Unbound
from fastflowtransform.translation.kinds import Kind, item, kind_of

_UNTYPED = (
    exp.Identifier,
    exp.Var,
    exp.DataType,
    exp.DataTypeParam,
    exp.Order,
    exp.Ordered,
    exp.WindowSpec,
    exp.Distinct,
    exp.PropertyEQ,
    exp.JSONPath,
    exp.JSONPathPart,
    exp.Lambda,
    exp.Star,
    exp.TableAlias,
    exp.Limit,
    exp.LimitOptions,
    exp.Where,
    exp.Having,
    exp.Group,
    exp.From,
    exp.Join,
    exp.Table,
    exp.With,
    exp.CTE,
    exp.Slice,
    exp.Rollup,
    exp.Cube,
    exp.GroupingSets,
    exp.Qualify,
    exp.Columns,
    exp.Offset,
    exp.Kwarg,
    exp.TableSample,
    exp.Values,
)
_SAME_AS_THIS = (exp.Paren, exp.Alias, exp.Filter, exp.IgnoreNulls, exp.RespectNulls)
_KEPT_AS_WRITTEN = (exp.Literal, exp.Null, exp.Boolean, exp.Interval, exp.Identifier)

_TRUTHS = (exp.Exists, exp.In, exp.And, exp.Or, exp.Not)

Outputs = dict[str, exp.DataType | None]


class Typer:
    """Types of parts, each asked once.

    Parameters
    ----------
    binder
        Whom to ask.
    dialect
        The dialect of the texts.
    schema
        Types by column by table, all in lower case.
    """

    def __init__(self, binder: Binder, dialect: str, schema: Mapping[tuple[str, str], Outputs]) -> None:
        self._binder = binder
        self._dialect = dialect
        self._schema = schema
        self._asked: dict[str, exp.DataType | None] = {}
        self._outputs: dict[int, Outputs] = {}

    def annotate(self, tree: exp.Expr) -> None:
        """Give each expression of a qualified tree its type; None is one that the dialect did not tell."""
        for scope in traverse_scope(tree):
            self._scope(scope)

    def _scope(self, scope: Scope) -> None:
        expression = scope.expression
        if isinstance(expression, exp.SetOperation):
            outputs = self._outputs[id(expression)] = self._common(expression)
            order = expression.args.get("order")
            for column in order.find_all(exp.Column) if order is not None else ():
                column._type = outputs.get(column.name.lower())
            return
        for node in _own_nodes(expression):
            node._type = self._of(node, scope)
        if isinstance(expression, exp.Select):
            self._outputs[id(expression)] = {
                one.alias_or_name.lower(): None if one.type is None else one.type for one in expression.selects
            }
        else:
            self._outputs[id(expression)] = self._of_table_function(expression)

    def _common(self, union: exp.SetOperation) -> Outputs:
        left, right = (self._outputs.get(id(part.unnest()), {}) for part in (union.left, union.right))
        merged = {}
        for (name, one), other in zip(left.items(), right.values(), strict=False):
            both = None
            if one is not None and other is not None:
                both = one if one == other else self._ask(f"{_null(one)} UNION ALL SELECT {_null(other)}")
            merged[name] = both
        return merged

    def _of_table_function(self, expression: exp.Expr) -> Outputs:
        """Return the columns of what is none of a SELECT: UNNEST, a series, VALUES."""
        alias = expression.args.get("alias")
        names = [column.name.lower() for column in alias.columns] if isinstance(alias, exp.TableAlias) else []
        bare = expression.copy()
        bare.set("alias", None)
        function = bare.this if isinstance(bare, exp.Table) else bare
        _stand_in(function, lambda dtype: exp.maybe_parse(_null(dtype), dialect="duckdb"))
        text = bare.sql(self._dialect)
        text = f"({text})" if isinstance(expression, exp.Values) and not text.startswith("(") else text
        try:
            found = self._binder.columns(f"SELECT * FROM {text}")
        except Unbound:
            return {}
        types = [built(dtype, self._dialect) for _, dtype in found]
        return dict(zip(names or [name.lower() for name, _ in found], types, strict=False))

    def _of(self, node: exp.Expr, scope: Scope) -> exp.DataType | None:
        if isinstance(node, exp.Column):
            return self._of_column(node, scope)
        if isinstance(node, exp.Null):
            return exp.DataType.build("null")
        if isinstance(node, exp.Subquery | exp.Query):
            outputs = self._outputs.get(id(node.unnest()))
            return next(iter(outputs.values()), None) if outputs else None
        if isinstance(node, exp.Cast | exp.TryCast):
            return built(node.to.sql(self._dialect), self._dialect)
        if isinstance(node, _SAME_AS_THIS):
            inner: exp.DataType | None = node.this.type
            return inner
        if isinstance(node, _TRUTHS):
            return exp.DataType.build("boolean")
        if isinstance(node, _UNTYPED) or not isinstance(node, exp.Condition | exp.Func | exp.Tuple | exp.Interval):
            return None
        if _is_half(node):
            return None
        return self._told(node)

    def _told(self, node: exp.Expr) -> exp.DataType | None:
        """Return the type that the dialect tells; a window's is that of its function, too."""
        found = self._bound(node)
        if isinstance(node, exp.Window | exp.WithinGroup):
            for inner in (node.this, node.this.this):
                if isinstance(inner, exp.Func | exp.IgnoreNulls | exp.Filter | exp.WithinGroup):
                    inner._type = found
        return found

    def _of_column(self, column: exp.Column, scope: Scope) -> exp.DataType | None:
        if column.meta.get("parameter"):
            function = column.find_ancestor(exp.Lambda)
            return None if function is None or function.parent is None else item(function.parent.this.type)
        if not column.table and isinstance(scope.expression, exp.Select):
            named = (one for one in scope.expression.selects if one.alias_or_name.lower() == column.name.lower())
            return next((one.type for one in named), None)
        level: Scope | None = scope
        while level is not None:
            source = level.sources.get(column.table)
            if isinstance(source, exp.Table) and not isinstance(source.this, exp.Identifier):
                return self._of_table_function(source).get(column.name.lower())
            if isinstance(source, exp.Table):
                key = (source.db.lower(), source.name.lower())
                column.meta["of"] = key
                known = self._schema.get(key)
                return None if known is None else known.get(column.name.lower())
            if isinstance(source, Scope):
                return self._of_source(source).get(column.name.lower())
            level = level.parent
        return None

    def _of_source(self, source: Scope) -> Outputs:
        outputs = self._outputs.get(id(source.expression))
        if outputs is None and isinstance(source.expression, exp.SetOperation):
            # A recursive query reads itself: its columns are those of the part that does not.
            outputs = self._outputs.get(id(source.expression.left.unnest()))
        return outputs or {}

    def _bound(self, node: exp.Expr) -> exp.DataType | None:
        alone = node.copy()
        types: list[str] = []

        def column(dtype: exp.DataType) -> exp.Expr:
            # Not a NULL of the type: DuckDB takes an operator over one for a NULL without a type.
            types.append(f"{_null(dtype)} AS __{len(types)}")
            return exp.column(f"__{len(types) - 1}")

        _stand_in(alone, column)
        text = alone.sql(self._dialect)
        return self._ask(f"{text} FROM (SELECT {', '.join(types)})" if types else text)

    def _ask(self, text: str) -> exp.DataType | None:
        if text not in self._asked:
            try:
                ((_, dtype),) = self._binder.columns(f"SELECT {text}")
            except (Unbound, ValueError):
                self._asked[text] = None
            else:
                self._asked[text] = built(dtype, self._dialect)
        return self._asked[text]


def _is_half(node: exp.Expr) -> bool:
    """Whether a part has no type by itself: a window's function, a branch of CASE, a row of VALUES."""
    if isinstance(node, exp.If | exp.Tuple):
        return isinstance(node.parent, exp.Case | exp.Values)
    return isinstance(node.parent, exp.Window | exp.WithinGroup) and node.arg_key == "this"


def _own_nodes(expression: exp.Expr) -> list[exp.Expr]:
    """Return a scope's own expressions, inner ones first, and its columns before what refers to them by name."""
    if not isinstance(expression, exp.Query):
        return _below(expression)
    columns = [node for one in expression.args.get("expressions") or () for node in _below(one)]
    known = {id(node) for node in columns}
    return columns + [node for node in _below(expression)[:-1] if id(node) not in known]


def _below(expression: exp.Expr) -> list[exp.Expr]:
    """Return an expression and its parts, inner ones first; those of a query in it are that query's own."""
    found = []
    waiting = [expression]
    while waiting:
        node = waiting.pop()
        found.append(node)
        if isinstance(node, exp.Query | exp.CTE | exp.Subquery) and node is not expression:
            continue
        waiting += node.iter_expressions()
    return found[::-1]


def _stand_in(node: exp.Expr, make: Callable[[exp.DataType], exp.Expr]) -> None:
    """Put something of its type in place of each part of an expression whose type is known."""
    waiting = list(node.iter_expressions())
    while waiting:
        part = waiting.pop()
        if isinstance(part, _KEPT_AS_WRITTEN):
            continue
        if part.type is not None and isinstance(part, exp.Column | exp.Condition | exp.Func | exp.Subquery | exp.Tuple):
            part.replace(make(part.type))
        else:
            waiting += part.iter_expressions()


def _null(dtype: exp.DataType) -> str:
    return "NULL" if dtype.this is exp.DataType.Type.NULL else f"CAST(NULL AS {dtype.sql('duckdb')})"


@functools.cache
def _built(text: str, dialect: str) -> exp.DataType | None:
    from sqlglot import ParseError

    try:
        return exp.DataType.build(text.replace('"NULL"', "NULL"), dialect=dialect)
    except (ParseError, ValueError):
        return None


def built(text: str | None, dialect: str) -> exp.DataType | None:
    """Return a type by its name; None for one that the parser does not know."""
    found = None if text is None else _built(text, dialect)
    return None if found is None else found.copy()


def source_type(text: str, dialect: str) -> str | None:
    """Return a column's type, as an engine's dialect names it, in the words of DuckDB; None for one that it lacks.

    Examples
    --------
    >>> source_type("timestamp_ntz", "spark"), source_type("timestamp", "spark"), source_type("my_enum", "postgres")
    ('TIMESTAMP', 'TIMESTAMPTZ', None)
    """
    if text.startswith("bound "):
        return text.removeprefix("bound ")
    if text.startswith("ibis "):
        import ibis.expr.datatypes as dt
        from ibis.backends.sql.datatypes import DuckDBType

        return str(DuckDBType.from_ibis(dt.dtype(text.removeprefix("ibis "))).sql("duckdb"))
    found = built(text, dialect)
    return None if found is None or kind_of(found) is Kind.UNKNOWN else found.sql("duckdb")
