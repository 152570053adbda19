"""What fits nowhere else: buckets of time, chance, the present moment, bytes."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from fastflowtransform.translation.kinds import Kind, kind
from fastflowtransform.translation.rule import Refused, rule
from fastflowtransform.translation.rules.text_functions import texts
from fastflowtransform.translation.write import call, fragment

_SECONDS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86400, "WEEK": 604800}
_MONTHS = {"MONTH": 1, "YEAR": 12, "QUARTER": 3}


def _bucket(to: str, node: Any) -> Any:
    """Return the beginning of a bucket: counted from Monday 2000-01-03, months from 2000-01-01."""
    size = node.this
    if not isinstance(size, exp.Interval) or node.args.get("origin") or node.args.get("zone") or node.args.get("unit"):
        raise Refused("its width is not one interval, or it has an origin")
    if kind(node.expression) is not Kind.TIMESTAMP:
        raise Refused(f"it is of {kind(node.expression)}", instead="cast it to timestamp")
    unit, number = size.args["unit"].name.upper().rstrip("S"), int(size.name)
    if unit in _SECONDS:
        seconds = number * _SECONDS[unit]
        # Monday, 2000-01-03.
        words = {
            "postgres": f"CAST(TO_TIMESTAMP(FLOOR((EXTRACT(EPOCH FROM _0) - 946857600) / {seconds}) * {seconds} "
            "+ 946857600) AS timestamp)",
            "spark": "CAST(TIMESTAMP_SECONDS(FLOOR((UNIX_MICROS(CAST(_0 AS timestamp_ltz)) - 946857600000000) / "
            f"CAST({seconds * 1_000_000} AS decimal(20, 0))) * {seconds} + 946857600) AS timestamp_ntz)",
        }
        return fragment(to, words[to], node.expression)
    if unit not in _MONTHS:
        raise Refused(f"a bucket of {unit.lower()}s")
    months = number * _MONTHS[unit]
    count = "((EXTRACT(YEAR FROM _0) - 2000) * 12 + EXTRACT(MONTH FROM _0) - 1)"
    first = f"CAST(FLOOR({count} / {months}{'.0' if to == 'postgres' else 'D'}) * {months} AS int)"
    words = {
        "postgres": f"CAST('2000-01-01' AS timestamp) + {first} * INTERVAL '1 month'",
        "spark": f"CAST(ADD_MONTHS(CAST('2000-01-01' AS date), {first}) AS timestamp_ntz)",
    }
    return fragment(to, words[to], node.expression)


def _chance(to: str, node: Any) -> Any:
    return call("RANDOM" if to == "postgres" else "RAND")


def _is_nan(to: str, node: Any) -> Any:
    if kind(node.this) is not Kind.FLOAT:
        raise Refused(f"it is of {kind(node.this)}")
    words = {"postgres": "_0 = CAST('NaN' AS double precision)", "spark": "_0 = CAST('NaN' AS double)"}
    return fragment(to, words[to], node.this)


def _now(to: str, node: Any) -> Any:
    return fragment(to, {"postgres": "NOW()", "spark": "CURRENT_TIMESTAMP()"}[to])


def _today(to: str, node: Any) -> Any:
    return fragment(to, {"postgres": "CURRENT_DATE", "spark": "CURRENT_DATE()"}[to])


def _base64(to: str, node: Any) -> Any:
    """Return the bytes of a text in base 64, in one line."""
    if not isinstance(node.this, exp.Encode):
        raise Refused("it is not of encode(…)")
    inner = node.this.this
    words = {
        "postgres": "REPLACE(ENCODE(CONVERT_TO(_0, 'UTF8'), 'base64'), CHR(10), '')",
        "spark": "REGEXP_REPLACE(BASE64(ENCODE(_0, 'UTF-8')), '[\\\\r\\\\n]', '')",
    }
    return fragment(to, words[to], inner)


def _encode(to: str, node: Any) -> Any:
    texts(node.this)
    if not isinstance(node.parent, exp.ToBase64):
        raise Refused("it gives bytes")
    return node


def _escaped(to: str, node: Any) -> Any:
    """Return a text whose backslashes DuckDB reads as a letter each."""
    return exp.Literal.string(node.name)


RULES = (
    rule(_bucket, exp.DateBin),
    rule(_chance, exp.Rand),
    rule(_is_nan, exp.IsNan),
    rule(_now, "now", exp.CurrentTimestamp),
    rule(_today, exp.CurrentDate),
    rule(_base64, exp.ToBase64),
    rule(_encode, exp.Encode),
    rule(_escaped, exp.ByteString),
)
