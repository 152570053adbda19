"""A model's text in the words of the engine at hand: with the columns of what it reads, and by the rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from fastflowtransform import engines
from fastflowtransform.errors import (
    BadSql,
    ColumnsUnknown,
    Location,
    NoTranslation,
    RefusedByDialect,
    RelationMissing,
)
from fastflowtransform.template import Template

if TYPE_CHECKING:
    from sqlglot import exp

    from fastflowtransform.translation import Refusal
    from fastflowtransform.translation import Relation as Bound

Columns = Callable[[tuple[str, ...]], "Bound"]
"""Gives the columns of a table by the parts of its name; raises `RelationMissing` where nobody knows them."""


def parsed(text: str, dialect: str, at: Location) -> exp.Expr:
    """Return one SELECT as a tree.

    Raises
    ------
    BadSql
        It cannot be parsed, or is anything else.
    """
    import sqlglot
    from sqlglot import exp

    try:
        statements = [statement for statement in sqlglot.parse(text, read=dialect) if statement is not None]
    except sqlglot.ParseError as error:
        raise unparsed(error, at, dialect) from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise BadSql("a model's SQL is one SELECT", at=at, hint="take other statements away")
    return statements[0]


def unparsed(error: object, at: Location, dialect: str | None) -> BadSql:
    """Return the error for SQL that cannot be parsed."""
    from sqlglot import ParseError

    assert isinstance(error, ParseError)
    first = error.errors[0] if error.errors else {}
    near = (first.get("highlight") or "").strip()
    where = f' near "{near}"' if near else ""
    line = Location(at.path, (at.line or 1) + first["line"] - 1) if first.get("line") else at
    kind = f' as "{dialect}"' if dialect else ""
    words = re.sub(r"\s*(but got )?<Token [^>]*>", "", first.get("description") or str(error)).rstrip(". ")
    return BadSql(f"cannot parse the SQL{kind}{where}: {words}", at=line)


def translated(
    text: str,
    dialects: tuple[str, str],
    source: Template | Location,
    columns: Columns,
    warn: Callable[[str], None] = lambda warning: None,
) -> str:
    """Return a SELECT of one dialect in another.

    Parameters
    ----------
    text
        The SELECT.
    dialects
        What it is written in, and what is wanted.
    source
        Where the text comes from.
    columns
        Gives the columns of what it reads.
    warn
        Is told what holds, and may surprise.

    Raises
    ------
    NoTranslation
        It has something of which nobody knows that it means the same there.
    ColumnsUnknown
        A rule needs the types of a table that does not exist yet.
    RefusedByDialect
        The text is none of its own dialect.
    """
    read, write = dialects
    at = source if isinstance(source, Location) else source.at
    tree = parsed(text, read, at)
    if not _covers(read, write):
        return _by_the_parser(tree, read, write, at)
    from fastflowtransform.translation import Request, Unbound, translate

    tables = []
    for parts in tables_of(tree):
        try:
            tables.append(columns(parts))
        except RelationMissing as error:
            if isinstance(source, Template):
                untried(text, dialects, source)
            raise ColumnsUnknown(
                f'the columns of "{".".join(parts)}" are not known, and a translation needs their types',
                at=at,
                hint="build it first, or declare the columns of a source in sources.yml",
            ) from error
    try:
        found = translate(Request(text, tree, write, tuple(tables)), engines.binder(read))
    except Unbound as error:
        raise RefusedByDialect(*_said_by_dialect(str(error), read, text, source)) from error
    if found.refusals:
        raise refused(found.refusals, text, dialects, source)
    for warning in found.warnings:
        warn(warning)
    return found.sql


def outputs(text: str, dialect: str, at: Location, columns: Columns) -> tuple[tuple[str, str], ...]:
    """Return the names and types of what a SELECT gives, in its own dialect's words.

    Raises
    ------
    RelationMissing
        The columns of a table that it reads are not known, or the dialect refuses the text.
    """
    from fastflowtransform.translation import Unbound

    tables = tuple(columns(parts) for parts in tables_of(parsed(text, dialect, at)))
    try:
        return engines.binder(dialect).columns(text, tables)
    except Unbound as error:
        raise RelationMissing(f"it is not known what the SQL gives: {error}", at=at) from error


def untried(text: str, dialects: tuple[str, str], source: Template) -> None:
    """Raise `NoTranslation` for a text with a construct that no rule knows, whatever it reads."""
    from fastflowtransform.translation import unknown

    if not _covers(*dialects):
        return
    tree = parsed(text, dialects[0], source.at)
    if found := unknown(text, tree, dialects[1]):
        raise refused(found, text, dialects, source)


def tables_of(tree: exp.Expr) -> list[tuple[str, ...]]:
    """Return the names of the tables that a SELECT reads, each once, without those that it defines."""
    from sqlglot import exp

    inside = {cte.alias.casefold() for cte in tree.find_all(exp.CTE)}
    found: dict[tuple[str, ...], None] = {}
    for table in tree.find_all(exp.Table):
        if isinstance(table.this, exp.Identifier) and (table.db or table.name.casefold() not in inside):
            found[(table.db, table.name) if table.db else (table.name,)] = None
    return list(found)


def has_rules(read: str, write: str) -> bool:
    """Whether texts of one dialect are translated into another by rules; else by the parser alone."""
    return read != write and _covers(read, write)


def _covers(read: str, write: str) -> bool:
    from fastflowtransform.translation import covers

    return covers(read, write)


def _by_the_parser(tree: exp.Expr, read: str, write: str, at: Location) -> str:
    import sqlglot

    try:
        return tree.sql(dialect=write, unsupported_level=sqlglot.ErrorLevel.RAISE)
    except sqlglot.UnsupportedError as error:
        raise BadSql(f'this SQL has no translation from "{read}" into "{write}": "{error}"', at=at) from error


def _said_by_dialect(message: str, dialect: str, text: str, source: Template | Location) -> tuple[str, Location]:
    """Return what the dialect says of its own text, and the line."""
    lines = message.strip().splitlines()
    first = lines[0].partition(": ")[2] or lines[0]
    number = next((int(found[1]) for line in lines if (found := re.match(r"LINE (\d+):", line))), None)
    # The first line of what was bound stands before the text.
    at = _place(text, None if number is None else number - 1, "", source)
    return f'this is not SQL of "{dialect}": {first}', at


def refused(
    refusals: Iterable[Refusal], text: str, dialects: tuple[str, str], source: Template | Location
) -> NoTranslation:
    """Return the error for the constructs of one text that have no translation."""
    read, write = dialects
    items = []
    for found in refusals:
        at = _place(text, found.line, found.word, source)
        why = f": {found.why}" if found.why else ""
        items.append((f'"{found.word}"{why}', at, found.instead))
    return NoTranslation.of(items, read, write)


def _place(text: str, number: int | None, word: str, source: Template | Location) -> Location:
    """Return the place in the file for a line of the rendered text."""
    if isinstance(source, Location):
        return source if number is None else Location(source.path, (source.line or 1) + number - 1)
    if number is None:
        return source.at
    written, rendered = source.text.splitlines(), text.splitlines()
    line = rendered[number - 1].strip() if number <= len(rendered) else ""
    same = [place for place, each in enumerate(written, start=1) if line and each.strip() == line]
    if len(same) == 1:
        return source.line(same[0])
    holding = [place for place, each in enumerate(written, start=1) if word and word in each.lower()]
    if len(holding) == 1:
        return source.line(holding[0])
    if len(written) == len(rendered):
        return source.line(number)
    near = [place for place in holding if place >= number]
    return source.line(near[0] if near else min(number, len(written)))
