"""Casts: which pairs of types give the same values, and how those that do not are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from fastflowtransform.translation.kinds import Kind, item, kind, kind_of, scale
from fastflowtransform.translation.rule import WARNING, Refused, rule
from fastflowtransform.translation.write import fragment, literal_text

_T = exp.DataType.Type
_NAMES = {
    "postgres": {
        _T.TINYINT: "smallint", _T.SMALLINT: "smallint", _T.INT: "integer", _T.BIGINT: "bigint",
        _T.INT128: "numeric(38, 0)", _T.FLOAT: "real", _T.DOUBLE: "double precision", _T.BOOLEAN: "boolean",
        _T.DATE: "date", _T.TIMESTAMP: "timestamp", _T.TIMESTAMPTZ: "timestamptz", _T.TIME: "time",
        _T.INTERVAL: "interval", _T.JSON: "json", _T.UUID: "uuid",
        _T.UTINYINT: "smallint", _T.USMALLINT: "integer", _T.UINT: "bigint", _T.UBIGINT: "numeric(20, 0)",
    },
    "spark": {
        _T.TINYINT: "tinyint", _T.SMALLINT: "smallint", _T.INT: "int", _T.BIGINT: "bigint",
        _T.INT128: "decimal(38, 0)", _T.FLOAT: "float", _T.DOUBLE: "double", _T.BOOLEAN: "boolean",
        _T.DATE: "date", _T.TIMESTAMP: "timestamp_ntz", _T.TIMESTAMPTZ: "timestamp_ltz",
        _T.UTINYINT: "smallint", _T.USMALLINT: "int", _T.UINT: "bigint", _T.UBIGINT: "decimal(20, 0)",
    },
}  # fmt: skip
_TEXT = {"postgres": "text", "spark": "string"}


def type_name(to: str, dtype: exp.DataType) -> str:
    """Return the target's name of a type; a text's length is left out, as DuckDB does.

    Raises
    ------
    Refused
        The target has no such type.
    """
    if kind_of(dtype) is Kind.TEXT:
        return _TEXT[to]
    if kind_of(dtype) is Kind.TIMESTAMP:
        return _NAMES[to][_T.TIMESTAMP]
    if dtype.this is _T.DECIMAL:
        sizes = [each.name for each in dtype.expressions] or ["18", "3"]
        sizes = sizes if len(sizes) == 2 else [sizes[0], "0"]
        return f"decimal({sizes[0]}, {sizes[1]})"
    inner = item(dtype)
    if inner is not None and item(inner) is None and kind_of(inner) is not Kind.STRUCT:
        return f"{type_name(to, inner)}[]" if to == "postgres" else f"array<{type_name(to, inner)}>"
    found = _NAMES[to].get(dtype.this) if isinstance(dtype.this, _T) else None
    if found is None:
        raise Refused(f"there is no type {dtype.sql('duckdb').lower()}")
    return found


def plain_cast(to: str, node: Any, dtype: exp.DataType) -> Any:
    """Return the target's own cast."""
    return fragment(to, f"CAST(_0 AS {type_name(to, dtype)})", node)


def converted(to: str, node: Any, dtype: exp.DataType) -> Any:
    """Return a value as another type, as DuckDB converts it.

    Raises
    ------
    Refused
        The target converts some values otherwise.
    """
    source, target = kind(node), kind_of(dtype)
    if source is Kind.NULL:
        return plain_cast(to, node, dtype)
    if source is Kind.LIST and target is Kind.LIST and item(node.type) == item(dtype):
        return node
    how = _HOW.get((source, target))
    if how is None:
        made = dtype.sql("duckdb").lower() if target is Kind.UNKNOWN else target
        raise Refused(f"it makes {made} of {source}")
    return how(to, node, dtype)


def text_of(to: str, node: Any) -> Any:
    """Return a value as DuckDB prints it."""
    return node if kind(node) is Kind.TEXT else converted(to, node, exp.DataType.build("text"))


def _to_integer(to: str, node: Any, dtype: exp.DataType) -> Any:
    """Round: a double to the even neighbour, a decimal away from zero. Spark's own cast cuts off."""
    if to == "spark":
        node = fragment(to, "RINT(_0)" if kind(node) is Kind.FLOAT else "ROUND(_0, 0)", node)
    return plain_cast(to, node, dtype)


