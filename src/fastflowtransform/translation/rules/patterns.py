"""Regular expressions: those whose parts mean the same to RE2, to PostgreSQL and to Java."""

from __future__ import annotations

import re
from typing import Any

from sqlglot import exp

from fastflowtransform.patterns import for_java, portable
from fastflowtransform.translation.rule import Refused, rule
from fastflowtransform.translation.rules.text_functions import texts
from fastflowtransform.translation.write import call, fragment, literal_text, number, text, whole

_KNOWN = re.compile(
    r"""(?:
    \\[dDwWsStnrfv\\.^$|?*+()\[\]{}/"'@,:;!=%&~<>#_-]   # an escape
    | \[\^?\]?(?:\\.|[^\\\]\[])*\]                       # a set without named classes
    | \((?!\?)|\(\?:|\)                                   # a group
    | [*+?]|\{\d+(?:,\d*)?\}                              # how often
    | [.^$|]
    | [^\\\[\](){}*+?.^$|\x00-\x1f]
    )""",
    re.VERBOSE,
)
_OFTEN = re.compile(r"[*+?]|\{(\d+)(,\d*)?\}")


def _tokens(pattern: str) -> list[str]:
    """Split a pattern; raise `Refused` for a part that is not known to mean the same."""
    tokens, place = [], 0
    while place < len(pattern):
        found = _KNOWN.match(pattern, place)
        if found is None:
            raise Refused(f'its pattern has "{pattern[place : place + 4]}", which engines read in different ways')
        tokens.append(found[0])
        place = found.end()
    for one, other in zip(tokens, tokens[1:], strict=False):
        if _OFTEN.fullmatch(one) and _OFTEN.fullmatch(other):
            raise Refused("its pattern repeats as little or as firmly as possible")
    return tokens


def pattern_of(to: str, node: Any) -> str:
    """Return a pattern that is written out, as the target reads it."""
    pattern = literal_text(node)
    if pattern is None:
        raise Refused("its pattern is not written out")
    if not pattern.isascii():
        raise Refused("its pattern has letters beyond ASCII")
    _tokens(pattern)
    spelt = portable(pattern)
    return for_java(spelt) if to == "spark" else spelt


def require_one_match(pattern: str) -> None:
    """Raise `Refused` where a pattern can match in two ways: PostgreSQL takes the longest, the others the first."""
    varying = 0
    tokens = _tokens(pattern)
    for token in tokens:
        if token == "|":
            raise Refused(
                "its pattern has a choice, of which PostgreSQL takes the longest", instead="a set such as [ab]"
            )
        varying += bool(_OFTEN.fullmatch(token)) and not re.fullmatch(r"\{\d+\}", token)
    if varying > 1 and not _are_apart(tokens):
        raise Refused("its pattern can match in several ways, of which PostgreSQL takes the longest")


def _are_apart(tokens: list[str]) -> bool:
    """Whether what is repeated never begins what comes next, so that there is one way to match."""
    plain = [token for token in tokens if token not in ("(", "(?:", ")", "^")]
    if any(_OFTEN.fullmatch(after) for token, after in zip(tokens, tokens[1:], strict=False) if token == ")"):
        return False
    atoms: list[tuple[frozenset[int], str]] = []
    for token in plain:
        if _OFTEN.fullmatch(token):
            atoms[-1] = (atoms[-1][0], token)
        elif token != "$":
            atoms.append((_letters(token), ""))
    for place, (letters, often) in enumerate(atoms):
        if not often or re.fullmatch(r"\{\d+\}", often):
            continue
        for following, how in atoms[place + 1 :]:
            if letters & following:
                return False
            if how not in ("?", "*") and not how.startswith("{0"):
                break
    return True


def _letters(token: str) -> frozenset[int]:
    """Return the letters of ASCII that one part of a pattern matches, and 128 for all others."""
    compiled = re.compile(token if token != "." else r"[^\n]", re.ASCII)
    found = {code for code in range(128) if compiled.fullmatch(chr(code))}
    return frozenset(found | ({128} if compiled.fullmatch("\u0416") else set()))


def _matches(to: str, node: Any) -> Any:
    texts(node.this)
    flag = node.args.get("flag")
    if flag is not None and literal_text(flag) not in ("", "c", "i"):
        raise Refused("its options are not known to all engines")
    pattern = pattern_of(to, node.expression)
    return _is_matched(to, node.this, ("(?i)" if literal_text(flag) == "i" else "") + pattern)


