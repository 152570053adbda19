"""What a model reads: which nodes, and which of their columns, as far as its SQL alone can tell."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from fastflowtransform.model import Materialized, Model
from fastflowtransform.project import Project

if TYPE_CHECKING:
    from sqlglot.optimizer.scope import Scope


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
    """Return the columns that a SELECT reads of each table.

    A column that stands after its table's name is found anywhere. A bare one is found where only one table is read,
    and no alias of the SELECT has its name; within a subquery it may be the outer query's, so it is not looked at.

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
    from sqlglot.errors import SqlglotError
    from sqlglot.optimizer.scope import traverse_scope

    found: dict[str, set[str]] = {name: set() for name in (*tables, "")}
    try:
        for scope in traverse_scope(sqlglot.parse_one(sql, read=dialect)):
            _look(scope, found)
    except SqlglotError:
        return {name: set() for name in found}
    return found


def _look(scope: Scope, found: Mapping[str, set[str]]) -> None:
    from sqlglot import exp

    tables = {alias: source for alias, source in scope.sources.items() if isinstance(source, exp.Table)}
    named = {alias: _table(alias, scope, found) for alias in scope.selected_sources}
    aliases = {alias.alias.casefold() for alias in scope.expression.find_all(exp.Alias)} | {
        alias.casefold() for alias in (*tables, *named)
    }
    alone = next(iter(named.values())) if len(named) == 1 and not scope.is_subquery else None
    selects = scope.expression.selects if isinstance(scope.expression, exp.Query) else []
    for select in selects:
        if select.is_star:
            for name in [named.get(select.table)] if isinstance(select, exp.Column) else named.values():
                found[name or ""].add("*")
    for column in scope.columns:
        bare = None if column.name.casefold() in aliases else alone
        name = named.get(column.table) if column.table else bare
        if column.name and column.name != "*":
            found[name or ""].add(column.name)


def _table(alias: str, scope: Scope, found: Mapping[str, set[str]]) -> str | None:
    """Return the table that an alias in a FROM means, where it is one of those that are looked for."""
    name = str(scope.selected_sources[alias][0].name)
    return name if name in found else None
