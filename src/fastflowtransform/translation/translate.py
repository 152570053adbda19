"""From a text to a text: bind, qualify, annotate with types, rewrite each part, and name what comes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from fastflowtransform.translation import rules
from fastflowtransform.translation.binding import Binder, Relation
from fastflowtransform.translation.outputs import name_outputs
from fastflowtransform.translation.prepare import expand_group_by_all, expand_order_aliases, mark_parameters, unnamed
from fastflowtransform.translation.rule import TARGETS, WARNING, Refused, Rewrite
from fastflowtransform.translation.structure import same_class
from fastflowtransform.translation.tree import line_of, mark_positions, word_of
from fastflowtransform.translation.types import Typer, built

SOURCE = "duckdb"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One construct of a text that has no translation.

    Parameters
    ----------
    word
        The construct, as the user wrote it.
    line
        Where it stands in the text, counted from 1; None where that is not known.
    why
        What would differ; empty where nobody has tried it.
    instead
        The portable way to write it, if there is one.
    """

    word: str
    line: int | None
    why: str
    instead: str | None


@dataclass(frozen=True, slots=True)
class Translation:
    """What came of a text.

    Parameters
    ----------
    sql
        The text for the target; empty where anything is refused.
    refusals
        What has no translation, in the order of the text.
    warnings
        What holds, and may surprise.
    """

    sql: str
    refusals: tuple[Refusal, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be translated.

    Parameters
    ----------
    text
        One SELECT.
    tree
        The same, parsed; it is changed.
    to
        The target's dialect.
    tables
        What it reads.
    """

    text: str
    tree: exp.Expr
    to: str
    tables: tuple[Relation, ...]


def covers(read: str, write: str) -> bool:
    """Whether there are rules from one dialect to another."""
    return read == SOURCE and write in TARGETS


def translate(request: Request, binder: Binder) -> Translation:
    """Translate a SELECT.

    Raises
    ------
    Unbound
        The text's own dialect refuses it.
    """
    outputs = binder.columns(request.text, request.tables)
    mark_positions(request.tree)
    names = _Names(request)
    nameless = unnamed(request.tree)
    try:
        tree = names.qualified(request.tree)
    except SqlglotError as error:
        return Translation("", (Refusal("select", 1, f"its names cannot be resolved: {error}", None),))
    expand_group_by_all(tree)
    mark_parameters(tree)
    Typer(binder, SOURCE, names.types).annotate(tree)
    expand_order_aliases(tree)
    tree, refusals, told = _rewritten(tree, request)
    if refusals:
        return Translation("", tuple(refusals))
    names.restore(tree)
    try:
        tree, warnings = name_outputs(tree, outputs, nameless, request.to)
    except Refused as refused:
        return Translation("", (Refusal("select", 1, refused.why, refused.instead),))
    return Translation(tree.sql(dialect=request.to), warnings=(*told, *warnings))


def _rewritten(tree: exp.Expr, request: Request) -> tuple[exp.Expr, list[Refusal], list[str]]:
    """Rewrite each part, inner ones first; a part keeps the type that it has in the source."""
    refusals: dict[tuple[str, int | None], Refusal] = {}
    warnings: dict[str, None] = {}
    for node in reversed(list(tree.walk(bfs=False))):
        try:
            rewrite = _rewrite_of(node, request.to)
            made = rewrite(node)
        except Refused as refused:
            word, line = word_of(node, request.text), line_of(node)
            refusals.setdefault((word, line), Refusal(word, line, refused.why, refused.instead))
            continue
        if (warning := made.meta.get(WARNING)) is not None:
            warnings[f"{warning}: {word_of(node, request.text)}"] = None
        if made is not node:
            made._type = node.type
            if node is tree:
                tree = made
            else:
                node.replace(made)
    return tree, sorted(refusals.values(), key=lambda found: found.line or 0), list(warnings)


def unknown(text: str, tree: exp.Expr, to: str) -> tuple[Refusal, ...]:
    """Return the constructs of a parsed SELECT that no rule knows, whatever the types are."""
    mark_positions(tree)
    found: dict[tuple[str, int | None], Refusal] = {}
    for node in tree.walk():
        try:
            _rewrite_of(node, to)
        except Refused as refused:
            word, line = word_of(node, text), line_of(node)
            found.setdefault((word, line), Refusal(word, line, refused.why, refused.instead))
    return tuple(sorted(found.values(), key=lambda one: one.line or 0))


def _rewrite_of(node: exp.Expr, to: str) -> Rewrite:
    found = rules.find(node, to)
    if found is not None:
        return found
    same = same_class(node)
    if same is None:
        raise Refused(instead=rules.instead(node))
    return same


class _Names:
    """The names of tables and columns: resolved in lower case, and written as they are in the warehouse."""

    def __init__(self, request: Request) -> None:
        self._spelt: dict[tuple[str, str], tuple[Relation, dict[str, str]]] = {}
        self.types: dict[tuple[str, str], dict[str, exp.DataType | None]] = {}
        for table in request.tables:
            key = (table.parts[-2].lower() if len(table.parts) > 1 else "", table.parts[-1].lower())
            self._spelt[key] = table, {column.lower(): column for column in table.columns}
            self.types[key] = {column.lower(): built(dtype, SOURCE) for column, dtype in table.columns.items()}

    def qualified(self, tree: exp.Expr) -> exp.Expr:
        """Return the text with each column's table, stars as columns, and names in lower case."""
        mapping: dict[str, Any] = {}
        for (database, name), columns in self.types.items():
            mapping.setdefault(database, {})[name] = {column: "TEXT" for column in columns}
        schema = MappingSchema(mapping, dialect=SOURCE)
        return qualify(tree, dialect=SOURCE, schema=schema, validate_qualify_columns=True)

    def restore(self, tree: exp.Expr) -> None:
        """Write tables, and columns that are read of them, as the warehouse has them."""
        for column in tree.find_all(exp.Column):
            known = self._spelt.get(column.meta.get("of", ("", "")))
            if known is not None and column.name.lower() in known[1]:
                column.set("this", exp.to_identifier(known[1][column.name.lower()], quoted=True))
        for table in tree.find_all(exp.Table):
            if (known := self._known(table)) is not None:
                relation = known[0]
                table.set("this", exp.to_identifier(relation.parts[-1], quoted=True))
                table.set("db", exp.to_identifier(relation.parts[-2], quoted=True) if len(relation.parts) > 1 else None)

    def _known(self, table: exp.Table) -> tuple[Relation, dict[str, str]] | None:
        return self._spelt.get((table.db.lower(), table.name.lower()))
