"""Tables that are in a SQL text in the place of relations, under the names of those: `orders.id` means what it says.

A relation is read under another name where its rows are staged or given by a test, and where it is an ephemeral model.
The text is not parsed, and keeps each character but for names: parsers read only a part of everyday SQL.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fastflowtransform.relation import Relation
from fastflowtransform.sql_model import quoted_in

if TYPE_CHECKING:
    from sqlglot import Token

_FROM = {"from", "join", "straight_join", "pivot", "unpivot"}
"""After these words, and after a comma in the list that they begin, a table is named."""
_CALLS = {"extract", "overlay", "substring", "trim"}
"""Functions in whose arguments a FROM is something else."""
_CLAUSES = {"select", "where", "group", "having", "order", "qualify", "limit", "window", "union", "except", "intersect"}
_NO_ALIAS = {
    *_FROM,
    *_CLAUSES,
    *("anti", "asof", "at", "cross", "fetch", "for", "full", "inner", "lateral", "left", "minus", "natural", "offset"),
    *(
        "on",
        "outer",
        "positional",
        "right",
        "sample",
        "semi",
        "set",
        "sort",
        "tablesample",
        "using",
        "values",
        "version",
    ),
    *("cluster", "distribute", "timestamp", "with", "where"),
}
"""Words that follow a table and are no alias of it."""


class StandIn(NamedTuple):
    """What a text reads in the place of a relation.

    Parameters
    ----------
    name
        The parts of its name in the text; one part where it is a common table expression.
    relation
        What it is there for.
    """

    name: tuple[str, ...]
    relation: Relation


class _Parenthesis:
    """What is open at a place in the text: a list of tables, or the arguments of `extract` and its kind."""

    def __init__(self, *, in_from: bool = False, is_call: bool = False) -> None:
        self.in_from, self.is_call = in_from, is_call


class _Reading(NamedTuple):
    """A place in the text where a stand-in is read, without an alias of the user's."""

    stand_in: StandIn
    end: int
    among: _Parenthesis


def with_own_names(text: str, stand_ins: Sequence[StandIn], dialect: str) -> str:
    """Return a SQL text in which stand-ins can be called as their relations are, with and without the schema.

    Parameters
    ----------
    text
        The text, which reads the stand-ins under their own names.
    stand_ins
        What it reads.
    dialect
        What it is written in.

    Examples
    --------
    >>> orders = StandIn(("__x_orders",), Relation("demo", "orders"))
    >>> with_own_names('select orders.id from "__x_orders" where demo.orders.id > 1', [orders], "duckdb")
    'select orders.id from "__x_orders" AS "orders" where "orders".id > 1'
    >>> with_own_names('select o.id from "__x_orders" o', [orders], "duckdb")
    'select o.id from "__x_orders" o'
    """
    wanted = [each for each in stand_ins if _is_mentioned(each, text)]
    if not wanted:
        return text
    import sqlglot

    try:
        tokens = sqlglot.tokenize(text, read=dialect)
    except sqlglot.TokenError:
        return text  # The engine says what is wrong with it, better than this could.
    return _Names(text, tokens, wanted, dialect).written()


def _is_mentioned(stand_in: StandIn, text: str) -> bool:
    """Whether a text has the relation's name, as a word, anywhere but in the stand-in's own."""
    word = stand_in.relation.database if len(stand_in.name) > 1 else stand_in.relation.name
    pattern = rf"(?<!\w){re.escape(word)}(?!\w)"
    own = len(re.findall(pattern, stand_in.name[0], re.IGNORECASE)) if len(stand_in.name) == 1 else 0
    mentions = len(re.findall(pattern, text, re.IGNORECASE))
    return mentions > own * text.count(stand_in.name[0])


