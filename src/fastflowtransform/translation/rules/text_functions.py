"""Functions of texts: places count from 1, negative ones from the end, and NULLs are left out where DuckDB does."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from fastflowtransform.translation.kinds import Kind, kind
from fastflowtransform.translation.rule import Refused, rule
from fastflowtransform.translation.rules.aggregates import plain
from fastflowtransform.translation.rules.cast import text_of
from fastflowtransform.translation.write import call, fragment, literal_text, number, text, whole


def texts(*nodes: Any | None) -> None:
    """Raise `Refused` unless each of the parts is a text."""
    for node in nodes:
        if node is not None and kind(node) not in (Kind.TEXT, Kind.NULL):
            raise Refused(f"it is of {kind(node)}")


def _substring(to: str, node: Any) -> Any:
    this, start, length = node.this, node.args.get("start"), node.args.get("length")
    texts(this)
    if start is None:
        raise Refused()
    begin, size = whole(start), None if length is None else whole(length)
    if begin is not None and begin >= 0 and (length is None or (size is not None and size >= 0)):
        if begin == 0 and to == "spark":
            # Its place 0 is the first one.
            return call("SUBSTRING", this, number(1), *([] if size is None else [number(max(size - 1, 0))]))
        return call("SUBSTRING", this, start, *([] if length is None else [length]))
    return _slice(to, this, start, length)


def _slice(to: str, this: Any, start: Any, length: Any | None) -> Any:
    """Return a part of a text whose ends are computed."""
    first = "(CASE WHEN _1 < 0 THEN CHAR_LENGTH(_0) + 1 + _1 ELSE _1 END)"
    if length is None:
        words = f"SUBSTRING(_0, CAST(GREATEST({first}, 1) AS int))"
        return _kept_null(to, this, start, None, fragment(to, words, this, start))
    low, high = f"LEAST({first}, {first} + _2)", f"GREATEST({first}, {first} + _2)"
    words = (
        f"SUBSTRING(_0, CAST(GREATEST({low}, 1) AS int), "
        f"CAST(GREATEST(LEAST({high}, CHAR_LENGTH(_0) + 1) - GREATEST({low}, 1), 0) AS int))"
    )
    return _kept_null(to, this, start, length, fragment(to, words, this, start, length))


def _kept_null(to: str, this: Any, start: Any, length: Any | None, made: Any) -> Any:
    """Give NULL for a NULL: GREATEST and LEAST leave it out."""
    parts = [each for each in (start, length) if each is not None and whole(each) is None]
    if not parts:
        return made
    known = " AND ".join(f"_{place} IS NOT NULL" for place in range(1, len(parts) + 1))
    return fragment(to, f"CASE WHEN {known} THEN _0 END", made, *parts)


def _left_right(to: str, node: Any) -> Any:
    texts(node.this)
    name = "LEFT" if isinstance(node, exp.Left) else "RIGHT"
    size = whole(node.expression)
    if to == "postgres":
        return fragment(to, f"{name}(_0, CAST(_1 AS integer))", node.this, node.expression)
    if size is not None and size >= 0:
        return call(name, node.this, node.expression)
    length = "(CASE WHEN _1 < 0 THEN GREATEST(CHAR_LENGTH(_0) + _1, 0) ELSE _1 END)"
    if name == "LEFT":
        return fragment(to, f"SUBSTRING(_0, 1, CAST({length} AS int))", node.this, node.expression)
    words = f"CASE WHEN {length} = 0 THEN LEFT(_0, 0) ELSE RIGHT(_0, CAST({length} AS int)) END"
    return fragment(to, words, node.this, node.expression)


def _length(to: str, node: Any) -> Any:
    plain(node, "this")
    if kind(node.this) is Kind.LIST:
        return fragment(
            to, {"postgres": "CAST(CARDINALITY(_0) AS bigint)", "spark": "CAST(SIZE(_0) AS bigint)"}[to], node.this
        )
    texts(node.this)
    return fragment(to, "CAST(CHAR_LENGTH(_0) AS bigint)", node.this)


def _concat(to: str, node: Any) -> Any:
    """Put the parts together, without those that are NULL."""
    parts = [text_of(to, each) for each in node.expressions]
    if to == "postgres":
        return call("CONCAT", *parts)
    return call("CONCAT", *(fragment(to, "COALESCE(_0, '')", part) for part in parts))


def _concat_ws(to: str, node: Any) -> Any:
    return call("CONCAT_WS", *(text_of(to, each) for each in node.expressions))


def _pipes(to: str, node: Any) -> Any:
    if Kind.LIST in (kind(node.this), kind(node.expression)):
        raise Refused("it is of lists", instead="list_concat(…, …)")
    return exp.DPipe(this=text_of(to, node.this).copy(), expression=text_of(to, node.expression).copy(), safe=True)


def _split_part(to: str, node: Any) -> Any:
    texts(node.this, node.args.get("delimiter"))
    place, between = node.args["part_index"], node.args["delimiter"]
    if not literal_text(between) or whole(place) == 0:
        raise Refused("its separator is not written out, or its number is 0")
    return fragment(to, "SPLIT_PART(_0, _1, CAST(_2 AS int))", node.this, between, place)


def _position(to: str, node: Any) -> Any:
    sub = node.args["substr"]
    texts(node.this, sub)
    plain(node, "this", "substr")
    return fragment(
        to, {"postgres": "CAST(STRPOS(_0, _1) AS bigint)", "spark": "CAST(INSTR(_0, _1) AS bigint)"}[to], node.this, sub
    )


_SEARCHES = {
    exp.StartsWith: {"postgres": "STARTS_WITH(_0, _1)", "spark": "STARTSWITH(_0, _1)"},
    exp.EndsWith: {"postgres": "RIGHT(_0, CHAR_LENGTH(_1)) = _1", "spark": "ENDSWITH(_0, _1)"},
    exp.Contains: {"postgres": "STRPOS(_0, _1) > 0", "spark": "CONTAINS(_0, _1)"},
}


def _search(to: str, node: Any) -> Any:
    texts(node.this, node.expression)
    return fragment(to, _SEARCHES[type(node)][to], node.this, node.expression)


def _prefix(to: str, node: Any) -> Any:
    this, part = node.expressions
    texts(this, part)
    of = exp.EndsWith if node.name.lower() == "suffix" else exp.StartsWith
    return fragment(to, _SEARCHES[of][to], this, part)


def _trim(to: str, node: Any) -> Any:
    plain(node, "this", "expression", "position")
    texts(node.this, node.expression)
    side = (node.args.get("position") or "BOTH").upper()
    name = {"BOTH": "BTRIM", "LEADING": "LTRIM", "TRAILING": "RTRIM"}[side]
    if node.expression is None:
        return call(name, node.this)
    if to == "spark" and name != "BTRIM":
        return fragment(to, f"TRIM({side} _1 FROM _0)", node.this, node.expression)
    return call(name, node.this, node.expression)


def _pad(to: str, node: Any) -> Any:
    fill = node.args.get("fill_pattern")
    texts(node.this, fill)
    if fill is None or not literal_text(fill) or (whole(node.expression) or -1) < 0:
        raise Refused("its length and filling are not written out")
    return call("LPAD" if node.args.get("is_left") else "RPAD", node.this, node.expression, fill)


def _repeat(to: str, node: Any) -> Any:
    texts(node.this)
    return fragment(to, "REPEAT(_0, CAST(_1 AS int))", node.this, node.args["times"])


def _replace(to: str, node: Any) -> Any:
    texts(node.this, node.expression, node.args.get("replacement"))
    return call("REPLACE", node.this, node.expression, node.args["replacement"])


def _translate(to: str, node: Any) -> Any:
    parts = [node.this, node.args["from_"], node.args["to"]]
    texts(*parts)
    if not all(literal_text(each) is not None for each in parts[1:]):
        raise Refused("its letters are not written out")
    return call("TRANSLATE", *parts)


def _reverse(to: str, node: Any) -> Any:
    texts(node.this)
    return call("REVERSE", node.this)


def _letter_case(to: str, node: Any) -> Any:
    """Change the case letter by letter, as DuckDB does: Java makes two letters of some, which are kept as they are."""
    texts(node.this)
    name = "UPPER" if isinstance(node, exp.Upper) else "LOWER"
    if to == "postgres":
        inner = fragment(to, "REPLACE(_0, 'ß', 'ẞ')", node.this) if name == "UPPER" else node.this
        return fragment(to, f'{name}(_0 COLLATE "pg_c_utf8") COLLATE "default"', inner)
    if name == "UPPER":
        return fragment(to, "UPPER(REPLACE(_0, 'ß', 'ẞ'))", node.this)
    return call(name, node.this)


def _ascii(to: str, node: Any) -> Any:
    texts(node.this)
    return call("ASCII", node.this)


def _chr(to: str, node: Any) -> Any:
    (code,) = node.expressions
    if to == "spark":
        # Its CHR counts modulo 256.
        return fragment(to, "DECODE(UNHEX(LPAD(HEX(_0), 8, '0')), 'UTF-32')", code)
    return fragment(to, "CHR(CAST(_0 AS integer))", code)


def _md5(to: str, node: Any) -> Any:
    texts(node.this)
    return call("MD5", node.this)


def _sha256(to: str, node: Any) -> Any:
    texts(node.this)
    length = node.args.get("length")
    if length is not None and length.name != "256":
        raise Refused()
    words = {"postgres": "ENCODE(SHA256(CONVERT_TO(_0, 'UTF8')), 'hex')", "spark": "SHA2(_0, 256)"}
    return fragment(to, words[to], node.this)


def _hex(to: str, node: Any) -> Any:
    texts(node.this)
    words = {"postgres": "UPPER(ENCODE(CONVERT_TO(_0, 'UTF8'), 'hex'))", "spark": "HEX(_0)"}
    return fragment(to, words[to], node.this)


def _like(to: str, node: Any) -> Any:
    texts(node.this, node.expression)
    if literal_text(node.expression) is None and not isinstance(node.parent, exp.Escape):
        raise Refused(
            "its pattern is not written out, and a backslash in it means other things", instead="contains(…, …)"
        )
    pattern = literal_text(node.expression) or ""
    if "\\" in pattern and not isinstance(node.parent, exp.Escape):
        # To DuckDB a backslash is a letter; to the others it takes the meaning of the next one.
        made = exp.Escape(this=node.copy(), expression=text("\x01"))
        if to == "postgres":
            return made
        raise Refused("a backslash in a pattern", instead="like … escape '!'")
    return node


def _escape(to: str, node: Any) -> Any:
    if len(literal_text(node.expression) or "") != 1:
        raise Refused("its sign is not one letter")
    return node


def _ilike(to: str, node: Any) -> Any:
    texts(node.this, node.expression)
    pattern = literal_text(node.expression)
    if pattern is None or "\\" in pattern:
        raise Refused("its pattern is not written out, or has a backslash", instead="contains(lower(…), …)")
    if to == "postgres":
        made = fragment(to, '_0 COLLATE "pg_c_utf8" ILIKE _1', node.this, node.expression)
        return exp.Not(this=made) if node.args.get("negate") else made
    return node


RULES = (
    rule(_substring, exp.Substring),
    rule(_left_right, exp.Left, exp.Right),
    rule(_length, exp.Length, exp.ArraySize),
    rule(_concat, exp.Concat),
    rule(_concat_ws, exp.ConcatWs),
    rule(_pipes, exp.DPipe),
    rule(_split_part, exp.SplitPart),
    rule(_position, exp.StrPosition),
    rule(_search, *_SEARCHES),
    rule(_prefix, "prefix", "suffix"),
    rule(_trim, exp.Trim),
    rule(_pad, exp.Pad),
    rule(_repeat, exp.Repeat),
    rule(_replace, exp.Replace),
    rule(_translate, exp.Translate),
    rule(_reverse, exp.Reverse),
    rule(_letter_case, exp.Upper, exp.Lower),
    rule(_ascii, exp.Ascii),
    rule(_chr, exp.Chr),
    rule(_md5, exp.MD5),
    rule(_sha256, exp.SHA2),
    rule(_hex, exp.Hex),
    rule(_like, exp.Like),
    rule(_escape, exp.Escape),
    rule(_ilike, exp.ILike),
)
