"""Whether a SELECT gives the same rows whenever it is run over the same tables. Pure; it doubts what it cannot know."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastflowtransform.names import Folding

if TYPE_CHECKING:
    from sqlglot import exp

BEYOND = "its SQL is beyond the parser, so it cannot be seen what it reads"
SAMPLE = "it takes a sample"
PARAMETER = "it has a parameter"

_VOLATILE = re.compile(
    r"Current|Rand|Uuid|Session|Local|Systimestamp|Utc|NextValue|Uniform|Normal$|Seq\d|Generator|Generate(?!Series|Date"
    r"|Timestamp)|Read|Shuffle|Now$"
)
"""How the names begin of the parser's classes for functions that ask for the moment, for chance, or for a file."""
SAID_OTHERWISE = frozenset({"age", "current_setting", "getenv", "getvariable", "version"})
"""Functions that an engine calls steady, and that ask for the moment or for a setting all the same."""
_MOMENT = re.compile(r"(?<![^\W\d_])(now|today|tomorrow|yesterday)(?![^\W\d_])", re.IGNORECASE)
"""Words of a text that make it another moment each day where it is cast to one."""
_OF_TIME = re.compile(r"Date|Time|StrTo|UnixTo|TsOrDs|Current")
"""How the names begin of the parser's classes for functions that give a date or a time."""
_CODES = re.compile(r"\\[xuU0-9]")
BARE = frozenset(
    re.findall(
        r"\w+",
        "current_catalog current_database current_date current_role current_schema current_time current_timestamp "
        "current_timezone current_user getdate localtime localtimestamp session_user sysdate systimestamp "
        "system_user user",
    )
)
"""Names that are functions without a parenthesis, unless they are columns."""
PLACES = frozenset(
    re.findall(
        r"\w+",
        "rowid ctid xmin xmax cmin cmax tableoid _metadata",
    )
)
"""Columns that say where a row lies or who wrote it, which is another place for the same rows written anew."""
_RESERVED = frozenset(
    re.findall(
        r"\w+",
        "all and any array as between by case cast distinct else except exists from group having in interval "
        "intersect is join lateral like limit not offset on or order over partition row select some then union "
        "using values when where with",
    )
)
"""Words before a parenthesis that no engine lets be the name of a function that is called."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a SELECT's text tells of it, whatever stands in the warehouse.

    Parameters
    ----------
    tables
        What it reads, but for its own parts: the parts of each name, as the engine compares them.
    why
        Why it is not steady in itself; None where nothing of that is seen.
    functions
        What it calls, in lower case; with what stands before a dot, where there is one. `v::` is a column that is cast
        to a date or a time, and `::` any other text that may be.
    """

    tables: tuple[tuple[str, ...], ...] = ()
    why: str | None = None
    functions: tuple[str, ...] = ()


def facts(sql: str, dialect: str, folding: Folding = Folding.ASCII, *, has_moments: bool = False) -> Facts:
    """Return what can be seen in one SELECT, which is written in a dialect.

    Parameters
    ----------
    sql, dialect
        The text.
    folding
        How the engine compares names; where it tells all apart, a name without quotes is in lower case.
    has_moments
        Whether a text of a table that is cast can mean the present day, as `today` does.

    Examples
    --------
    >>> facts("with x as (select 1 as v) select half(x.v) from x, demo.Events", "duckdb")
    Facts(tables=(('demo', 'events'),), why=None, functions=('half',))
    >>> facts("with hidden as (select * from hidden) select * from hidden", "duckdb").tables
    (('hidden',),)
    """
    import sqlglot
    from sqlglot import exp

    try:
        tree = sqlglot.parse_one(sql, read=dialect)
    except (sqlglot.ParseError, RecursionError):
        return Facts(why=BEYOND)
    if not isinstance(tree, exp.Query | exp.Pivot):
        return Facts(why=BEYOND)
    why = next((reason for node in tree.walk() if (reason := _of_node(node)) is not None), None)
    tables = dict.fromkeys(_tables(tree, frozenset(), folding))
    casts = {f"{name}::" for name in _cast_to_moments(tree)} if has_moments else set()
    return Facts(tuple(tables), why, tuple(sorted({*_called(sql, dialect, tree), *casts})))


