"""`strftime` and `strptime`: each directive by itself, and all other letters as they are."""

from __future__ import annotations

import re
from typing import Any

from sqlglot import exp

from fastflowtransform.translation.kinds import Kind, kind
from fastflowtransform.translation.rule import Refused, rule
from fastflowtransform.translation.rules.date_functions import as_time
from fastflowtransform.translation.write import call, fragment, literal_text, text

_DIRECTIVE = re.compile(r"%-?[A-Za-z%]")
_PRINTED = {
    "postgres": {
        "%Y": "YYYY", "%m": "MM", "%d": "DD", "%H": "HH24", "%M": "MI", "%S": "SS", "%j": "DDD", "%y": "YY",
        "%b": "Mon", "%B": "FMMonth", "%a": "Dy", "%A": "FMDay", "%p": "AM", "%I": "HH12", "%V": "IW", "%G": "IYYY",
        "%f": "US", "%u": "ID", "%-d": "FMDD", "%-m": "FMMM", "%-H": "FMHH24", "%-I": "FMHH12", "%-M": "FMMI",
        "%-S": "FMSS", "%-j": "FMDDD",
    },
    "spark": {
        "%Y": "yyyy", "%m": "MM", "%d": "dd", "%H": "HH", "%M": "mm", "%S": "ss", "%j": "DDD", "%y": "yy", "%b": "MMM",
        "%B": "MMMM", "%a": "EEE", "%A": "EEEE", "%p": "a", "%I": "hh", "%f": "SSSSSS", "%-d": "d", "%-m": "M",
        "%-H": "H", "%-I": "h", "%-M": "m", "%-S": "s", "%-j": "D",
    },
}  # fmt: skip
_SPARK_WEEK = {
    "%V": "LPAD(CAST(WEEKOFYEAR(_0) AS string), 2, '0')",
    "%G": "CAST(EXTRACT(YEAROFWEEK FROM _0) AS string)",
    "%u": "CAST(WEEKDAY(_0) + 1 AS string)",
}


def _pieces(pattern: str) -> list[str]:
    """Split a format into directives and what stands between them."""
    short = pattern.replace("%F", "%Y-%m-%d").replace("%T", "%H:%M:%S")
    return [piece for piece in re.split(r"(%-?[A-Za-z%])", short) if piece]


def _format_of(node: Any) -> str:
    found = literal_text(node.args.get("format"))
    if found is None:
        raise Refused("its format is not written out")
    return found


def _strftime(to: str, node: Any) -> Any:
    this = as_time(to, node.this)
    parts: list[Any] = []
    for piece in _pieces(_format_of(node)):
        if piece == "%%":
            parts.append(text("%"))
        elif not _DIRECTIVE.fullmatch(piece):
            parts.append(text(piece))
        elif to == "spark" and piece in _SPARK_WEEK:
            parts.append(fragment(to, _SPARK_WEEK[piece], this))
        elif piece in _PRINTED[to]:
            parts.append(call("TO_CHAR" if to == "postgres" else "DATE_FORMAT", this, text(_PRINTED[to][piece])))
        else:
            raise Refused(f'the directive "{piece}"', instead="strftime(…, '%Y-%m-%d %H:%M:%S')")
    return _joined(to, this, _merged(to, parts))


def _merged(to: str, parts: list[Any]) -> list[Any]:
    """Put neighbours of one format together, so that the time is printed once."""
    quote = '"' if to == "postgres" else "'"
    merged: list[Any] = []
    for part in parts:
        last = merged[-1] if merged else None
        plain = isinstance(part, exp.Literal) and re.fullmatch(r"[-/:., ]*", part.name)
        if isinstance(part, exp.Literal) and not plain and not re.search(r"[\"'\\]", part.name):
            quoted = f"{quote}{part.name}{quote}"
        else:
            quoted = part.name if plain else ""
        if isinstance(last, exp.Anonymous) and last.name in ("TO_CHAR", "DATE_FORMAT"):
            if isinstance(part, exp.Anonymous) and part.name == last.name:
                last.expressions[1].set("this", last.expressions[1].name + part.expressions[1].name)
                continue
            if quoted:
                last.expressions[1].set("this", last.expressions[1].name + quoted)
                continue
        merged.append(part)
    return merged


def _joined(to: str, this: Any, parts: list[Any]) -> Any:
    if len(parts) == 1 and not isinstance(parts[0], exp.Literal):
        return parts[0]
    if not parts or all(isinstance(part, exp.Literal) for part in parts):
        return fragment(to, "CASE WHEN _0 IS NOT NULL THEN _1 END", this, text("".join(part.name for part in parts)))
    joined = parts[0]
    for part in parts[1:]:
        joined = exp.DPipe(this=joined, expression=part, safe=True)
    return exp.Paren(this=joined)


_READ = {
    "postgres": {"%Y": "YYYY", "%m": "MM", "%d": "DD", "%H": "HH24", "%M": "MI", "%S": "SS"},
    "spark": {"%Y": "yyyy", "%m": "M", "%d": "d", "%H": "H", "%M": "m", "%S": "s"},
}


def _strptime(to: str, node: Any) -> Any:
    if kind(node.this) is not Kind.TEXT or node.args.get("safe"):
        raise Refused("it is not of one text")
    pieces = _pieces(_format_of(node))
    known = _READ[to]
    if any(_DIRECTIVE.fullmatch(piece) and piece not in known for piece in pieces):
        raise Refused("it reads other parts than year, month, day, hour, minute and second")
    if any(not _DIRECTIVE.fullmatch(piece) and not re.fullmatch(r"[-/:., T]+", piece) for piece in pieces):
        raise Refused("there are letters between the parts")
    pattern = "".join(known.get(piece, piece.replace("T", '"T"' if to == "postgres" else "'T'")) for piece in pieces)
    if to == "spark":
        beside = any(
            _DIRECTIVE.fullmatch(one) and _DIRECTIVE.fullmatch(other)
            for one, other in zip(pieces, pieces[1:], strict=False)
        )
        if beside:
            pattern = re.sub(r"(?<![a-zA-Z])?([MdHms])", r"\1\1", pattern)
        return fragment(to, "TO_TIMESTAMP_NTZ(_0, _1)", node.this, text(pattern))
    return fragment(to, "CAST(TO_TIMESTAMP(_0, _1) AS timestamp)", node.this, text(pattern))


RULES = (rule(_strftime, exp.TimeToStr), rule(_strptime, exp.StrToTime))
