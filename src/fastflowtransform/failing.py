"""A check as an Ibis table: the rows that break its claim. Nothing of it is run here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from fastflowtransform import checks
from fastflowtransform.checks.columns import free_name, present
from fastflowtransform.checks.expression import HOLDS, Condition
from fastflowtransform.checks.nodes import Other
from fastflowtransform.checks.spelling import spelt
from fastflowtransform.engines.base import Engine
from fastflowtransform.errors import BadValue, PythonModelFailed, WrongResult
from fastflowtransform.materializations.spelling import spelt_as
from fastflowtransform.model import Check, Model, PythonBody, SqlBody
from fastflowtransform.normalize import Tables, located
from fastflowtransform.own_checks import CHECKED, names_of
from fastflowtransform.project import Project
from fastflowtransform.py_model import UserCode
from fastflowtransform.rows import Built, Moment, Rows

if TYPE_CHECKING:
    import ibis.expr.operations as ops
    import ibis.expr.types as ir


class Failing:
    """The failing rows of checks, on one engine.

    Parameters
    ----------
    project
        Where the checks come from.
    engine
        Where their tables are.
    instead
        Tables that stand for nodes, whatever is in the warehouse under their names.
    """

    def __init__(self, project: Project, engine: Engine, instead: Mapping[str, Rows] = MappingProxyType({})) -> None:
        self._project = project
        self._engine = engine
        self._instead = instead
        self._tables = Tables(project, engine, instead=instead)
        self._read: dict[tuple[str, str | None], Rows] = {}

    def checked(self, check: Check) -> Rows:
        """Return the table that a check is about, without the rows that its `where` leaves out.

        It is the same one for all checks of one node and one `where`.
        """
        return self._table(check.node, check.terms.where)

    def rows(self, check: Check) -> Rows:
        """Return the rows that break a check's claim.

        A column that is not there, or an argument that does not fit, is an error where their expression is built.

        Raises
        ------
        FftError
            A table is not there, or the user's own code fails.
        """
        if check.own is not None:
            body = check.own.body
            return self._of_sql(check, body) if isinstance(body, SqlBody) else self._of_python(check, body)
        table, folding = self.checked(check), self._engine.capabilities.folding
        others: list[Rows] = []
        arguments: dict[str, object] = {}
        for name, value in check.arguments.items():
            if isinstance(value, Other):
                others.append(spelt_as(self._table(value.node, value.where), table.columns, folding))
            elif isinstance(value, Condition):
                arguments[name] = holds = free_name(HOLDS, table.columns)
                table = self._with_condition(table, value, holds)
            else:
                arguments[name] = value
        if any(isinstance(value, timedelta) for value in arguments.values()):
            # A length of time is counted from now.
            arguments["now"] = Moment.of(datetime.now(UTC))
        of_others = [name for other in others for name in other.columns]
        arguments = spelt(arguments, table.columns, of_others, folding)
        return table.into(checks.check(check.type).failing_rows, *others, **arguments)

    def is_by_row(self, check: Check, rows: Rows) -> bool:
        """Whether each row is judged by itself, so that new rows can be checked without those that stand.

        Parameters
        ----------
        check
            A check.
        rows
            Its failing rows, as `rows` gave them.
        """
        if any(isinstance(value, Other) and value.node == check.node for value in check.arguments.values()):
            return False
        if check.own is not None and (check.own.alone or isinstance(check.own.body, SqlBody)):
            return False
        conditions = [value.text for value in check.arguments.values() if isinstance(value, Condition)]
        if conditions:
            return all(self._is_of_one_row(text) for text in conditions)
        return self._engine.preparing.says(is_derived, rows, self.checked(check))

    def _is_of_one_row(self, condition: str) -> bool:
        """Whether a condition in SQL looks at nothing but the columns of its row; False for what cannot be parsed."""
        import sqlglot
        from sqlglot import exp

        try:
            parsed = sqlglot.parse_one(condition, read=self._engine.dialect)
        except sqlglot.ParseError:
            return False
        return parsed.find(exp.AggFunc, exp.Anonymous, exp.Query, exp.Window) is None

    def _table(self, node: str, where: str | None) -> Rows:
        """Return a node's table, without the rows that a condition leaves out."""
        if (node, where) not in self._read:
            rows = self._tables.rows(node)
            if where is not None:
                sql = f"SELECT * FROM (\n{self._engine.compiled(rows)}\n) AS checked WHERE (\n{where}\n)"
                rows = self._engine.asked(sql)
            self._read[node, where] = rows
        return self._read[node, where]

    def _named(self, table: Rows, check: Check) -> Rows:
        """Return a table whose columns are spelt as the arguments of a project's own check spell them."""
        texts, folding = tuple(_texts(check.arguments.values())), self._engine.capabilities.folding
        as_they_are = {folding.fold(name) for name in texts if name in table.columns}
        return spelt_as(table, [text for text in texts if folding.fold(text) not in as_they_are], folding)

    def _with_condition(self, table: Rows, condition: Condition, holds: str) -> Rows:
        """Return the table with a condition as its last column, which is called `holds`."""
        text = condition.text
        if condition.column is not None:
            column = self._engine.capabilities.folding.spelling(condition.column, table.columns) or condition.column
            present(table, [column], "column")
            # The text is the engine's own SQL, whatever dialect the project's is written in.
            text = f"{_quoted(column, self._engine.dialect)} {text}"
        found = self._engine.asked(
            f"SELECT checked.*, (\n{text}\n) AS {holds} FROM (\n{self._engine.compiled(table)}\n) AS checked"
        )
        self._engine.preparing.says(require_condition, found, holds, condition.text)
        return found

    def _of_sql(self, check: Check, body: SqlBody) -> Rows:
        own = check.own
        assert own is not None
        dialect = self._project.dialect or self._engine.dialect
        names = names_of(check.arguments, lambda column: _quoted(column, dialect))
        scope = replace(self._project.scope, names=names)
        tables = Tables(replace(self._project, scope=scope), self._engine, instead=self._instead)
        if not own.alone:
            tables.give(CHECKED, self.checked(check))
        text = tables.sql(self._as_model(check), body.template, is_incremental=False)
        if not own.alone:
            checked = self._engine.compiled(self.checked(check))
            text = f"WITH {CHECKED} AS (\n{checked}\n) SELECT * FROM (\n{text}\n) AS failing"
        with located(body.template):
            return self._engine.asked(text)

    def _of_python(self, check: Check, body: PythonBody) -> Rows:
        import ibis.expr.types as ir

        own = check.own
        assert own is not None
        tables = [] if own.alone else [self._named(self.checked(check), check).table()]
        tables += [self._tables.table(found.node) for found in check.inputs]
        with UserCode(PythonModelFailed, f'check "{own.name}"', own.at.path):
            result: Any = body.function(*tables, **check.arguments)
        if not isinstance(result, ir.Table):
            kind = type(result)
            raise WrongResult(
                f'check "{own.name}" returned "{kind.__module__}.{kind.__name__}", and should return an Ibis table',
                at=own.at,
                hint="return the failing rows",
            )
        self._tables.own(result, self._as_model(check))
        return Built(result)

    def _as_model(self, check: Check) -> Model:
        """Return a check of the project's own as what the reader of texts and functions knows."""
        assert check.own is not None
        return Model(name=check.own.name, body=check.own.body, at=check.own.at, inputs=check.inputs)


