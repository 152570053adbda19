"""Rounding, signs and everyday functions of numbers."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from fastflowtransform.translation.collation import as_before, by_code_point
from fastflowtransform.translation.kinds import NUMBERS, SORTED, TIMES, Kind, kind
from fastflowtransform.translation.rule import Refused, rule
from fastflowtransform.translation.rules.aggregates import plain
from fastflowtransform.translation.rules.arithmetic import as_double
from fastflowtransform.translation.write import call, fragment, whole


def _round(to: str, node: Any) -> Any:
    """Round away from zero; PostgreSQL rounds a double to the even neighbour, and to no digits after the point."""
    plain(node, "this", "decimals")
    digits = node.args.get("decimals")
    places = 0 if digits is None else whole(digits)
    if kind(node.this) not in NUMBERS or places is None:
        raise Refused("it rounds to a number of digits that is not written out")
    if kind(node.this) is Kind.INTEGER:
        if places >= 0:
            return node.this
        made = fragment(to, f"ROUND(CAST(_0 AS decimal(38, 0)), {places})", node.this)
        return _typed(to, made, node)
    if kind(node.this) is Kind.DECIMAL:
        return fragment(to, f"ROUND(_0, {places})", node.this)
    if to == "spark":
        return fragment(to, f"ROUND(_0, {places})", node.this)
    if places == 0:
        return (
            fragment(to, "TRUNC(_0 + SIGN(_0) * 0.5::double precision)", node.this)
            if False
            else fragment(
                to, "SIGN(_0) * FLOOR(ABS(_0) + CASE WHEN ABS(_0) < 4503599627370496 THEN 0.5 ELSE 0 END)", node.this
            )
        )
    power = f"1e{abs(places)}::double precision"
    first, back = ("*", "/") if places > 0 else ("/", "*")
    return fragment(
        to,
        f"CASE WHEN ABS(_0) < 1e15 THEN SIGN(_0) * FLOOR(ABS(_0) {first} {power} + 0.5) {back} {power} ELSE _0 END",
        node.this,
    )


def _typed(to: str, made: Any, node: Any) -> Any:
    from fastflowtransform.translation.rules.cast import type_name

    return made if node.type is None else fragment(to, f"CAST(_0 AS {type_name(to, node.type)})", made)


def _ceil_floor(to: str, node: Any) -> Any:
    plain(node, "this")
    name = "CEIL" if isinstance(node, exp.Ceil) else "FLOOR"
    if kind(node.this) is Kind.INTEGER:
        return node.this
    if kind(node.this) not in NUMBERS:
        raise Refused(f"it is of {kind(node.this)}")
    made = call(name, node.this)
    return as_double(to, made) if kind(node.this) is Kind.FLOAT and to == "spark" else made


def _trunc(to: str, node: Any) -> Any:
    if node.args.get("decimals") is not None or kind(node.this) not in NUMBERS:
        raise Refused("it cuts off at a number of digits, which not all engines do")
    if kind(node.this) is Kind.INTEGER:
        return node.this
    if to == "postgres":
        return call("TRUNC", node.this)
    if kind(node.this) is Kind.DECIMAL:
        return fragment(to, "CASE WHEN _0 < 0 THEN CEIL(_0) ELSE FLOOR(_0) END", node.this)
    return fragment(
        to, "CASE WHEN _0 < 0 THEN -FLOOR(-CAST(_0 AS double)) ELSE CAST(FLOOR(_0) AS double) END", node.this
    )


def _sign(to: str, node: Any) -> Any:
    if kind(node.this) not in NUMBERS:
        raise Refused(f"the sign of {kind(node.this)}")
    return fragment(to, {"postgres": "CAST(SIGN(_0) AS smallint)", "spark": "CAST(SIGN(_0) AS tinyint)"}[to], node.this)


def _abs(to: str, node: Any) -> Any:
    if kind(node.this) not in NUMBERS:
        raise Refused(f"it is of {kind(node.this)}")
    return call("ABS", node.this)


_OF_DOUBLE = {
    exp.Sqrt: "SQRT",
    exp.Cbrt: "CBRT",
    exp.Exp: "EXP",
    exp.Ln: "LN",
    exp.Sin: "SIN",
    exp.Cos: "COS",
    exp.Tan: "TAN",
    exp.Atan: "ATAN",
    exp.Degrees: "DEGREES",
    exp.Radians: "RADIANS",
}


def _of_double(to: str, node: Any) -> Any:
    if kind(node.this) not in NUMBERS:
        raise Refused(f"it is of {kind(node.this)}")
    made = call(_OF_DOUBLE[type(node)], as_double(to, node.this))
    if to == "spark" and isinstance(node, exp.Ln | exp.Sqrt):
        # To Spark, the logarithm of 0 is NULL; DuckDB and PostgreSQL refuse it. So does an assertion here.
        least = "_0 > 0" if isinstance(node, exp.Ln) else "_0 >= 0"
        return _checked(to, least, node.this, made)
    return made


def _log(to: str, node: Any) -> Any:
    base, of = (None, node.this) if node.expression is None else (node.this, node.expression)
    if kind(of) not in NUMBERS:
        raise Refused(f"it is of {kind(of)}")
    number = whole(base) if base is not None else 10
    if number not in (2, 10):
        if base is None or kind(base) not in NUMBERS:
            raise Refused("its base is no number")
        return _positive(to, of, fragment(to, "LN(_0) / LN(_1)", as_double(to, of), as_double(to, base)))
    if to == "spark":
        return _positive(to, of, call(f"LOG{number}", as_double(to, of)))
    words = "LOG(_0)" if number == 10 else "CAST(LOG(2.0, CAST(_0 AS numeric)) AS double precision)"
    return fragment(to, words, as_double(to, of))


def _positive(to: str, of: Any, made: Any) -> Any:
    return _checked(to, "_0 > 0", of, made) if to == "spark" else made


def _checked(to: str, holds: str, of: Any, made: Any) -> Any:
    error = "CAST(RAISE_ERROR('there is no logarithm or root of this number') AS double)"
    return fragment(to, f"CASE WHEN {holds} OR _0 IS NULL THEN _1 ELSE {error} END", of, made)


def _angle(to: str, node: Any) -> Any:
    if not {kind(node.this), kind(node.expression)} <= NUMBERS:
        raise Refused("it is of other types than numbers")
    return call("ATAN2", as_double(to, node.this), as_double(to, node.expression))


def _pi(to: str, node: Any) -> Any:
    return call("PI")


def _power(to: str, node: Any) -> Any:
    if not {kind(node.this), kind(node.expression)} <= NUMBERS:
        raise Refused("it is of other types than numbers")
    return call("POWER", as_double(to, node.this), as_double(to, node.expression))


def _greatest(to: str, node: Any) -> Any:
    parts = [node.this, *node.expressions]
    kinds = {kind(part) for part in parts} - {Kind.NULL}
    if not (kinds <= NUMBERS or kinds <= TIMES or len(kinds) == 1) or not kinds <= SORTED:
        raise Refused("it is of several families of types")
    if kinds & {Kind.TIMESTAMP, Kind.DATE, Kind.MOMENT} and len(kinds) > 1:
        raise Refused("it is of dates and times together", instead="cast them to one type")
    name = "GREATEST" if isinstance(node, exp.Greatest) else "LEAST"
    first, *others = parts
    return as_before(to, call(name, by_code_point(to, first), *others), node)


RULES = (
    rule(_round, exp.Round),
    rule(_ceil_floor, exp.Ceil, exp.Floor),
    rule(_trunc, exp.Trunc),
    rule(_sign, exp.Sign),
    rule(_abs, exp.Abs),
    rule(_of_double, *_OF_DOUBLE),
    rule(_log, exp.Log),
    rule(_angle, exp.Atan2),
    rule(_pi, exp.Pi),
    rule(_power, exp.Pow),
    rule(_greatest, exp.Greatest, exp.Least),
)
