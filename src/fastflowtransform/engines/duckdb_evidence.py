"""What DuckDB says of texts, views and its settings.

It shows its own parser's tree, which is exact and takes a hundredth of the time that a parser in Python does.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Set
from typing import Any

from fastflowtransform import steady as steadiness
from fastflowtransform.engines.evidence import Definition
from fastflowtransform.engines.quoting import literal
from fastflowtransform.names import Folding
from fastflowtransform.relation import Relation
from fastflowtransform.steady import BEYOND, PARAMETER, SAMPLE, Facts

_fold = Folding.ASCII.fold
Rows = Callable[[str], list[tuple[Any, ...]]]

_FUNCTIONS = """
SELECT lower(function_name), bool_and(internal AND CASE
    WHEN function_type IN ('scalar', 'aggregate') THEN coalesce(stability = 'CONSISTENT', false)
    WHEN function_type = 'macro' THEN
        NOT regexp_matches(macro_definition, $$(?i)\\b(current_|duckdb_|pragma_|from\\b|sleep)$$)
    WHEN function_type = 'table' THEN function_name IN ('generate_series', 'range', 'repeat', 'repeat_row', 'unnest')
    ELSE false END)
FROM duckdb_functions() GROUP BY 1
"""
_REPLACED = """
SELECT 1 FROM duckdb_functions() WHERE NOT internal AND lower(function_name) IN (
    SELECT lower(function_name) FROM duckdb_functions() WHERE internal) LIMIT 1
"""
_UNSEEN = "*"
"""Stands for the functions that syntax calls, such as operators, where no tree shows them: macros can replace these."""
_WORDS = (
    "SELECT lower(keyword_name) FROM duckdb_keywords() UNION SELECT lower(type_name) FROM duckdb_types() WHERE internal"
)
_TYPES = (
    "SELECT schema_name, type_name, logical_type, labels::VARCHAR FROM duckdb_types() WHERE NOT internal ORDER BY ALL"
)
_SETTINGS = "SELECT name, value FROM duckdb_settings() ORDER BY ALL"
_HARMLESS = re.compile(
    r"(access_mode|allocator|debug|enable_(http|log|object|profil|progress|external_file)|extension|force_|http|log|pin_|profil"
    r"|progress|temp|username|user$|wal_|write_)|.*(memory|thread|directory|directories|password|secret|threshold)"
)
"""Settings that change how rows are computed, and never which."""
_OTHERWISE = steadiness.SAID_OTHERWISE | {"reservoir_quantile", "error", "glob"}
_SEEN = frozenset(
    re.findall(
        r"\w+",
        "BASE_TABLE CTE EMPTY EXPRESSION_LIST JOIN PIVOT SUBQUERY TABLE_FUNCTION",
    )
)
"""The kinds of what stands after FROM that the tree shows as a whole."""
_NAME = r'(?:"(?:[^"]|"")*"|[^\s".(]+)'
_VIEW = re.compile(
    rf'CREATE\s+VIEW\s+{_NAME}(?:\.{_NAME})*\s*(?:\((?:"(?:[^"]|"")*"|[^")])*\))?\s*AS\s+(.*?);?\s*', re.DOTALL
)


class DuckDBEvidence:
    """What DuckDB says over one connection.

    Parameters
    ----------
    rows
        Sends a query.
    catalog
        The database that names without one mean.
    """

    def __init__(self, rows: Rows, catalog: str) -> None:
        self._rows = rows
        self._catalog = _fold(catalog)

    def facts(self, text: str) -> Facts:
        """Return what DuckDB's tree of a SELECT shows; what it has no tree for, such as a PIVOT, is parsed here."""
        ((answer,),) = self._rows(f"SELECT json_serialize_sql({literal(text)})")
        tree = json.loads(answer)
        if tree["error"]:
            found = steadiness.facts(text, "duckdb")
            return Facts(found.tables, found.why, (*found.functions, _UNSEEN))
        seen = _Seen()
        for statement in tree["statements"]:
            seen.look(statement, frozenset())
        return Facts(tuple(seen.tables), seen.why, tuple(sorted(seen.functions)))

    def steady(self, functions: Set[str]) -> Set[str]:
        """Return DuckDB's own words, and its functions of which each form is consistent."""
        return {name for name in functions if self._is_steady(name.rpartition(".")[2])}

    def _is_steady(self, name: str) -> bool:
        if name == _UNSEEN:
            return not self._rows(_REPLACED)
        found = self._functions.get(name)
        if found is None:
            return name in self._words
        return found and name not in _OTHERWISE and not name.startswith(("current_", "local"))

    def view(self, relation: Relation) -> Definition | None:
        """Return how a view is defined."""
        schema, name = map(literal, relation.folded)
        found = self._rows(
            "SELECT sql FROM duckdb_views() WHERE database_name = current_database() "
            f"AND lower(schema_name) = {schema} AND lower(view_name) = {name}"
        )
        for (text,) in found:
            body = _VIEW.fullmatch(text.strip())
            if body is None:
                return Definition(text, why="its definition is beyond the parser")
            seen = self.facts(body[1])
            reads = tuple(self._relation(parts) for parts in seen.tables)
            elsewhere = (parts for parts, read in zip(seen.tables, reads, strict=True) if read is None)
            why = next((f'it reads "{".".join(parts)}", whose schema it does not name' for parts in elsewhere), None)
            inside = tuple(read for read in reads if read is not None)
            return Definition(text, inside, why or seen.why or steadiness.unsteady(seen, self.steady))
        return None

    def settings(self) -> str:
        """Return the settings and the types of others, as a digest."""
        settings = [row for row in self._rows(_SETTINGS) if _HARMLESS.match(row[0]) is None]
        told = repr((settings, self._rows(_TYPES), self._rows("SELECT version()")))
        return hashlib.blake2b(told.encode(), digest_size=12).hexdigest()

    @functools.cached_property
    def _functions(self) -> dict[str, bool]:
        return dict(self._rows(_FUNCTIONS))

    @functools.cached_property
    def _words(self) -> frozenset[str]:
        return frozenset(word for (word,) in self._rows(_WORDS))

    def _relation(self, parts: tuple[str, ...]) -> Relation | None:
        """Return the table or view of this database that a name means; None for any other."""
        if len(parts) == 3 and parts[0] == self._catalog:
            parts = parts[1:]
        return Relation(*parts) if len(parts) == 2 else None