def _of_boolean(to: str, node: Any, dtype: exp.DataType) -> Any:
    if to == "postgres":
        node = fragment(to, "CAST(_0 AS integer)", node)
    return plain_cast(to, node, dtype)


def _to_boolean(to: str, node: Any, dtype: exp.DataType) -> Any:
    return fragment(to, "_0 <> 0", node)


def _of_text(to: str, node: Any, dtype: exp.DataType) -> Any:
    if kind_of(dtype) in (Kind.INTERVAL, Kind.JSON, Kind.TIME) and literal_text(node) is None:
        raise Refused(f"texts of {kind_of(dtype)} are read another way")
    return plain_cast(to, node, dtype)


def _float_text(to: str, node: Any, dtype: Any) -> Any:
    made = plain_cast(to, node, dtype)
    made.meta[WARNING] = "a double is printed in other words than DuckDB's, such as 1e+15"
    return made


def _moment_text(to: str, node: Any, dtype: Any) -> Any:
    made = plain_cast(to, node, dtype)
    return fragment(to, "CONCAT(_0, '+00')", made) if to == "spark" else made


def _to_decimal(to: str, node: Any, dtype: Any) -> Any:
    """Round a double to a decimal as DuckDB does: shift the point as a double, and round away from zero."""
    digits = scale(dtype)
    if digits > 6:
        raise Refused("a double has no more than six digits that are the same everywhere", instead="decimal(…, 6)")
    power = {"postgres": f"CAST(1e{digits} AS double precision)", "spark": f"CAST(1e{digits} AS double)"}[to]
    whole = f"CAST(SIGN(_0) * FLOOR(ABS(_0) * {power} + 0.5) AS bigint)"
    divided = {
        "postgres": f"CAST({whole} AS decimal) / {10**digits}",
        "spark": f"{whole} / CAST({10**digits} AS decimal(10, 0))",
    }
    return fragment(to, f"CAST({divided[to]} AS {type_name(to, dtype)})", node)


def _of_json(to: str, node: Any, dtype: exp.DataType) -> Any:
    raise Refused("JSON is printed another way", instead="take single values with ->>")


_Cast = Callable[[str, Any, exp.DataType], Any]
_NUMERIC = (Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT)
_TIMED = (Kind.DATE, Kind.TIMESTAMP, Kind.MOMENT)
_HOW: dict[tuple[Kind, Kind], _Cast] = {
    **{(one, one): plain_cast for one in (*_NUMERIC, *_TIMED, Kind.BOOLEAN, Kind.TIME, Kind.INTERVAL, Kind.TEXT)},
    **{(one, other): plain_cast for one in _TIMED for other in _TIMED},
    **{(Kind.TEXT, other): _of_text for other in (*_NUMERIC, *_TIMED, Kind.BOOLEAN, Kind.TIME, Kind.INTERVAL)},
    **{(one, Kind.TEXT): plain_cast for one in (*_NUMERIC, *_TIMED, Kind.BOOLEAN, Kind.TIME)},
    **{(Kind.BOOLEAN, other): _of_boolean for other in _NUMERIC},
    **{(other, Kind.BOOLEAN): _to_boolean for other in (Kind.INTEGER, Kind.DECIMAL)},
    (Kind.INTEGER, Kind.DECIMAL): plain_cast,
    (Kind.INTEGER, Kind.FLOAT): plain_cast,
    (Kind.DECIMAL, Kind.FLOAT): plain_cast,
    (Kind.DECIMAL, Kind.INTEGER): _to_integer,
    (Kind.FLOAT, Kind.INTEGER): _to_integer,
    (Kind.FLOAT, Kind.DECIMAL): _to_decimal,
    (Kind.TIMESTAMP, Kind.TIME): plain_cast,
    (Kind.JSON, Kind.TEXT): _of_json,
    (Kind.MOMENT, Kind.TEXT): _moment_text,
    (Kind.FLOAT, Kind.TEXT): _float_text,
}


def _cast(to: str, node: Any) -> Any:
    dtype = node.type
    if dtype is None:
        raise Refused(f"there is no type {node.to.sql('duckdb').lower()}")
    if scale(dtype) == 0 and kind(node.this) is Kind.UNKNOWN:
        raise Refused("the type of what it casts is not known")
    return converted(to, node.this, dtype)


RULES = (rule(_cast, exp.Cast),)