class _Names:
    """The names of stand-ins in one text."""

    def __init__(self, text: str, tokens: Sequence[Token], stand_ins: Sequence[StandIn], dialect: str) -> None:
        from sqlglot import TokenType

        self._text, self._tokens, self._dialect = text, tokens, dialect
        self._quoted, self._dot, self._comma = TokenType.IDENTIFIER, TokenType.DOT, TokenType.COMMA
        self._open, self._close, self._as = TokenType.L_PAREN, TokenType.R_PAREN, TokenType.ALIAS
        self._strings = {TokenType.STRING, TokenType.NATIONAL_STRING, TokenType.NUMBER}
        self._by_name = {each.name[0]: each for each in stand_ins if len(each.name) == 1}
        self._by_relation = {each.relation.folded: each for each in stand_ins}

    def written(self) -> str:
        """Return the text with the names."""
        readings, qualifiers = self._found()
        alike = self._alike(readings)
        edits = [(found.end, found.end, f" AS {self._alias(found.stand_in, alike)}") for found in readings]
        edits += [(start, end, self._alias(stand_in, alike)) for stand_in, start, end in qualifiers]
        text = self._text
        for start, end, new in sorted(edits, reverse=True):
            text = f"{text[:start]}{new}{text[end:]}"
        return text

    def _alike(self, readings: Sequence[_Reading]) -> set[StandIn]:
        """Return the stand-ins that are beside another one of their name, as in `from raw.orders, demo.orders`."""
        beside: Mapping[tuple[int, str], set[StandIn]] = defaultdict(set)
        for found in readings:
            beside[id(found.among), found.stand_in.relation.name.casefold()].add(found.stand_in)
        return {each for group in beside.values() if len(group) > 1 for each in group}

    def _alias(self, stand_in: StandIn, alike: set[StandIn]) -> str:
        relation = stand_in.relation
        return quoted_in((str(relation) if stand_in in alike else relation.name,), self._dialect)

    def _found(self) -> tuple[list[_Reading], list[tuple[StandIn, int, int]]]:
        """Return where stand-ins are read, and where columns are called after them."""
        readings: list[_Reading] = []
        qualifiers: list[tuple[StandIn, int, int]] = []
        for place, is_table, among in self._places():
            token = self._tokens[place]
            found = self._by_name.get(token.text) if token.token_type is self._quoted else None
            if found is not None and self._is(place + 1, self._dot):
                qualifiers.append((found, token.start, token.end + 1))
            elif found is not None and is_table:
                if not self._has_alias(place + 1):
                    readings.append(_Reading(found, token.end + 1, among))
            elif not is_table and (found := self._qualified(place)) is not None:
                qualifiers.append((found, token.start, self._tokens[place + 2].end + 1))
        return readings, qualifiers

    def _places(self) -> Iterator[tuple[int, bool, _Parenthesis]]:
        """Yield each place at which a name begins, whether it is a table's, and the parenthesis that it is in."""
        stack = [_Parenthesis()]
        is_table = False
        for place, token in enumerate(self._tokens):
            kind, word = token.token_type, self._word(place)
            if kind is self._open:
                stack.append(_Parenthesis(in_from=is_table, is_call=self._word(place - 1) in _CALLS))
                continue
            if kind is self._close:
                stack = stack[:-1] or [_Parenthesis()]
            elif kind is self._comma:
                is_table = stack[-1].in_from
                continue
            elif word in _FROM and not stack[-1].is_call and self._word(place - 1) != "distinct":
                stack[-1].in_from = is_table = True
                continue
            elif word.split(" ")[0] in _CLAUSES:
                stack[-1].in_from = False
            elif kind is not self._dot and not self._is(place - 1, self._dot):
                yield place, is_table, stack[-1]
            is_table = False

    def _word(self, place: int) -> str:
        """Return a word that is not quoted, in lower case; an empty text for anything else."""
        token = self._tokens[max(place, 0)]
        return "" if token.token_type in {self._quoted, *self._strings} else token.text.casefold()

    def _is(self, place: int, kind: object) -> bool:
        return 0 <= place < len(self._tokens) and self._tokens[place].token_type is kind

    def _has_alias(self, place: int) -> bool:
        """Whether the user gives the table before a place an alias."""
        if place >= len(self._tokens):
            return False
        if self._is(place, self._quoted) or self._is(place, self._as):
            return True
        word = self._word(place)
        return word.replace("_", "a").isalnum() and word.split(" ")[0] not in _NO_ALIAS

    def _qualified(self, place: int) -> StandIn | None:
        """Return the stand-in for the relation that `schema.table.` at a place names."""
        if not (self._is(place + 1, self._dot) and self._is(place + 3, self._dot)):
            return None
        return self._by_relation.get((self._tokens[place].text.casefold(), self._tokens[place + 2].text.casefold()))