class _Seen:
    """What is seen in DuckDB's tree of a SELECT."""

    def __init__(self) -> None:
        self.tables: dict[tuple[str, ...], None] = {}
        self.functions: set[str] = set()
        self.why: str | None = None

    def look(self, node: Any, visible: Set[str]) -> None:
        """Look at a part of the tree; `visible` are the names of the expressions that it sees before it."""
        if isinstance(node, list):
            for part in node:
                self.look(part, visible)
        if not isinstance(node, dict):
            return
        self._table(node, visible)
        self._expression(node)
        for name, query in _named(node):
            self.look(query, visible)
            visible = visible | {name}
        if node.get("type") == "RECURSIVE_CTE_NODE":
            self.look(node["left"], visible)
            visible = visible | {_fold(node["cte_name"])}
        for key, part in node.items():
            if key != "cte_map" and not (key == "left" and node.get("type") == "RECURSIVE_CTE_NODE"):
                self.look(part, visible)

    def _doubt(self, why: str | None) -> None:
        self.why = self.why or why

    def _table(self, node: dict[str, Any], visible: Set[str]) -> None:
        """Look at what stands after FROM."""
        if node.get("sample") is not None:
            self._doubt(SAMPLE)
        if "alias" not in node or "class" in node or "sample" not in node:
            return
        if node["type"] not in _SEEN:
            self._doubt(BEYOND)
        elif node["type"] == "BASE_TABLE":
            parts = tuple(_fold(node[f"{key}_name"]) for key in ("catalog", "schema", "table") if node[f"{key}_name"])
            if len(parts) > 1 or parts[0] not in visible:
                self.tables[parts] = None

    def _expression(self, node: dict[str, Any]) -> None:
        """Look at what gives a value."""
        if "function_name" in node:
            self.functions.add(node["function_name"].lower())
        match node.get("class"):
            case "COLUMN_REF":
                names = node["column_names"]
                if len(names) == 1 or names[-1].lower() in steadiness.PLACES:
                    self._doubt(steadiness.bare(names[-1]))
            case "PARAMETER":
                self._doubt(PARAMETER)
            case "CONSTANT" if isinstance(value := node["value"].get("value"), str):
                self._doubt(steadiness.moment(value))


def _named(node: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the common table expressions of a SELECT with their names, in their order."""
    within = node.get("cte_map")
    for entry in within.get("map", ()) if isinstance(within, dict) else ():
        yield _fold(entry["key"]), entry["value"]