def require_condition(table: ir.Table, holds: str, text: str) -> bool:
    """Raise `BadValue` where what a check takes for a condition is no question of yes or no."""
    if table[holds].type().is_boolean():
        return True
    raise BadValue(
        f'expression is "{text}", of the type "{table[holds].type()}"', hint="write a condition, which is true or false"
    )


def is_derived(rows: ir.Table, checked: ir.Table) -> bool:
    """Whether a table is made of another one row by row: by filters, projections, and joins with tables besides.

    Examples
    --------
    >>> import ibis
    >>> table = ibis.table({"id": "int64"}, name="orders")
    >>> other = ibis.table({"id": "int64"}, name="customers")
    >>> is_derived(table.filter(table.id > 1).anti_join(other, "id"), table)
    True
    >>> is_derived(table.filter(table.id == table.id.max()), table)
    False
    """
    return _is_derived(rows.op(), checked.op())


def _is_derived(rows: ops.Node, checked: ops.Node) -> bool:
    import ibis.expr.operations as ops

    several = (ops.Analytic, ops.Reduction, ops.Subquery, ops.WindowFunction)
    if rows == checked:
        return True
    if isinstance(rows, ops.Filter):
        return not any(value.find(several) for value in rows.predicates) and _is_derived(rows.parent, checked)
    if isinstance(rows, ops.DropColumns):
        return _is_derived(rows.parent, checked)
    if isinstance(rows, ops.Project):
        return not any(value.find(several) for value in rows.values.values()) and _is_derived(rows.parent, checked)
    if isinstance(rows, ops.JoinChain):
        besides = not any(checked in link.table.find(type(checked)) for link in rows.rest)
        kinds = {link.how for link in rows.rest} <= {"anti", "semi", "left", "inner"}
        return besides and kinds and _is_derived(rows.first.parent, checked)
    return False


def _texts(values: Iterable[object]) -> Iterator[str]:
    """Yield the texts among the arguments of a check, of which some are the names of columns."""
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):
            yield from _texts(value.values())
        elif isinstance(value, list | tuple | set | frozenset):
            yield from _texts(value)


def _quoted(column: str, dialect: str) -> str:
    from sqlglot import exp

    return exp.to_identifier(column, quoted=True).sql(dialect=dialect)
