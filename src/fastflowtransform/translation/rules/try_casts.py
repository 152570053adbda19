"""`try_cast`: NULL for just those texts that DuckDB does not take."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from fastflowtransform.translation.kinds import Kind, kind, kind_of
from fastflowtransform.translation.rule import Refused, rule
from fastflowtransform.translation.rules.cast import converted, type_name
from fastflowtransform.translation.write import fragment, text

_SPACE = r"[ \t\n\r\f\v]*"
_DIGITS = r"[0-9]+(_[0-9]+)*"
_NUMBER = rf"^{_SPACE}[+-]?({_DIGITS}[.]?({_DIGITS})?|[.]{_DIGITS})([eE][+-]?[0-9]{{1,3}})?{_SPACE}$"
_WHOLE = rf"{_NUMBER}|^{_SPACE}0([xX][0-9a-fA-F]+|[bB][01]+){_SPACE}$"
_DATE = r"[0-9]{1,4}([-/ \\])[0-9]{1,2}\1[0-9]{1,2}"
_DAY = rf"^{_SPACE}{_DATE}([^0-9]|$)"
_TIME = r"[0-9]{1,2}:[0-9]{1,2}(:[0-9]{1,2}([.][0-9]*)?)?"
_MOMENT = rf"^{_SPACE}{_DATE}({_SPACE}|([ \t\n]+|T){_TIME}(Z|[+-][0-9]{{2}}(:[0-9]{{2}})?)?[ ]*)$"


def _try_cast(to: str, node: Any) -> Any:
    dtype, source = node.type, kind(node.this)
    target = kind_of(dtype)
    widens = {(Kind.INTEGER, Kind.FLOAT), (Kind.DECIMAL, Kind.FLOAT), (Kind.DATE, Kind.TIMESTAMP)}
    if target is Kind.TEXT or (source, target) in widens:
        return converted(to, node.this, dtype)
    how = _HOW.get(target)
    if source is not Kind.TEXT or how is None:
        raise Refused(f"it makes {target} of {source}")
    return how(to, node.this, dtype)


def _matched(to: str) -> str:
    return "_0 ~ _1" if to == "postgres" else "REGEXP_LIKE(_0, _1)"


def _pattern(to: str, pattern: str) -> Any:
    return text(pattern if to == "postgres" else pattern.replace(r"\v", r"\x0B").replace(")$", r")\z"))


def _number(to: str, node: Any, dtype: Any) -> Any:
    name = type_name(to, dtype)
    plain = "REPLACE(BTRIM(_0, _2), '_', '')"
    spaces = text(" \t\n\r\x0c\x0b")
    if kind_of(dtype) is Kind.FLOAT:
        words = f"CASE WHEN {_matched(to)} THEN CAST({plain} AS {name}) WHEN LOWER(BTRIM(_0, _2)) IN "
        words += f"('nan', 'inf', '-inf', 'infinity', '-infinity', '+inf') THEN CAST(BTRIM(_0, _2) AS {name}) END"
        return fragment(to, words, node, _pattern(to, _NUMBER), spaces)
    if to == "spark":
        raise Refused("Spark reads other texts as numbers", instead="try_cast(… as double), and round it")
    if kind_of(dtype) is Kind.DECIMAL:
        precision, scale = (int(each.name) for each in dtype.expressions)
        number = f"ROUND(CAST({plain} AS decimal), {scale})"
        least, most = f"-1e{precision - scale}", f"1e{precision - scale}"
        within = f"{number} > {least} AND {number} < {most}"
    else:
        bits = {"smallint": 15, "integer": 31, "bigint": 63}.get(name)
        if bits is None:
            raise Refused(f"it makes {dtype.sql('duckdb').lower()} of a text")
        number = f"ROUND(CAST({plain} AS decimal))"
        within = f"{number} BETWEEN {-(2**bits)} AND {2**bits - 1}"
    words = f"CASE WHEN {_matched(to)} THEN CASE WHEN {within} THEN CAST({number} AS {name}) END END"
    return fragment(to, words, node, text(_NUMBER if kind_of(dtype) is Kind.DECIMAL else _WHOLE), spaces)


def _boolean(to: str, node: Any, dtype: Any) -> Any:
    words = (
        "CASE WHEN LOWER(_0) IN ('true', 't', 'yes', 'y', '1') THEN TRUE "
        "WHEN LOWER(_0) IN ('false', 'f', 'no', 'n', '0') THEN FALSE END"
    )
    return fragment(to, words, node)


def _time(to: str, node: Any, dtype: Any) -> Any:
    name, is_day = type_name(to, dtype), kind_of(dtype) is Kind.DATE
    pattern, rest = (_DAY, ".*$") if is_day else (_MOMENT, "")
    begin = r"^[ \t\n\r\f\v]*([0-9]{1,4})[-/ \\]([0-9]{1,2})[-/ \\]([0-9]{1,2})" + rest
    if to == "postgres":
        # A year of fewer than four digits is one of these days, and no month.
        clean = "REGEXP_REPLACE(_0, _3, '000\\1-\\2-\\3')"
        valid = f"PG_INPUT_IS_VALID({clean}, '{name}') AND NOT _0 ~ _2"
        words = f"CASE WHEN {_matched(to)} AND {valid} THEN CAST({clean} AS {name}) END"
        return fragment(to, words, node, text(pattern), text(r":60([^0-9]|$)"), text(begin))
    clean = "REGEXP_REPLACE(_0, _2, '$1-$2-$3')"
    words = f"CASE WHEN {_matched(to)} THEN TRY_CAST(RTRIM({clean}) AS {name}) END"
    return fragment(to, words, node, _pattern(to, pattern), text("(?s)" + begin.replace(r"\v", r"\x0B")))


_HOW = {
    Kind.INTEGER: _number,
    Kind.DECIMAL: _number,
    Kind.FLOAT: _number,
    Kind.BOOLEAN: _boolean,
    Kind.DATE: _time,
    Kind.TIMESTAMP: _time,
}

RULES = (rule(_try_cast, exp.TryCast),)
