"""Families of types, which are what a rule asks for."""

from __future__ import annotations

from enum import StrEnum

from sqlglot import exp


class Kind(StrEnum):
    """A family of DuckDB's types."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    FLOAT = "float"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"
    MOMENT = "timestamp with time zone"
    TIME = "time"
    INTERVAL = "interval"
    LIST = "list"
    STRUCT = "struct"
    MAP = "map"
    JSON = "json"
    BYTES = "bytes"
    NULL = "null"
    UNKNOWN = "unknown"


_T = exp.DataType.Type
_BY_TYPE = {
    **dict.fromkeys((_T.TEXT, _T.VARCHAR, _T.CHAR, _T.BPCHAR, _T.NCHAR, _T.NVARCHAR, _T.NAME), Kind.TEXT),
    **dict.fromkeys(
        (_T.TINYINT, _T.SMALLINT, _T.INT, _T.BIGINT, _T.INT128, _T.UTINYINT, _T.USMALLINT, _T.UINT, _T.UBIGINT),
        Kind.INTEGER,
    ),
    _T.DECIMAL: Kind.DECIMAL,
    _T.FLOAT: Kind.FLOAT,
    _T.DOUBLE: Kind.FLOAT,
    _T.BOOLEAN: Kind.BOOLEAN,
    _T.DATE: Kind.DATE,
    **dict.fromkeys((_T.TIMESTAMP, _T.TIMESTAMPNTZ, _T.DATETIME), Kind.TIMESTAMP),
    **dict.fromkeys((_T.TIMESTAMPTZ, _T.TIMESTAMPLTZ), Kind.MOMENT),
    _T.TIME: Kind.TIME,
    _T.INTERVAL: Kind.INTERVAL,
    _T.ARRAY: Kind.LIST,
    _T.LIST: Kind.LIST,
    _T.STRUCT: Kind.STRUCT,
    _T.MAP: Kind.MAP,
    _T.JSON: Kind.JSON,
    _T.JSONB: Kind.JSON,
    **dict.fromkeys((_T.VARBINARY, _T.BINARY, _T.BLOB), Kind.BYTES),
    _T.NULL: Kind.NULL,
}

NUMBERS = frozenset({Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT})
TIMES = frozenset({Kind.DATE, Kind.TIMESTAMP, Kind.MOMENT})
SORTED = NUMBERS | TIMES | {Kind.TEXT, Kind.BOOLEAN, Kind.TIME}


def kind(node: exp.Expr) -> Kind:
    """Return the family of an expression's type."""
    return kind_of(node.type)


def kind_of(dtype: exp.DataType | None) -> Kind:
    """Return the family of a type."""
    if dtype is None:
        return Kind.UNKNOWN
    if isinstance(dtype.this, exp.Interval):
        return Kind.INTERVAL
    return _BY_TYPE.get(dtype.this, Kind.UNKNOWN)


def item(dtype: exp.DataType | None) -> exp.DataType | None:
    """Return the type of a list's items."""
    if dtype is None or kind_of(dtype) is not Kind.LIST or not dtype.expressions:
        return None
    found = dtype.expressions[0]
    return found if isinstance(found, exp.DataType) else None


def scale(dtype: exp.DataType | None) -> int:
    """Return how many digits after the point a decimal has; 0 for other types."""
    if dtype is None or dtype.this is not _T.DECIMAL or len(dtype.expressions) < 2:
        return 0
    return int(dtype.expressions[1].name)
