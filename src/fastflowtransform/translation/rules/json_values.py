"""Values of JSON by their path, as texts."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from fastflowtransform.translation.kinds import Kind, kind
from fastflowtransform.translation.rule import Refused, rule
from fastflowtransform.translation.write import call, fragment, literal_text, text


def _path(node: Any) -> list[str | int]:
    """Return the keys and places of a path that is written out."""
    if not isinstance(node, exp.JSONPath):
        raise Refused("its path is not written out")
    steps: list[str | int] = []
    for part in node.expressions:
        if isinstance(part, exp.JSONPathRoot):
            continue
        step = part.this if isinstance(part, exp.JSONPathKey | exp.JSONPathSubscript) else None
        if not isinstance(step, str | int) or (isinstance(step, int) and step < 0):
            raise Refused("its path has more than keys and places")
        steps.append(step)
    if any(isinstance(step, str) and not step.replace("_", "").isalnum() for step in steps):
        raise Refused("its path has a key of other signs than letters and digits")
    return steps


def _document(to: str, node: Any) -> Any:
    if kind(node) not in (Kind.TEXT, Kind.JSON):
        raise Refused(f"it is of {kind(node)}")
    return fragment(to, "CAST(_0 AS json)", node) if to == "postgres" else node


def _at(to: str, this: Any, steps: list[str | int], *, as_text: bool) -> Any:
    if to == "postgres":
        path = "{" + ",".join(str(step) for step in steps) + "}"
        return fragment(to, f"_0 {'#>>' if as_text else '#>'} _1", _document(to, this), text(path))
    if as_text and steps and isinstance(steps[-1], int):
        raise Refused("Spark does not tell an item that is null from the text null", instead="a key as the last step")
    path = "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return call("GET_JSON_OBJECT", _document(to, this), text(path))


def _as_text(to: str, node: Any) -> Any:
    return _at(to, node.this, _path(node.expression), as_text=True)


def _as_json(to: str, node: Any) -> Any:
    reached = node.parent
    while isinstance(reached, exp.Paren):
        reached = reached.parent
    if not isinstance(reached, exp.JSONExtract | exp.JSONExtractScalar):
        raise Refused("JSON is printed another way", instead="->> of a single value")
    return _at(to, node.this, _path(node.expression), as_text=False)


def _length(to: str, node: Any) -> Any:
    import sqlglot

    this, *path = node.expressions
    steps: list[str | int] = []
    if path:
        written = literal_text(path[0])
        if written is None:
            raise Refused("its path is not written out")
        steps = _path(sqlglot.parse_one(f"x -> '{written}'", read="duckdb").expression)
    if to == "spark":
        raise Refused("Spark gives NULL for what is no list", instead="get it as a text first")
    found = _at(to, this, steps, as_text=False) if steps else _document(to, this)
    words = "CASE WHEN JSON_TYPEOF(_0) = 'array' THEN JSON_ARRAY_LENGTH(_0) WHEN NOT JSON_TYPEOF(_0) IS NULL THEN 0 END"
    return fragment(to, words, found)


def _to_json(to: str, node: Any) -> Any:
    (this,) = node.expressions
    if kind(this) is not Kind.LIST:
        raise Refused("it prints other values than lists in another way")
    return call("TO_JSON", this)


RULES = (
    rule(_as_text, exp.JSONExtractScalar),
    rule(_as_json, exp.JSONExtract),
    rule(_length, "json_array_length"),
    rule(_to_json, "to_json"),
)