def _is_matched(to: str, this: Any, pattern: str) -> Any:
    return fragment(to, {"postgres": "_0 ~ _1", "spark": "REGEXP_LIKE(_0, _1)"}[to], this, text(pattern))


def _matches_whole(to: str, node: Any) -> Any:
    texts(node.this)
    if node.args.get("options"):
        raise Refused("its options are not known to all engines")
    pattern = pattern_of(to, node.expression)
    return _is_matched(to, node.this, f"^(?:{pattern})$" if to == "postgres" else f"^(?:{pattern})\\z")


def _replacement(to: str, node: Any) -> str:
    """Return what is put in place: DuckDB's groups are \\1, and Java's $1."""
    found = literal_text(node)
    if found is None:
        raise Refused("its replacement is not written out")
    if re.search(r"\\(?!\d)", found):
        raise Refused("its replacement has a backslash that is none of a group")
    if to == "postgres":
        return re.sub(r"\\0", r"\\&", found)
    return re.sub(r"\\(\d)", r"$\1", found.replace("$", r"\$"))


def _replace(to: str, node: Any) -> Any:
    texts(node.this)
    modifiers = literal_text(node.args.get("modifiers")) or ""
    if set(modifiers) - set("gc") or node.args.get("position") or node.args.get("occurrence"):
        raise Refused("its options are not known to all engines")
    pattern, put = pattern_of(to, node.expression), _replacement(to, node.args.get("replacement"))
    if to == "postgres":
        require_one_match(literal_text(node.expression) or "")
        options = [text("g")] if "g" in modifiers else []
        return call("REGEXP_REPLACE", node.this, text(pattern), text(put), *options)
    if "g" in modifiers:
        return call("REGEXP_REPLACE", node.this, text(pattern), text(put))
    shifted = re.sub(r"\$(\d)", lambda found: f"${int(found[1]) + 2}" if found[1] != "0" else "$2", put)
    return call("REGEXP_REPLACE", node.this, text(rf"^((?s:.*?))({pattern})"), text(f"$1{shifted}"))


def _extract(to: str, node: Any) -> Any:
    texts(node.this)
    group = whole(node.args.get("group") or number(0))
    if group is None or node.args.get("parameters") or node.args.get("position"):
        raise Refused("its group is not written out")
    pattern = pattern_of(to, node.expression)
    if to == "spark":
        return call("REGEXP_EXTRACT", node.this, text(pattern), number(group))
    require_one_match(literal_text(node.expression) or "")
    words = f"CASE WHEN NOT _0 IS NULL THEN COALESCE((REGEXP_MATCH(_0, _1))[{group + 1}], '') END"
    return fragment(to, words, node.this, text(f"({pattern})"))


def _extract_all(to: str, node: Any) -> Any:
    texts(node.this)
    group = whole(node.args.get("group") or number(0))
    if group is None or node.args.get("parameters"):
        raise Refused("its group is not written out")
    pattern = pattern_of(to, node.expression)
    if to == "spark":
        return call("REGEXP_EXTRACT_ALL", node.this, text(pattern), number(group))
    require_one_match(literal_text(node.expression) or "")
    words = (
        f"CASE WHEN NOT _0 IS NULL THEN ARRAY(SELECT found[{group + 1}] FROM REGEXP_MATCHES(_0, _1, 'g') "
        "AS matched(found)) END"
    )
    return fragment(to, words, node.this, text(f"({pattern})"))


def _glob(to: str, node: Any) -> Any:
    """Match a glob as a pattern; only stars, question marks and letters are taken."""
    texts(node.this)
    found = literal_text(node.expression)
    if found is None or not re.fullmatch(r"[\w .*?-]*", found, re.ASCII):
        raise Refused("its pattern has more than letters, * and ?", instead="like")
    pattern = "".join({"*": r"(?:.|\n)*", "?": r"(?:.|\n)"}.get(letter, re.escape(letter)) for letter in found)
    if to == "postgres":
        return _is_matched(to, node.this, f"^{pattern.replace('(?:.|' + chr(92) + 'n)', '.')}$")
    return _is_matched(to, node.this, f"(?s)^{pattern.replace('(?:.|' + chr(92) + 'n)', '.')}\\z")


RULES = (
    rule(_matches, exp.RegexpLike),
    rule(_matches_whole, exp.RegexpFullMatch, exp.SimilarTo),
    rule(_replace, exp.RegexpReplace),
    rule(_extract, exp.RegexpExtract),
    rule(_extract_all, exp.RegexpExtractAll),
    rule(_glob, exp.Glob),
)
