"""An Ibis expression as an engine's SQL, with what cannot be compiled told in our own words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastflowtransform.errors import BadSql

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from ibis.backends.sql import SQLBackend


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
