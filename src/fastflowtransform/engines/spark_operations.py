"""Ibis operations that mean on Spark what they mean on DuckDB, where Ibis' own compiler gives something else.

Each method is one operation. `docs/reference/semantics.md` says what they mean, and `tests/engines/test_operations.py`
holds the three engines to the same rows.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from typing import Any

import ibis.backends.sql.compilers as compilers
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import sqlglot as sg
import sqlglot.expressions as sge
from ibis.backends.sql.compilers.base import NULL, SQLGlotCompiler
from ibis.common.exceptions import UnsupportedOperationError

from fastflowtransform.engines.time_formats import UnknownCode, java_patterns
from fastflowtransform.patterns import DAY, NUMBER, for_java, portable

_HEX = r"^\s*0[xX][0-9a-fA-F]{1,15}\s*$"
_MICROSECONDS = {
    "hour": 3_600_000_000,
    "minute": 60_000_000,
    "second": 1_000_000,
    "millisecond": 1_000,
    "microsecond": 1,
}


class SparkOperations(compilers.PySparkCompiler):  # type: ignore[misc]
    """Ibis' compiler for Spark, with the meaning of every other engine."""

    # Ibis would set the methods of these tables again on each class that inherits them, over the ones below.
    SIMPLE_OPS: dict[Any, str] = {}
    UNSUPPORTED_OPS = (
        ops.Hash,
        ops.Kurtosis,
        # Of characters here, and of bytes on DuckDB.
        ops.Levenshtein,
        ops.RandomUUID,
        ops.RowID,
        ops.StringToTime,
        ops.TimestampBucket,
        # Ibis gives these to a function of Python's in each worker, where pandas need not be.
        ops.JSONGetItem,
        ops.UnwrapJSONBoolean,
        ops.UnwrapJSONFloat64,
        ops.UnwrapJSONInt64,
        ops.UnwrapJSONString,
    )

    # Ibis numbers the rows for an offset, which Spark has had since 3.4, and leaves the number in the table.
    rewrites = SQLGlotCompiler.rewrites

    def visit_IsNull(self, op: Any, *, arg: Any) -> Any:
        """Return `IS NULL`: to Ibis' own compiler, NaN is NULL as well, as it is on no other engine."""
        return arg.is_(NULL)

    def visit_NotNull(self, op: Any, *, arg: Any) -> Any:
        """Return `IS NOT NULL`."""
        return arg.is_(sg.not_(NULL))

    def visit_IsNan(self, op: Any, *, arg: Any) -> Any:
        """Return whether a number is NaN; NULL of NULL."""
        return self.if_(arg.is_(NULL), NULL, self.f.isnan(arg))

    def visit_IsInf(self, op: Any, *, arg: Any) -> Any:
        """Return whether a number is infinite; NULL of NULL."""
        return self.if_(arg.is_(NULL), NULL, super().visit_IsInf(op, arg=arg))

    # Numbers

    def visit_Divide(self, op: Any, *, left: Any, right: Any) -> Any:
        """Return a quotient as float64, of decimals too."""
        left = self.cast(left, dt.float64) if op.left.dtype.is_decimal() else left
        right = self.cast(right, dt.float64) if op.right.dtype.is_decimal() else right
        return super().visit_Divide(op, left=left, right=right)

    def visit_Mean(self, op: Any, *, arg: Any, where: Any) -> Any:
        """Return the mean as float64, of decimals too."""
        arg = self.cast(arg, dt.float64) if op.arg.dtype.is_decimal() else arg
        return super().visit_Mean(op, arg=arg, where=where)

    def visit_Round(self, op: Any, *, arg: Any, digits: Any) -> Any:
        """Round half away from zero; a float by the same steps in floating point as on DuckDB."""
        if not op.arg.dtype.is_floating() or op.digits is None:
            return super().visit_Round(op, arg=arg, digits=digits)
        scale = self.f.power(self.cast(10, dt.float64), digits)
        rounded = self.f.round(sge.paren(arg) * scale) / scale
        finite = sge.Between(this=arg, low=self.cast(-1e290, dt.float64), high=self.cast(1e290, dt.float64))
        return self.if_(finite, rounded, arg)

    def visit_Cast(self, op: Any, *, arg: Any, to: Any) -> Any:
        """Return a number as an integer by rounding it, a float half to even; Spark's own cast cuts it off."""
        if to.is_integer() and op.arg.dtype.is_floating():
            return self.cast(self.f.rint(arg), to)
        if to.is_integer() and op.arg.dtype.is_decimal():
            return self.cast(self.f.round(arg), to)
        return super().visit_Cast(op, arg=arg, to=to)

    def visit_TryCast(self, op: Any, *, arg: Any, to: Any) -> Any:
        """Return a value that a text holds, as DuckDB reads it, and NULL where it holds none."""
        if not op.arg.dtype.is_string():
            if to.is_integer() and (op.arg.dtype.is_floating() or op.arg.dtype.is_decimal()):
                arg = self.f.rint(arg) if op.arg.dtype.is_floating() else self.f.round(arg)
            return self._try(arg, to)
        if to.is_integer():
            return self._read_integer(arg, to)
        if to.is_date():
            day = self.f.translate(self.f.btrim(arg, self._text(string.whitespace)), "/", "-")
            return self.if_(self._is(arg, DAY), self._try(day, to), NULL)
        if to.is_numeric() and not to.is_boolean():
            return self.if_(self._is(arg, NUMBER), self._try(self._plain(arg), to), self._special(arg, to))
        if to.is_boolean() or to.is_string():
            return self._try(arg, to)
        raise UnsupportedOperationError(f"try_cast of a text to {to} has no equal on Spark")

    def _special(self, arg: Any, to: Any) -> Any:
        if not to.is_floating():
            return NULL
        word = self.f.lower(self._plain(arg))
        named = word.isin(*map(sge.convert, ("nan", "inf", "infinity", "-inf", "-infinity", "+inf", "+infinity")))
        return self.if_(named, self._try(word, to), NULL)

    def _read_integer(self, arg: Any, to: Any) -> Any:
        number = self.f.round(self._try(self._plain(arg), dt.Decimal(38, 18)), 0)
        hexadecimal = self.f.conv(self.f.substr(self._plain(arg), 3), 16, 10)
        return sge.Case(
            ifs=[
                self.if_(self._is(arg, NUMBER), self._try(number, to)),
                self.if_(self._is(arg, _HEX), self._try(hexadecimal, to)),
            ],
            default=NULL,
        )

    def _plain(self, arg: Any) -> Any:
        return self.f.replace(self.f.btrim(arg, self._text(string.whitespace)), "_", "")

    def _is(self, arg: Any, pattern: str) -> Any:
        return self.f.regexp_like(arg, pattern)

    def _try(self, arg: Any, to: Any) -> Any:
        return sge.TryCast(this=arg, to=self.type_mapper.from_ibis(to), safe=True)

    # Times

    def visit_DateAdd(self, op: Any, *, left: Any, right: Any) -> Any:
        """Return a day and an interval as a local time, as the other engines do."""
        return self.cast(left, dt.timestamp) + right

    def visit_DateSub(self, op: Any, *, left: Any, right: Any) -> Any:
        """Return a day less an interval as a local time."""
        return self.cast(left, dt.timestamp) - right

    def visit_TimestampTruncate(self, op: Any, *, arg: Any, unit: Any) -> Any:
        """Return the beginning of a unit of time; a local one of what has no time zone."""
        begins = super().visit_TimestampTruncate(op, arg=arg, unit=unit)
        zoned = op.arg.dtype.is_timestamp() and op.arg.dtype.timezone is not None
        return begins if zoned else self.cast(begins, dt.timestamp)

    visit_DateTruncate = visit_TimestampTruncate

    def visit_TimestampDelta(self, op: Any, *, part: Any, left: Any, right: Any) -> Any:
        """Return how many borders of a unit are between two times; of weeks, how many times seven days."""
        unit = "day" if op.part.value == "week" else op.part.value
        borders = sge.paren(self._borders(unit, left)) - sge.paren(self._borders(unit, right))
        return sge.IntDiv(this=sge.paren(borders), expression=sge.convert(7)) if op.part.value == "week" else borders

    visit_DateDelta = visit_TimestampDelta

    def _borders(self, unit: str, value: Any) -> Any:
        """Count the borders of a unit between a fixed time and a value."""
        if (length := _MICROSECONDS.get(unit)) is not None:
            micros = self.f.unix_micros(self.cast(value, dt.Timestamp(timezone="UTC")))
            whole = sge.paren(micros - self.f.anon.pmod(micros, length))
            return sge.IntDiv(this=whole, expression=sge.convert(length))
        year = self.cast(self.f.year(value), dt.int64)
        borders = {
            "year": year,
            "quarter": year * 4 + self.f.quarter(value),
            "month": year * 12 + self.f.month(value),
            "day": self.cast(self.f.anon.unix_date(self.cast(value, dt.date)), dt.int64),
        }
        if unit not in borders:
            raise UnsupportedOperationError(f'"{unit}" is no unit of a difference on Spark')
        return borders[unit]

    def visit_ExtractSecond(self, op: Any, *, arg: Any) -> Any:
        """Return whole seconds."""
        return self.cast(self.f.anon.second(arg), op.dtype)

    def visit_ExtractEpochSeconds(self, op: Any, *, arg: Any) -> Any:
        """Return whole seconds."""
        return self.f.anon.unix_seconds(self.cast(arg, dt.Timestamp(timezone="UTC")))

    def visit_Strftime(self, op: Any, *, arg: Any, format_str: Any) -> Any:
        """Return a time as a text."""
        parts = [self.f.anon.date_format(arg, self._text(each)) for each in self._patterns(op.format_str, parse=False)]
        return parts[0] if len(parts) == 1 else self.f.concat(*parts)

    def visit_StringToTimestamp(self, op: Any, *, arg: Any, format_str: Any) -> Any:
        """Return the local time that a text names."""
        return self.f.anon.to_timestamp_ntz(arg, self._text("".join(self._patterns(op.format_str, parse=True))))

    def visit_StringToDate(self, op: Any, *, arg: Any, format_str: Any) -> Any:
        """Return the day that a text names."""
        return self.f.anon.to_date(arg, self._text("".join(self._patterns(op.format_str, parse=True))))

    def _patterns(self, text: Any, *, parse: bool) -> list[str]:
        if not isinstance(text, ops.Literal):
            raise UnsupportedOperationError("a format of times has to be a text that is known when a model is compiled")
        try:
            return java_patterns(text.value, parse=parse)
        except UnknownCode as error:
            raise UnsupportedOperationError(f'Spark has no "{error}" in a format of times') from None

    # Texts and lists

    def visit_Strip(self, op: Any, *, arg: Any) -> Any:
        """Return a text without the white space around it, which is ASCII's; Ibis' own takes letters away as well."""
        return self.f.btrim(arg, self._text(string.whitespace))

    def _text(self, value: str) -> Any:
        """Return a text; to Spark, what sqlglot writes for these characters is the letter behind the backslash."""
        parts = [part for part in re.split(r"([\a\f\v])", value) if part]
        if not set(parts) & set("\a\f\v"):
            return sge.convert(value)
        return self.f.concat(*(self.f.char(ord(part)) if part in "\a\f\v" else sge.convert(part) for part in parts))

    def visit_RegexSearch(self, op: Any, *, arg: Any, pattern: Any) -> Any:
        """Return the search for a pattern that means to Java what it means to others."""
        return self.f.regexp_like(arg, self._for_java(pattern))

    def visit_RegexExtract(self, op: Any, *, arg: Any, pattern: Any, index: Any) -> Any:
        """Return the group of the first match; an empty text where nothing matches."""
        return super().visit_RegexExtract(op, arg=arg, pattern=self._for_java(pattern), index=index)

    def visit_RegexReplace(self, op: Any, *, arg: Any, pattern: Any, replacement: Any) -> Any:
        r"""Return a text with each match replaced; `\\1` is a group, and `$` is a dollar."""
        if not isinstance(op.replacement, ops.Literal):
            raise UnsupportedOperationError("what replaces a pattern has to be a text that is known before a run")
        group_or_dollar = re.sub(r"\\([0-9])|([\\$])", lambda found: _java_replacement(found), op.replacement.value)
        return self.f.regexp_replace(arg, self._for_java(pattern), self._text(group_or_dollar))

    def _for_java(self, pattern: Any) -> Any:
        return sge.convert(for_java(portable(pattern.this))) if isinstance(pattern, sge.Literal) else pattern

    def visit_ArrayIndex(self, op: Any, *, arg: Any, index: Any) -> Any:
        """Return an item, counted from the end where the index is negative; NULL beyond either end."""
        return self.f.anon.try_element_at(arg, self.if_(sge.paren(index) < 0, index, sge.paren(index) + 1))

    # Windows and aggregates

    def visit_FirstValue(self, op: Any, *, arg: Any) -> Any:
        """Return the first value of a window, NULL too."""
        return self.f.first_value(arg)

    def visit_LastValue(self, op: Any, *, arg: Any) -> Any:
        """Return the last value of a window, NULL too."""
        return self.f.last_value(arg)

    def visit_WindowFunction(self, op: Any, *, func: Any, group_by: Any, order_by: Any, **frame: Any) -> Any:
        """Return a function over a window; Ibis leaves out the frame of `nth` as well, which has one."""
        if isinstance(op.func, ops.NthValue):
            return SQLGlotCompiler.visit_WindowFunction(
                self, op, func=func, group_by=group_by, order_by=order_by, **frame
            )
        return super().visit_WindowFunction(op, func=func, group_by=group_by, order_by=order_by, **frame)

    def visit_CountDistinctStar(self, op: Any, *, arg: Any, where: Any) -> Any:
        """Count different rows, those with NULL too."""
        columns = [sg.column(name, table=arg.alias_or_name, quoted=self.quoted) for name in op.arg.schema]
        row = self.f.struct(*columns)
        return self.f.count(sge.Distinct(expressions=[row if where is None else self.if_(where, row, NULL)]))

    def visit_ArrayCollect(
        self, op: Any, *, arg: Any, where: Any, order_by: Sequence[Any], include_null: bool, distinct: bool
    ) -> Any:
        """Return the values as a list, in an order if there is one; NULL where there is no value."""
        if distinct and (order_by or include_null):
            raise UnsupportedOperationError("different values in an order, or with NULL, have no list on Spark")
        if distinct:
            plain = super().visit_ArrayCollect(
                op, arg=arg, where=where, order_by=(), include_null=False, distinct=distinct
            )
            return self._null_if_empty(plain)
        return self._null_if_empty(self._in_order(arg, where, order_by, include_null))

    def visit_GroupConcat(self, op: Any, *, arg: Any, sep: Any, where: Any, order_by: Sequence[Any]) -> Any:
        """Return the texts as one, in an order if there is one."""
        values = self._null_if_empty(self._in_order(arg, where, order_by, include_null=False))
        return self.f.array_join(values, sep)

    def visit_First(self, op: Any, *, arg: Any, where: Any, order_by: Sequence[Any], include_null: bool) -> Any:
        """Return the first value, by default the first that is not NULL."""
        return self.f.anon.try_element_at(self._in_order(arg, where, order_by, include_null), sge.convert(1))

    def visit_Last(self, op: Any, *, arg: Any, where: Any, order_by: Sequence[Any], include_null: bool) -> Any:
        """Return the last value, by default the last that is not NULL."""
        return self.f.anon.try_element_at(self._in_order(arg, where, order_by, include_null), sge.convert(-1))

    def _null_if_empty(self, values: Any) -> Any:
        return self.if_(self.f.size(values).eq(0), NULL, values)

    def _in_order(self, arg: Any, where: Any, order_by: Sequence[Any], include_null: bool) -> Any:
        """Collect values with what they are ordered by, sort these, and keep the values."""
        if not include_null:
            present = arg.is_(sg.not_(NULL))
            where = present if where is None else sge.And(this=present, expression=where)
        keys = [sge.Alias(this=key.this.copy(), alias=sg.to_identifier(f"k{n}")) for n, key in enumerate(order_by)]
        pair = self.f.anon.struct(sge.Alias(this=arg, alias=sg.to_identifier("v")), *keys)
        pairs = self.f.anon.collect_list(pair if where is None else self.if_(where, pair, NULL))
        if order_by:
            left, right = sg.to_identifier("a"), sg.to_identifier("b")
            compare = sge.Lambda(this=self._comparison(order_by), expressions=[left, right])
            pairs = self.f.anon.array_sort(pairs, compare)
        item = sg.to_identifier("a")
        return self.f.anon.transform(
            pairs, sge.Lambda(this=sge.Dot(this=item, expression=sg.to_identifier("v")), expressions=[item])
        )

    def _comparison(self, order_by: Sequence[Any]) -> Any:
        """Return -1, 0 or 1 for two pairs, `a` and `b`."""
        ifs = []
        for number, key in enumerate(order_by):
            a, b = (sge.Dot(this=sg.to_identifier(each), expression=sg.to_identifier(f"k{number}")) for each in "ab")
            first = sge.convert(-1 if key.args.get("nulls_first") else 1)
            last = sge.convert(1 if key.args.get("nulls_first") else -1)
            less, more = (1, -1) if key.args.get("desc") else (-1, 1)
            ifs += [
                self.if_(sg.and_(a.is_(NULL), b.is_(sg.not_(NULL))), first),
                self.if_(sg.and_(a.is_(sg.not_(NULL)), b.is_(NULL)), last),
                self.if_(a < b, sge.convert(less)),
                self.if_(a > b, sge.convert(more)),
            ]
        return sge.Case(ifs=ifs, default=sge.convert(0))


def _java_replacement(found: re.Match[str]) -> str:
    return f"${found[1]}" if found[1] else f"\\{found[2]}"
