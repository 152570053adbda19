"""Whether a SELECT gives the same rows whenever it is run over the same tables. Pure; it doubts what it cannot know."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp

_VOLATILE = re.compile(
    r"Current|Rand|Uuid|Session|Local|Systimestamp|Utc|NextValue|Uniform|Normal$|Seq\d|Generator|Generate(?!Series|Date"
    r"|Timestamp)|Read|Shuffle|Now$"
)
"""How the names begin of the parser's classes for functions that ask for the moment, for chance, or for a file."""
_SAID_OTHERWISE = {"age", "current_setting", "getenv", "getvariable", "version"}
"""Functions that an engine calls steady, and that ask for the moment or for a setting all the same."""
_MOMENTS = {"now", "today", "tomorrow", "yesterday"}
"""Texts that become a moment where they are cast to one."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a SELECT's text tells of it, whatever stands in the warehouse.

    Parameters
    ----------
    tables
        What it reads, but for its own parts: schema and name in lower case, and both as they are written.
    why
        Why it is not steady in itself; None where nothing of that is seen.
    functions
        The functions that the parser does not know, in lower case.
    """

    tables: tuple[tuple[str, str, str], ...] = ()
    why: str | None = None
    functions: tuple[str, ...] = ()


def facts(sql: str, dialect: str) -> Facts:
    """Return what can be seen in one SELECT, which is written in a dialect.

    Examples
    --------
    >>> facts("select id, half(v) from demo.Events", "duckdb")
    Facts(tables=(('demo', 'events', 'demo.Events'),), why=None, functions=('half',))
    """
    import sqlglot

    try:
        tree = sqlglot.parse_one(sql, read=dialect)
    except sqlglot.ParseError:
        return Facts(why="its SQL is beyond the parser, so it cannot be seen what it reads")
    named: set[str] = set()
    reasons = (_of_node(node, named) for node in tree.walk())
    why = next((reason for reason in reasons if reason is not None), None)
    return Facts(tuple(_tables(tree)), why, tuple(sorted(named)))


def doubt(found: Facts, tables: Set[tuple[str, str]], steady: Callable[[Set[str]], Set[str]]) -> str | None:
    """Return why a SELECT may give other rows when it is run again over the same tables; None where it cannot.

    Parameters
    ----------
    found
        What its text tells.
    tables
        What it is known to read, as schema and name in lower case.
    steady
        Returns those of the functions, in lower case, that give the same for the same arguments at any time.

    Examples
    --------
    >>> known = {("demo", "events")}
    >>> doubt(facts("select id from demo.events", "duckdb"), known, lambda names: names) is None
    True
    >>> doubt(facts("select id, now() as at from demo.events", "duckdb"), known, lambda names: set())
    'it calls "now"'
    >>> doubt(facts("select id from raw.events", "duckdb"), known, lambda names: names)
    'it reads "raw.events" without ref() or source()'
    """
    for database, name, written in found.tables:
        if (database, name) not in tables:
            return f'it reads "{written}" without ref() or source()'
    if found.why is not None:
        return found.why
    named = frozenset(found.functions)
    for name in sorted(named - steady(named) if named else ()):
        return f'it calls "{name}"'
    return None


def _tables(tree: exp.Expr) -> Iterator[tuple[str, str, str]]:
    from sqlglot import exp

    inside = {cte.alias.casefold() for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            continue  # A function, which is looked at as such.
        database, name = table.db.casefold(), table.name.casefold()
        if database or name not in inside:
            yield database, name, ".".join(part.name for part in table.parts)


def _of_node(node: exp.Expr, named: set[str]) -> str | None:
    """Return why one part of a SELECT is not steady; a function that the parser does not know goes to `named`."""
    from sqlglot import exp

    if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc):
        name = str(node.name or node.this).casefold()
        if name in _SAID_OTHERWISE:
            return f'it calls "{name}"'
        named.add(name)
    elif isinstance(node, exp.Func) and (_VOLATILE.match(type(node).__name__) or _is_of_now(node)):
        return f'it calls "{node.sql_name().casefold()}"'
    elif isinstance(node, exp.TableSample):
        return "it takes a sample"
    elif isinstance(node, exp.Literal) and node.is_string and node.name.strip().casefold() in _MOMENTS:
        return f"it names the moment '{node.name}'"
    elif isinstance(node, exp.Placeholder | exp.Parameter | exp.SessionParameter):
        return "it has a parameter"
    return None


def _is_of_now(node: exp.Expr) -> bool:
    """Whether a function means the present moment where it has no argument."""
    from sqlglot import exp

    return isinstance(node, exp.StrToUnix | exp.TimeToUnix) and node.this is None
