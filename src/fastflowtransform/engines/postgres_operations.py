"""Ibis operations that mean on PostgreSQL what they mean on DuckDB, where Ibis' own compiler gives something else.

Each method is one operation. `docs/reference/semantics.md` says what they mean, and `tests/engines/test_operations.py`
holds the three engines to the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ibis.backends.sql.compilers as compilers
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import sqlglot as sg
import sqlglot.expressions as sge
from ibis.backends.sql.compilers.base import NULL
from ibis.common.exceptions import UnsupportedOperationError

from fastflowtransform.engines.time_formats import UnknownCode, to_char_pattern
from fastflowtransform.patterns import DAY, NUMBER, portable

_HEX = r"^\s*0[xX][0-9a-fA-F]{1,16}\s*$"
_TRUE, _FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")
_EPOCH_UNITS = {"hour": "3600", "minute": "60", "second": "1", "millisecond": "0.001", "microsecond": "0.000001"}


class PostgresOperations(compilers.PostgresCompiler):  # type: ignore[misc]
    """Ibis' compiler for PostgreSQL, with the meaning of every other engine."""

    # Ibis would set the methods of these tables again on each class that inherits them, over the ones below.
    SIMPLE_OPS: dict[Any, str] = {}
    UNSUPPORTED_OPS = (ops.Hash, ops.Levenshtein, ops.RowID, ops.TimeDelta, ops.ArrayFlatten, ops.Kurtosis)

    def visit_RegexSearch(self, op: Any, *, arg: Any, pattern: Any) -> Any:
        """Return `~`: Ibis' `regexp_like` came with version 15."""
        return sge.RegexpLike(this=arg, expression=_portable(pattern))

    def visit_RegexReplace(self, op: Any, *, arg: Any, pattern: Any, replacement: Any) -> Any:
        """Return a text with each match replaced."""
        return super().visit_RegexReplace(op, arg=arg, pattern=_portable(pattern), replacement=replacement)

    def visit_RegexExtract(self, op: Any, *, arg: Any, pattern: Any, index: Any) -> Any:
        """Return the group of the first match; an empty text where nothing matches."""
        found = super().visit_RegexExtract(op, arg=arg, pattern=_portable(pattern), index=index)
        return self.if_(arg.is_(NULL), NULL, self.f.coalesce(found, ""))

    # Numbers

    def visit_Divide(self, op: Any, *, left: Any, right: Any) -> Any:
        """Return a quotient as float64, of integers and decimals too."""
        left = left if op.left.dtype.is_floating() else self.cast(left, dt.float64)
        right = right if op.right.dtype.is_floating() else self.cast(right, dt.float64)
        return super().visit_Divide(op, left=left, right=right)

    def visit_Mean(self, op: Any, *, arg: Any, where: Any) -> Any:
        """Return the mean as float64, of integers and decimals too."""
        if op.arg.dtype.is_boolean():
            arg = self.cast(arg, dt.int32)
        return self.agg.avg(self.cast(arg, dt.float64), where=where)

    def visit_Round(self, op: Any, *, arg: Any, digits: Any) -> Any:
        """Round half away from zero; a float by the same steps in floating point as on DuckDB."""
        if not op.arg.dtype.is_floating():
            return super().visit_Round(op, arg=arg, digits=digits)
        if op.digits is None:
            return self.cast(self._half_away(arg), op.dtype)
        scale = self.f.power(self.cast(10, dt.float64), digits)
        rounded = sge.paren(self._half_away(sge.paren(arg) * scale)) / scale
        finite = sge.Between(this=arg, low=self.cast(-1e290, dt.float64), high=self.cast(1e290, dt.float64))
        return self.if_(finite, rounded, arg)

    def _half_away(self, value: Any) -> Any:
        whole = self.f.trunc(value)
        half = self.f.abs(sge.paren(value) - self.f.trunc(value)) >= 0.5
        return self.if_(half, whole + self.f.sign(value), whole)

    def visit_TryCast(self, op: Any, *, arg: Any, to: Any) -> Any:
        """Return a value that a text holds, as DuckDB reads it, and NULL where it holds none."""
        if not op.arg.dtype.is_string() or to.is_string():
            return self._castable(op, arg, to)
        read = {
            "boolean": self._read_boolean,
            "date": self._read_date,
            "integer": self._read_integer,
            "floating": self._read_float,
            "decimal": self._read_decimal,
        }
        for kind, function in read.items():
            if getattr(to, f"is_{kind}")():
                return function(arg, to)
        raise UnsupportedOperationError(f"try_cast of a text to {to} has no equal on PostgreSQL")

    def _castable(self, op: Any, arg: Any, to: Any) -> Any:
        if op.arg.dtype.castable(to) or to.is_string():
            return self.visit_Cast(op, arg=arg, to=to)
        if op.arg.dtype.is_numeric() and to.is_integer():
            inside = sge.Between(this=arg, low=sge.convert(to.bounds.lower), high=sge.convert(to.bounds.upper))
            return self.if_(inside, self.cast(arg, to), NULL)
        raise UnsupportedOperationError(f"try_cast of {op.arg.dtype} to {to} has no equal on PostgreSQL")

    def _read_boolean(self, arg: Any, to: Any) -> Any:
        word = self.f.lower(self.f.btrim(arg))
        true, false = (word.isin(*map(sge.convert, words)) for words in (_TRUE, _FALSE))
        return sge.Case(ifs=[self.if_(true, sge.true()), self.if_(false, sge.false())], default=NULL)

    def _read_date(self, arg: Any, to: Any) -> Any:
        parts = [
            self.cast(self.f.split_part(self.f.translate(self.f.btrim(arg), "/", "-"), "-", place), dt.int32)
            for place in (1, 2, 3)
        ]
        year, month, day = parts
        month_begins = self.f.make_date(year, month, 1)
        last = self.f.extract("day", sge.paren(month_begins + self._interval("1 month - 1 day")))
        # CASE keeps the order: a month is made only of a number that is one.
        return sge.Case(
            ifs=[
                self.if_(sg.not_(sge.RegexpLike(this=arg, expression=sge.convert(DAY))), NULL),
                self.if_(sg.or_(year < 1, month < 1, month > 12, day < 1), NULL),
                self.if_(day > last, NULL),
            ],
            default=self.f.make_date(*parts),
        )

    def _interval(self, text: str) -> Any:
        return sge.Cast(this=sge.convert(text), to=sge.DataType(this=sge.DataType.Type.INTERVAL))

    def _number(self, arg: Any) -> Any:
        return self.cast(self.f.replace(self.f.btrim(arg), "_", ""), dt.decimal)

    def _is(self, arg: Any, pattern: str) -> Any:
        return sge.RegexpLike(this=arg, expression=sge.convert(pattern))

    def _read_integer(self, arg: Any, to: Any) -> Any:
        digits = self.f.lpad(self.f.substr(self.f.btrim(arg), 3), 16, "0")
        # A text of sixteen hexadecimal digits, as a number; one that does not fit is NULL as any other.
        bits = sge.Cast(this=self.f.concat("x", digits), to=sge.DataType.build("bit(64)", dialect="postgres"))
        hexadecimal = self.cast(self.cast(bits, dt.int64), dt.decimal)
        number = sge.Case(
            ifs=[
                self.if_(self._is(arg, NUMBER), self.f.round(self._number(arg))),
                self.if_(self._is(arg, _HEX), hexadecimal),
            ],
            default=NULL,
        )
        low, high = to.bounds
        inside = sge.Between(this=number, low=sge.convert(low), high=sge.convert(high))
        return self.if_(inside, self.cast(number, to), NULL)

    def _read_float(self, arg: Any, to: Any) -> Any:
        word = self.f.lower(self.f.btrim(arg))
        named = word.isin(*map(sge.convert, ("nan", "inf", "infinity", "-inf", "-infinity", "+inf", "+infinity")))
        number = self._number(arg)
        largest = self.cast(sge.convert("1.7976931348623157e308"), dt.decimal)
        infinite = self.cast(self.if_(number < 0, "-Infinity", "Infinity"), to)
        tiny = self.f.abs(number) < self.cast(sge.convert("1e-307"), dt.decimal)
        return sge.Case(
            ifs=[
                self.if_(named, self.cast(arg, to)),
                self.if_(sg.not_(self._is(arg, NUMBER)), NULL),
                self.if_(self.f.abs(number) > largest, infinite),
                self.if_(tiny, self.cast(0, to)),
            ],
            default=self.if_(arg.is_(NULL), NULL, self.cast(number, to)),
        )

    def _read_decimal(self, arg: Any, to: Any) -> Any:
        rounded = self.f.round(self._number(arg), to.scale)
        limit = self.cast(sge.convert(f"1e{to.precision - to.scale}"), dt.decimal)
        fits = sg.and_(self._is(arg, NUMBER), self.if_(self._is(arg, NUMBER), self.f.abs(rounded) < limit, NULL))
        return self.if_(fits, self.cast(rounded, to), NULL)

    # Times

    def visit_TimestampTruncate(self, op: Any, *, arg: Any, unit: Any) -> Any:
        """Return the beginning of a unit of time; a local one of what has no time zone."""
        if op.arg.dtype.is_timestamp() and op.arg.dtype.timezone is not None:
            return super().visit_TimestampTruncate(op, arg=arg, unit=unit)
        return super().visit_TimestampTruncate(op, arg=self.cast(arg, dt.timestamp), unit=unit)

    visit_DateTruncate = visit_TimestampTruncate

    def visit_TimestampDelta(self, op: Any, *, part: Any, left: Any, right: Any) -> Any:
        """Return how many borders of a unit are between two times; of weeks, how many times seven days."""
        unit = "day" if op.part.value == "week" else op.part.value
        borders = sge.paren(self._borders(unit, left)) - sge.paren(self._borders(unit, right))
        return self.f.div(borders, 7) if op.part.value == "week" else borders

    visit_DateDelta = visit_TimestampDelta

    def _borders(self, unit: str, value: Any) -> Any:
        """Count the borders of a unit between a fixed time and a value."""

        def part(name: str) -> Any:
            return self.cast(self.f.extract(name, value), dt.int64)

        if unit in _EPOCH_UNITS:
            length = self.cast(sge.convert(_EPOCH_UNITS[unit]), dt.decimal)
            return self.cast(self.f.floor(self.f.extract("epoch", value) / length), dt.int64)
        borders = {
            "year": part("year"),
            "quarter": part("year") * 4 + part("quarter"),
            "month": part("year") * 12 + part("month"),
            "day": self.cast(sge.paren(self.cast(value, dt.date) - self.f.make_date(1, 1, 1)), dt.int64),
        }
        if unit not in borders:
            raise UnsupportedOperationError(f'"{unit}" is no unit of a difference on PostgreSQL')
        return borders[unit]

    def visit_ExtractEpochSeconds(self, op: Any, *, arg: Any) -> Any:
        """Return whole seconds."""
        return self.cast(self.f.floor(self.f.extract("epoch", arg)), dt.int64)

    def visit_Strftime(self, op: Any, *, arg: Any, format_str: Any) -> Any:
        """Return a time as a text."""
        arg = self.cast(arg, dt.timestamp) if op.arg.dtype.is_date() else arg
        return self.f.to_char(arg, self._pattern(op.format_str, parse=False))

    def visit_StringToTimestamp(self, op: Any, *, arg: Any, format_str: Any) -> Any:
        """Return the local time that a text names."""
        return self.cast(self.f.to_timestamp(arg, self._pattern(op.format_str, parse=True)), dt.timestamp)

    def visit_StringToDate(self, op: Any, *, arg: Any, format_str: Any) -> Any:
        """Return the day that a text names."""
        return self.f.to_date(arg, self._pattern(op.format_str, parse=True))

    def _pattern(self, text: Any, *, parse: bool) -> str:
        if not isinstance(text, ops.Literal):
            raise UnsupportedOperationError("a format of times has to be a text that is known when a model is compiled")
        try:
            return to_char_pattern(text.value, parse=parse)
        except UnknownCode as error:
            raise UnsupportedOperationError(f'PostgreSQL has no "{error}" in a format of times') from None

    # Texts, lists and structs

    def visit_StringSplit(self, op: Any, *, arg: Any, delimiter: Any) -> Any:
        """Return the parts of a text: one of an empty text, and each character where the delimiter is empty."""
        parts = self.f.string_to_array(arg, self.f.nullif(delimiter, ""))
        empty = sge.Cast(this=self.f.array(""), to=self.type_mapper.from_ibis(op.dtype))
        return sge.Case(
            ifs=[self.if_(delimiter.is_(NULL), NULL), self.if_(arg.eq(sge.convert("")), empty)], default=parts
        )

    def visit_HexDigest(self, op: Any, *, arg: Any, how: str) -> Any:
        """Return a digest in hexadecimal digits."""
        if how == "md5":
            return self.f.md5(arg)
        if how not in ("sha256", "sha512"):
            raise UnsupportedOperationError(f'PostgreSQL has no digest "{how}"')
        text = self.f.convert_to(arg, "UTF8") if op.arg.dtype.is_string() else arg
        return self.f.encode(self.f.anon[how](text), "hex")

    def visit_ArraySort(self, op: Any, *, arg: Any) -> Any:
        """Return a list in order, NULL last, texts by code point; NULL of NULL."""
        item = sg.to_identifier("x")
        written: Any = sg.column("x")
        if op.arg.dtype.value_type.is_string():
            written = by_code_point(written)
        order = sge.Ordered(this=written, nulls_first=False)
        rows = sg.select("x").from_(sge.Unnest(expressions=[arg], alias=item)).order_by(order)
        return self.if_(arg.is_(NULL), NULL, self.f.array(rows))

    def visit_ArrayMap(self, op: Any, *, arg: Any, **function: Any) -> Any:
        """Return a list of what a function makes of each item; NULL of NULL."""
        return self.if_(arg.is_(NULL), NULL, super().visit_ArrayMap(op, arg=arg, **function))

    def visit_ArrayFilter(self, op: Any, *, arg: Any, **function: Any) -> Any:
        """Return a list of the items that a function keeps; NULL of NULL."""
        return self.if_(arg.is_(NULL), NULL, super().visit_ArrayFilter(op, arg=arg, **function))

    def visit_StructField(self, op: Any, *, arg: Any, field: str) -> Any:
        """Return a field of a row; of a text, the text and not its JSON."""
        place = op.arg.dtype.names.index(field) + 1
        if op.dtype.is_json() or op.dtype.is_nested():
            return super().visit_StructField(op, arg=arg, field=field)
        return self.cast(self.f.anon.jsonb_extract_path_text(self.f.to_jsonb(arg), f"f{place}"), op.dtype)

    def json_extract_path_text(self, op: Any, arg: Any, *rest: Any) -> Any:
        """Return the text of a JSON value, or of what a path leads to; Ibis writes the first as no valid SQL."""
        if rest:
            return super().json_extract_path_text(op, arg, *rest)
        return sge.JSONBExtractScalar(this=sge.paren(arg), expression=sge.convert("{}"))

    def visit_UnwrapJSONInt64(self, op: Any, *, arg: Any) -> Any:
        """Return an integer that JSON holds, of either sign; NULL for any other value."""
        text = self.json_extract_path_text(op, arg)
        number = self.if_(sge.RegexpLike(this=text, expression=sge.convert("^-?[0-9]{1,30}$")), text, NULL)
        whole = self.cast(number, dt.decimal)
        inside = sge.Between(this=whole, low=sge.convert(-(2**63)), high=sge.convert(2**63 - 1))
        is_number = self.json_typeof(op, arg).eq(sge.convert("number"))
        return self.if_(sg.and_(is_number, inside), self.cast(whole, op.dtype), NULL)

    # Aggregates

    def visit_First(self, op: Any, *, arg: Any, where: Any, order_by: Sequence[Any], include_null: bool) -> Any:
        """Return the first value, by default the first that is not NULL."""
        return sge.paren(self._in_order(arg, where, order_by, include_null))[0]

    def visit_Last(self, op: Any, *, arg: Any, where: Any, order_by: Sequence[Any], include_null: bool) -> Any:
        """Return the last value, by default the last that is not NULL."""
        values = self._in_order(arg, where, order_by, include_null)
        return sge.paren(values)[self.f.cardinality(values)]

    def visit_Arbitrary(self, op: Any, *, arg: Any, where: Any) -> Any:
        """Return any value that is not NULL."""
        return sge.paren(self._in_order(arg, where, (), include_null=False))[0]

    def _in_order(self, arg: Any, where: Any, order_by: Sequence[Any], include_null: bool) -> Any:
        if not include_null:
            present = arg.is_(sg.not_(NULL))
            where = present if where is None else sge.And(this=present, expression=where)
        return self.agg.array_agg(arg, where=where, order_by=order_by)


def _portable(pattern: Any) -> Any:
    return sge.convert(portable(pattern.this)) if isinstance(pattern, sge.Literal) else pattern


def by_code_point(value: Any) -> Any:
    """Return a text whose order is that of code points, whatever its collation."""
    return sge.Collate(this=value, expression=sge.to_identifier("C", quoted=True))
