"""A clock that stands: what a model reads as the time of its run, replaced by one instant."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from fastflowtransform.model import Model
from fastflowtransform.normalize import Tables
from fastflowtransform.rows import Built, Rows
from fastflowtransform.template import Template

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

    from fastflowtransform.engines.base import Engine, Select
    from fastflowtransform.project import Project
    from fastflowtransform.relation import Relation

# What each word is, and whether it stands without parentheses too.
_WORDS = {
    "current_timestamp": ("timestamptz", True),
    "current_date": ("date", True),
    "current_time": ("time", True),
    "localtimestamp": ("timestampntz", True),
    "localtime": ("time", True),
    "now": ("timestamptz", False),
    "get_current_timestamp": ("timestamptz", False),
    "transaction_timestamp": ("timestamptz", False),
    "statement_timestamp": ("timestamptz", False),
    "clock_timestamp": ("timestamptz", False),
    "current_localtimestamp": ("timestampntz", False),
    "current_localtime": ("time", False),
    "today": ("date", False),
}


class Stopped(Tables):
    """The tables of a project whose SQL and expressions read one instant as now.

    Parameters
    ----------
    project, engine
        As for `Tables`.
    now
        The instant, in UTC. None lets the clock run.
    relations
        What nodes are in a run.
    """

    def __init__(
        self, project: Project, engine: Engine, now: datetime | None, relations: Mapping[str, Relation]
    ) -> None:
        super().__init__(project, engine, relations=relations)
        self._now = now

    def read(self, sql: str, template: Template) -> Rows:
        """Return what a SQL text gives."""
        return super().read(self._stopped(sql), template)

    def selected(self, sql: str) -> Select:
        """Return a SQL text to make a table or view of."""
        return super().selected(self._stopped(sql))

    def _stopped(self, sql: str) -> str:
        return sql if self._now is None else stopped(sql, self._now, self._dialect)

    def own(self, rows: ir.Table | pa.RecordBatchReader, model: Model) -> Rows | pa.RecordBatchReader:
        """Return what a function gave."""
        import ibis
        import ibis.expr.operations as ops

        given = super().own(rows, model)
        if self._now is None or not isinstance(given, Built):
            return given
        table = given.table()
        instants: dict[Any, Any] = {}
        for node in table.op().find((ops.TimestampNow, ops.DateNow)):
            value = self._now.date() if isinstance(node, ops.DateNow) else self._now.replace(tzinfo=None)
            instants[node] = ibis.literal(value, type=node.dtype).op()
        return Built(table.op().replace(instants).to_expr()) if instants else given


def stopped(sql: str, now: datetime, dialect: str) -> str:
    """Return a SQL text with each word that asks for the time replaced by an instant in UTC; the rest stays as it is.

    Examples
    --------
    >>> from datetime import UTC
    >>> stopped("select now() - at, 'now()' from t", datetime(2026, 1, 2, tzinfo=UTC), "duckdb")
    "select CAST('2026-01-02 00:00:00+00:00' AS TIMESTAMPTZ) - at, 'now()' from t"
    """
    if not any(word in sql.casefold() for word in _WORDS):
        return sql
    import sqlglot
    from sqlglot import TokenType, exp

    tokens = sqlglot.tokenize(sql, read=dialect)
    for place in reversed(range(len(tokens))):
        token = tokens[place]
        word = token.text.casefold()
        if word not in _WORDS or token.token_type in (TokenType.STRING, TokenType.IDENTIFIER):
            continue
        if place and tokens[place - 1].token_type is TokenType.DOT:
            continue
        following = [found.token_type for found in tokens[place + 1 : place + 3]]
        called = following == [TokenType.L_PAREN, TokenType.R_PAREN]
        kind, alone = _WORDS[word]
        if called or (alone and following[:1] != [TokenType.L_PAREN]):
            end = tokens[place + 2].end if called else token.end
            value = exp.cast(exp.Literal.string(_instant(now, kind)), kind).sql(dialect=dialect)
            sql = f"{sql[: token.start]}{value}{sql[end + 1 :]}"
    return sql


def _instant(now: datetime, kind: str) -> str:
    if kind == "date":
        return now.date().isoformat()
    if kind == "time":
        return now.time().isoformat()
    return (now if kind == "timestamptz" else now.replace(tzinfo=None)).isoformat(" ")
