"""What a model reads: which nodes, and which of their columns, as far as its SQL alone can tell."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from fastflowtransform.model import Materialized, Model
from fastflowtransform.project import Project

if TYPE_CHECKING:
    from sqlglot import exp
    from sqlglot.optimizer.scope import Scope

ALL = "*"
"""Among the columns that are read of a table: all of them, whichever these are."""


def inputs(model: Model, project: Project, but: Collection[str] = ()) -> dict[str, str]:
    """Return the nodes whose rows a model reads, by what a person calls them.

    They are what it reads itself, and what the ephemeral models among that read, but for the models in `but`.
    """
    found: dict[str, str] = {}
    waiting = list(model.reads)
    while waiting:
        read = waiting.pop(0)
        if read.name in found:
            continue
        found[read.name] = read.node
        inner = project.models.get(read.node)
        if inner is not None and inner.materialized is Materialized.EPHEMERAL and read.node not in but:
            waiting += inner.reads
    return found


def columns_read(sql: str, dialect: str, tables: Iterable[str]) -> dict[str, set[str]]:
    """Return the columns that a SELECT reads of each table, as far as its text can tell.

    A column that stands after its table's name is found anywhere. A bare one is found where only one table is read,
    unless an alias before it has its name; within a subquery it may be the outer query's, so it is not looked at.

    Parameters
    ----------
    sql
        The text.
    dialect
        Its dialect.
    tables
        The names of the tables.

    Returns
    -------
    dict
        Columns by table, and under an empty name those that may be any table's; `*` is one where all are selected.
        Empty for a text that cannot be parsed: the engine says what is wrong with it.

    Examples
    --------
    >>> found = columns_read("select e.id, v as w from events as e where at > 3 order by w", "duckdb", ["events"])
    >>> sorted(found["events"])
    ['at', 'id', 'v']
    """
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError
    from sqlglot.optimizer.scope import traverse_scope

    found: dict[str, set[str]] = {name: set() for name in (*tables, "")}
    try:
        tree = sqlglot.parse_one(sql, read=dialect).transform(lambda node: _without_pivot(node, found))
        for scope in traverse_scope(tree) if isinstance(tree, exp.Query) else ():
            _Looking(scope, found).look()
    except SqlglotError:
        return {name: set() for name in found}
    return found


def _without_pivot(node: exp.Expression, found: Mapping[str, set[str]]) -> exp.Expression:
    """Return a SELECT of all that a statement PIVOT or UNPIVOT reads, once the columns that it names are noted."""
    from sqlglot import exp

    table = node.this if isinstance(node, exp.Pivot) else None
    if table is None:
        return node
    if isinstance(table, exp.Table) and table.name in found:
        parts = [*node.expressions, *(node.args.get("using") or ()), node.args.get("group")]
        columns = (column for part in parts if part is not None for column in part.find_all(exp.Column))
        found[table.name].update(column.name for column in columns)
    return exp.select("*").from_(table)


class _Looking:
    """What one SELECT reads."""

    def __init__(self, scope: Scope, found: Mapping[str, set[str]]) -> None:
        from sqlglot import exp

        self._scope, self._found = scope, found
        self._selects = scope.expression.selects if isinstance(scope.expression, exp.Query) else []
        self._names = list(scope.selected_sources)
        self._alone = self._names[0] if len(self._names) == 1 and not scope.is_subquery else None

    def look(self) -> None:
        """Note the columns."""
        from sqlglot import exp

        for select in self._selects:
            if select.is_star:
                self._look_at_star(select)
        for join in self._scope.expression.args.get("joins") or ():
            sides = [join.alias_or_name, *(self._names if len(self._names) == 2 else ())]
            for identifier in join.args.get("using") or ():
                for side in sides:
                    self._note(side, identifier.name)
        aliases = {alias.alias.casefold() for alias in self._scope.expression.find_all(exp.Alias)}
        aliases |= {name.casefold() for name in (*self._scope.sources, *self._names)}
        # Those of windows in clauses after the SELECT are none of the former.
        columns = {id(column): column for column in (*self._scope.columns, *self._scope.find_all(exp.Column))}
        for column in columns.values():
            if not column.name or column.name == "*":
                continue
            if column.table:
                self._note(column.table, column.name)
            elif column.name.casefold() not in aliases or self._is_before_its_alias(column):
                self._note(self._alone, column.name)

    def _look_at_star(self, select: exp.Expr) -> None:
        """Note a star, and the columns that it leaves out or replaces."""
        from sqlglot import exp

        star = select.this if isinstance(select, exp.Column) else select
        names = [select.table] if isinstance(select, exp.Column) else self._names
        for name in names:
            self._note(name, ALL)
        read = [column.name for column in star.find_all(exp.Column)]
        for column in (*read, *(alias.alias for alias in star.args.get("replace") or ())):
            self._note(names[0] if len(names) == 1 else None, column)

    def _is_before_its_alias(self, column: exp.Column) -> bool:
        """Whether a bare column is in the SELECT list, and nothing before it has its name as an alias."""
        for select in self._selects:
            if any(inner is column for inner in select.find_all(type(column))):
                return True
            if select.alias.casefold() == column.name.casefold():
                return False
        return False

    def _note(self, alias: str | None, column: str) -> None:
        self._found[_table_of(alias, column, self._scope, self._found) or ""].add(column)


def _table_of(alias: str | None, column: str, scope: Scope, found: Mapping[str, set[str]]) -> str | None:
    """Return the table that has a column of a source, where it is one of those that are looked for.

    The columns of a subquery that selects all of one table are that table's.
    """
    from sqlglot import exp
    from sqlglot.optimizer.scope import Scope

    if alias is None or alias not in scope.selected_sources:
        return None
    node, source = scope.selected_sources[alias]
    if isinstance(node, exp.Table) and node.name in found:
        return node.name
    if not isinstance(source, Scope) or not isinstance(source.expression, exp.Select):
        return None
    inner = list(source.selected_sources)
    has_all = any(select.is_star for select in source.expression.selects) and len(inner) == 1
    is_made = column.casefold() in {name.casefold() for name in source.expression.named_selects if name != "*"}
    return _table_of(inner[0], column, source, found) if has_all and not is_made else None
