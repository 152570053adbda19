"""An Ibis expression as an engine's SQL, SQL texts in it as they were written, and what cannot be compiled."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from fastflowtransform.engines.quoting import quoted
from fastflowtransform.errors import BadSql
from fastflowtransform.rows import Named

if TYPE_CHECKING:
    import ibis.expr.operations as ops
    import ibis.expr.types as ir
    from ibis.backends.sql import SQLBackend
    from ibis.expr.schema import Schema


class Texts:
    """SQL texts that stand in expressions under a name, and are sent as they were written, not as a parser would.

    Parameters
    ----------
    quote
        How the engine writes a name.
    """

    def __init__(self, quote: Callable[[str], str] = quoted) -> None:
        self._quote = quote
        self._numbers = itertools.count(1)
        self._texts: dict[str, str] = {}
        self._compiled: dict[ops.Node, str] | None = None

    def restart(self) -> None:
        """Forget the texts, and remember from now on what an expression was compiled to.

        Names begin anew, so the same steps over other rows build equal expressions, which need no compiling then.
        """
        self._numbers = itertools.count(1)
        self._texts = {}
        self._compiled = {} if self._compiled is None else self._compiled

    def named(self, text: str, columns: Mapping[str, str], schema: Callable[[], Schema]) -> Named:
        """Return what a SELECT gives, for expressions to build on; `schema` gives its columns as Ibis has them."""
        name = f"__fft_query_{next(self._numbers)}"
        self._texts[name] = text

        def build() -> ir.Table:
            import ibis

            return ibis.table(schema(), name=name)

        return Named(self._quote(name), columns, build, text)

    def compiled(self, connection: SQLBackend, table: ir.Table, *, pretty: bool = False) -> str:
        """Return the SQL of an expression, with each text that it reads in front of it."""
        import ibis.expr.operations as ops

        names = {found.name for found in table.op().find(ops.UnboundTable)} & self._texts.keys()
        if isinstance(table.op(), ops.UnboundTable) and names:
            return self._texts[table.get_name()]
        select = self._select(connection, table, pretty=pretty)
        if not names:
            return select
        queries = ", ".join(f"{self._quote(name)} AS (\n{self._texts[name]}\n)" for name in sorted(names))
        return f"WITH {queries} SELECT * FROM (\n{select}\n) AS model"

    def _select(self, connection: SQLBackend, table: ir.Table, *, pretty: bool) -> str:
        if self._compiled is None or pretty:
            return compiled(connection, table, pretty=pretty)
        if table.op() not in self._compiled:
            self._compiled[table.op()] = compiled(connection, table)
        return self._compiled[table.op()]


def compiled(connection: SQLBackend, table: ir.Table, *, pretty: bool = False) -> str:
    """Return the SQL of a table expression.

    Parameters
    ----------
    connection
        The backend to compile for.
    table
        The expression.
    pretty
        Whether people will read it: one clause a line.

    Raises
    ------
    BadSql
        The engine has no such operation, or the text of a SQL model is beyond the parser.
    """
    import sqlglot
    from ibis.common.exceptions import IbisError

    try:
        return str(connection.compile(table, pretty=pretty))
    except sqlglot.ParseError as error:
        first = error.errors[0] if error.errors else {}
        raise BadSql(
            f'cannot parse the SQL: "{first.get("description") or error}"', hint="write it in a simpler form"
        ) from error
    except IbisError as error:
        raise BadSql(f'this expression has no translation into "{connection.name}": "{error}"') from error


def for_dialect(table: ir.Table, dialect: str) -> str:
    """Return the SQL of a table expression in another dialect than its connection's.

    Raises
    ------
    BadSql
        The dialect has no such operation.
    """
    import ibis
    from ibis.common.exceptions import IbisError

    try:
        return str(ibis.to_sql(table, dialect={"spark": "pyspark"}.get(dialect, dialect)))
    except IbisError as error:
        raise BadSql(f'this expression has no translation into "{dialect}": "{error}"') from error