def doubt(found: Facts, tables: Set[tuple[str, ...]], steady: Callable[[Set[str]], Set[str]]) -> str | None:
    """Return why a SELECT may give other rows when it is run again over the same tables; None where it cannot.

    Parameters
    ----------
    found
        What its text tells.
    tables
        What it is known to read, as the parts of names.
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
    for parts in found.tables:
        if parts not in tables:
            return f'it reads "{".".join(parts)}" without ref() or source()'
    return found.why or unsteady(found, steady)


def unsteady(found: Facts, steady: Callable[[Set[str]], Set[str]]) -> str | None:
    """Return which function of a SELECT may give something else another time, in words; None where none may."""
    named = frozenset(found.functions)
    for name in sorted(named - steady(named) if named else ()):
        if name.endswith("::"):
            return f"it casts {name[:-2] or 'a text'} to a date or a time, and 'today' would be another one each day"
        return f'it calls "{name}"'
    return None


def moment(text: str) -> str | None:
    """Return why a text is a doubtful one: it is a moment that moves, where it is cast to one.

    Examples
    --------
    >>> moment("Yesterday 04:00"), moment("nowhere")
    ("it names the moment 'Yesterday 04:00'", None)
    """
    return f"it names the moment '{text}'" if _MOMENT.search(text) else None


def bare(name: str) -> str | None:
    """Return why a name that stands for itself is doubtful: it is a function, or says where a row lies."""
    folded = name.casefold()
    if folded in BARE:
        return f'it calls "{folded}"'
    return f'it reads "{folded}", which is where a row lies' if folded in PLACES else None


def _tables(node: exp.Expr, visible: Set[str], folding: Folding) -> Iterator[tuple[str, ...]]:
    """Yield the names that a part of a SELECT reads, but for those of the expressions that it sees.

    A common table expression is seen by what follows it, and where it calls itself by the second half of its union.
    """
    from sqlglot import exp

    if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
        parts = tuple(_folded(part, folding) for part in node.parts)
        if len(parts) > 1 or parts[0] not in visible:
            yield parts
    within: Any = node.args.get("with_")
    for cte in () if within is None else within.expressions:
        name = _folded(cte.args["alias"].this, folding)
        body = cte.this
        if within.args.get("recursive") and isinstance(body, exp.SetOperation):
            yield from _tables(body.this, visible, folding)
            yield from _tables_of(body, visible | {name}, "this", folding)
        else:
            yield from _tables(body, visible, folding)
        visible = visible | {name}
    yield from _tables_of(node, visible, "with_", folding)


def _tables_of(node: exp.Expr, visible: Set[str], without: str, folding: Folding) -> Iterator[tuple[str, ...]]:
    """Yield what the parts of a node read, less one of them."""
    for key, value in node.args.items():
        for part in value if isinstance(value, list) else [value]:
            if key != without and hasattr(part, "args"):
                yield from _tables(part, visible, folding)


def _folded(part: exp.Expr, folding: Folding) -> str:
    """Return a part of a name as the engine compares it."""
    return folding.fold(part.name if part.args.get("quoted") or folding is not Folding.NONE else part.name.lower())


def _called(sql: str, dialect: str, tree: exp.Expr) -> Iterator[str]:
    """Yield what stands in front of a parenthesis, as it is written: the parser knows some functions by other names.

    Of the names that aliases with columns have, as in `t(a, b)`, one is left out for each such alias.
    """
    import sqlglot
    from sqlglot import TokenType, exp

    found: Counter[str] = Counter()
    tokens = sqlglot.tokenize(sql, read=dialect)
    for number, (token, following) in enumerate(zip(tokens, tokens[1:], strict=False)):
        before = tokens[number - 1] if number else None
        word = token.text.lower()
        is_quoted = token.token_type is TokenType.IDENTIFIER
        is_word = is_quoted or re.fullmatch(r"[^\W\d]\w*", word) is not None
        if following.token_type is not TokenType.L_PAREN or not is_word or (word in _RESERVED and not is_quoted):
            continue
        if before is not None and before.token_type is TokenType.DOT:
            found[f"{tokens[number - 2].text.lower()}.{word}"] += 1
        elif before is None or before.token_type is not TokenType.ALIAS:
            found[word] += 1
    for alias in tree.find_all(exp.TableAlias):
        if alias.args.get("columns") and found[alias.name.lower()] > 0:
            found[alias.name.lower()] -= 1
    return (name for name, number in found.items() if number > 0)


def _cast_to_moments(tree: exp.Expr) -> Iterator[str]:
    """Yield the columns whose texts may be cast to dates or times, and '' for any other text that may be."""
    from sqlglot import exp

    for cast in tree.find_all(exp.Cast, exp.Date, exp.TsOrDsToDate):
        if not isinstance(cast, exp.Cast) or cast.to.is_type(*exp.DataType.TEMPORAL_TYPES, "time", "timetz"):
            yield from _texts_in(cast.this)


def _texts_in(value: exp.Expr | None) -> Iterator[str]:
    """Yield the columns that may be the text of a value, and '' where it is a text that something else gives."""
    from sqlglot import exp

    if isinstance(value, exp.Column):
        yield value.name.lower() if not value.this.args.get("quoted") else value.name
    elif isinstance(value, exp.Paren | exp.Min | exp.Max):
        yield from _texts_in(value.this)
    elif isinstance(value, exp.Coalesce):
        for part in (value.this, *value.expressions):
            yield from _texts_in(part)
    elif not (
        value is None
        or isinstance(value, exp.Literal | exp.Null | exp.Add | exp.Sub | exp.Interval)
        or (isinstance(value, exp.Cast) and not value.to.is_type(*exp.DataType.TEXT_TYPES))
        or (isinstance(value, exp.Func) and _OF_TIME.match(type(value).__name__))
    ):
        yield ""


def _of_node(node: exp.Expr) -> str | None:
    """Return why one part of a SELECT is not steady."""
    from sqlglot import exp

    if isinstance(node, exp.Func) and (_VOLATILE.match(type(node).__name__) or _is_of_now(node)):
        return f'it calls "{node.sql_name().casefold()}"'
    if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc):
        name = str(node.name or node.this).casefold()
        return f'it calls "{name}"' if name in SAID_OTHERWISE else None
    if isinstance(node, exp.TableSample):
        return SAMPLE
    if isinstance(node, exp.Literal) and node.is_string:
        return moment(node.name)
    if isinstance(node, exp.RawString | exp.National | exp.ByteString | exp.UnicodeString):
        return "it spells a text by the codes of letters" if _CODES.search(str(node.this)) else moment(str(node.this))
    if isinstance(node, exp.Column) and not (node.table or node.this.args.get("quoted")):
        return bare(node.name)
    if isinstance(node, exp.Column):
        return bare(node.name) if node.name.casefold() in PLACES else None
    if isinstance(node, exp.Placeholder | exp.Parameter | exp.SessionParameter):
        return PARAMETER
    return BEYOND if isinstance(node, exp.Command | exp.Describe | exp.Show) else None


def _is_of_now(node: exp.Expr) -> bool:
    """Whether a function means the present moment where it has no argument."""
    from sqlglot import exp

    return isinstance(node, exp.StrToUnix | exp.TimeToUnix) and node.this is None
