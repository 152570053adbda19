"""Dates and times: their parts, borders between them, their beginning, and the last day of a month."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from fastflowtransform.translation.kinds import NUMBERS, TIMES, Kind, kind
from fastflowtransform.translation.rule import Refused, rule
from fastflowtransform.translation.rules.dates import plus_minus
from fastflowtransform.translation.write import call, fragment, literal_text

_UNITS = {
    **dict.fromkeys(("YEARS", "Y", "YR", "YRS"), "YEAR"),
    **dict.fromkeys(("MONTHS", "MON", "MONS"), "MONTH"),
    **dict.fromkeys(("QUARTERS",), "QUARTER"),
    **dict.fromkeys(("WEEKS", "W", "WEEKOFYEAR"), "WEEK"),
    **dict.fromkeys(("DAYS", "D", "DAYOFMONTH"), "DAY"),
    **dict.fromkeys(("HOURS", "H", "HR", "HRS"), "HOUR"),
    **dict.fromkeys(("MINUTES", "MIN", "MINS", "M"), "MINUTE"),
    **dict.fromkeys(("SECONDS", "S", "SEC", "SECS"), "SECOND"),
    **dict.fromkeys(("MILLISECONDS", "MS", "MSEC"), "MILLISECOND"),
    **dict.fromkeys(("MICROSECONDS", "US"), "MICROSECOND"),
    **dict.fromkeys(("DAYOFWEEK", "WEEKDAY"), "DOW"),
    "DAYOFWEEKISO": "ISODOW",
    "DAYOFYEAR": "DOY",
}


def unit_of(node: Any | None) -> str:
    """Return a unit that is written out, in its usual spelling."""
    if not isinstance(node, exp.Var | exp.Literal | exp.Identifier):
        raise Refused("its unit is not written out")
    name = node.name.upper()
    return _UNITS.get(name, name)


def as_time(to: str, node: Any) -> Any:
    """Return a date or time as a local time; a moment is one in UTC."""
    if kind(node) not in TIMES:
        if kind(node) is Kind.TEXT and literal_text(node) is not None:
            return fragment(to, {"postgres": "CAST(_0 AS timestamp)", "spark": "CAST(_0 AS timestamp_ntz)"}[to], node)
        raise Refused(f"it is of {kind(node)}")
    if kind(node) is Kind.TIMESTAMP:
        return node
    return fragment(to, {"postgres": "CAST(_0 AS timestamp)", "spark": "CAST(_0 AS timestamp_ntz)"}[to], node)


_IN_A_YEAR = {"QUARTER": 4, "MONTH": 12}
_MONTHS = {
    "YEAR": "(EXTRACT(YEAR FROM _0) - EXTRACT(YEAR FROM _1))",
    **{
        unit: f"(EXTRACT(YEAR FROM _0) * {size} + EXTRACT({unit} FROM _0) "
        f"- EXTRACT(YEAR FROM _1) * {size} - EXTRACT({unit} FROM _1))"
        for unit, size in _IN_A_YEAR.items()
    },
}
_MICROS = {"HOUR": 3_600_000_000, "MINUTE": 60_000_000, "SECOND": 1_000_000, "MILLISECOND": 1000, "MICROSECOND": 1}


def _date_diff(to: str, node: Any) -> Any:
    """Count the borders of a unit between two times, as DuckDB does."""
    unit = unit_of(node.args.get("unit") or exp.Var(this="DAY"))
    end, begin = as_time(to, node.this), as_time(to, node.expression)
    if unit in _MONTHS:
        return fragment(to, f"CAST({_MONTHS[unit]} AS bigint)", end, begin)
    if unit == "DAY":
        words = {
            "postgres": "CAST(CAST(_0 AS date) - CAST(_1 AS date) AS bigint)",
            "spark": "CAST(DATEDIFF(CAST(_0 AS date), CAST(_1 AS date)) AS bigint)",
        }
        return fragment(to, words[to], end, begin)
    if unit == "WEEK":
        # DuckDB counts whole weeks of seven days, and no Mondays.
        words = {
            "postgres": "CAST((CAST(_0 AS date) - CAST(_1 AS date)) / 7 AS bigint)",
            "spark": "CAST(DATEDIFF(CAST(_0 AS date), CAST(_1 AS date)) DIV 7 AS bigint)",
        }
        return fragment(to, words[to], end, begin)
    if unit not in _MICROS:
        raise Refused(f"the borders of {unit.lower()}", instead="date_diff('day', …)")
    size = _MICROS[unit]
    if to == "postgres":
        part = "FLOOR(EXTRACT(EPOCH FROM {}) * 1000000 / " + str(size) + ")"
        return fragment(to, f"CAST({part.format('_0')} - {part.format('_1')} AS bigint)", end, begin)
    part = "FLOOR(UNIX_MICROS(CAST({} AS timestamp_ltz)) / " + f"CAST({size} AS decimal(20, 0)))"
    return fragment(to, f"CAST({part.format('_0')} - {part.format('_1')} AS bigint)", end, begin)


_TRUNCATED = ("YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND", "MILLISECOND")


def _date_trunc(to: str, node: Any) -> Any:
    unit = unit_of(node.args.get("unit"))
    if unit not in _TRUNCATED:
        raise Refused(f"the beginning of {unit.lower()}")
    if node.args.get("zone"):
        raise Refused("it names a time zone")
    word = {"MILLISECOND": "milliseconds"}.get(unit, unit.lower()) if to == "postgres" else unit
    if kind(node.this) is Kind.MOMENT:
        return fragment(to, f"DATE_TRUNC('{word}', _0)", node.this)
    made = fragment(to, f"DATE_TRUNC('{word}', _0)", as_time(to, node.this))
    # Spark's gives a moment, whatever it is of.
    return made if to == "postgres" else fragment(to, "CAST(_0 AS timestamp_ntz)", made)


_PARTS = {
    "postgres": {
        **{unit: f"CAST(EXTRACT({unit} FROM _0) AS bigint)" for unit in
           ("YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "DOW", "ISODOW", "DOY", "ISOYEAR")},
        "SECOND": "CAST(FLOOR(EXTRACT(SECOND FROM _0)) AS bigint)",
        "MILLISECOND": "CAST(FLOOR(EXTRACT(MILLISECONDS FROM _0)) AS bigint)",
        "MICROSECOND": "CAST(EXTRACT(MICROSECONDS FROM _0) AS bigint)",
        "EPOCH": "CAST(EXTRACT(EPOCH FROM _0) AS double precision)",
        "EPOCH_MS": "CAST(FLOOR(EXTRACT(EPOCH FROM _0) * 1000) AS bigint)",
        "EPOCH_US": "CAST(EXTRACT(EPOCH FROM _0) * 1000000 AS bigint)",
    },
    "spark": {
        **{unit: f"CAST({name}(_0) AS bigint)" for unit, name in
           {"YEAR": "YEAR", "QUARTER": "QUARTER", "MONTH": "MONTH", "WEEK": "WEEKOFYEAR", "DAY": "DAY", "HOUR": "HOUR",
            "MINUTE": "MINUTE", "DOY": "DAYOFYEAR", "SECOND": "SECOND"}.items()},
        "DOW": "CAST(DAYOFWEEK(_0) - 1 AS bigint)",
        "ISODOW": "CAST(WEEKDAY(_0) + 1 AS bigint)",
        "ISOYEAR": "CAST(EXTRACT(YEAROFWEEK FROM _0) AS bigint)",
        "MILLISECOND": "CAST(FLOOR(EXTRACT(SECOND FROM _0) * 1000) AS bigint)",
        "MICROSECOND": "CAST(EXTRACT(SECOND FROM _0) * 1000000 AS bigint)",
        "EPOCH": "CAST(UNIX_MICROS(CAST(_0 AS timestamp_ltz)) AS double) / 1e6",
        "EPOCH_MS": "UNIX_MILLIS(CAST(_0 AS timestamp_ltz))",
        "EPOCH_US": "UNIX_MICROS(CAST(_0 AS timestamp_ltz))",
    },
}  # fmt: skip


def part(to: str, unit: str, node: Any) -> Any:
    """Return a part of a time, as a whole number; seconds are cut off."""
    if kind(node) is Kind.INTERVAL:
        return _part_of_interval(to, unit, node)
    words = _PARTS[to].get(unit)
    if words is None:
        raise Refused(f"the part {unit.lower()}")
    return fragment(to, words, as_time(to, node))


def _part_of_interval(to: str, unit: str, node: Any) -> Any:
    inner = node.unnest()
    while isinstance(inner, exp.Paren):
        inner = inner.this
    between = isinstance(inner, exp.Sub) and kind(inner.this) in TIMES and kind(inner.expression) in TIMES
    if unit != "EPOCH" or not between:
        raise Refused("a part of an interval that is not the time between two others", instead="date_diff('second', …)")
    words = {
        "postgres": "CAST(EXTRACT(EPOCH FROM _0) AS double precision)",
        "spark": "(UNIX_MICROS(CAST(_0 AS timestamp_ltz)) - UNIX_MICROS(CAST(_1 AS timestamp_ltz))) / 1e6D",
    }
    return fragment(to, words[to], node) if to == "postgres" else fragment(to, words[to], inner.this, inner.expression)


def _extract(to: str, node: Any) -> Any:
    return part(to, unit_of(node.this), node.expression)


_FUNCTIONS = {
    exp.Year: "YEAR",
    exp.Quarter: "QUARTER",
    exp.Month: "MONTH",
    exp.Week: "WEEK",
    exp.WeekOfYear: "WEEK",
    exp.Day: "DAY",
    exp.DayOfMonth: "DAY",
    exp.Hour: "HOUR",
    exp.Minute: "MINUTE",
    exp.Second: "SECOND",
    exp.DayOfWeek: "DOW",
    exp.DayOfWeekIso: "ISODOW",
    exp.DayOfYear: "DOY",
    exp.TimeToUnix: "EPOCH",
}


def _function(to: str, node: Any) -> Any:
    return part(to, _FUNCTIONS[type(node)], node.this)


_NAMED_PARTS = ("weekday", "isoyear", "epoch_us", "millisecond", "microsecond", "dayofmonth")


def _named_part(to: str, node: Any) -> Any:
    name = node.name.lower()
    if name in ("date_part", "datepart"):
        unit, of = node.expressions
        return part(to, unit_of(unit), of)
    named = {"weekday": "DOW", "dayofmonth": "DAY"}
    return part(to, named.get(name, name.upper()), node.expressions[0])


def _epoch_ms(to: str, node: Any) -> Any:
    """Return milliseconds since 1970: the parser takes DuckDB's `epoch_ms` of a time for its opposite."""
    if kind(node.this) not in TIMES or node.args.get("scale") is None or node.args["scale"].name != "3":
        raise Refused("numbers are made to times in another way", instead="to_timestamp(…)")
    return part(to, "EPOCH_MS", node.this)


def _last_day(to: str, node: Any) -> Any:
    words = {
        "postgres": "CAST(DATE_TRUNC('month', _0) + INTERVAL '1 month' - INTERVAL '1 day' AS date)",
        "spark": "LAST_DAY(_0)",
    }
    return fragment(to, words[to], as_time(to, node.this))


def _day_name(to: str, node: Any) -> Any:
    words = {"postgres": "TO_CHAR(_0, 'FMDay')", "spark": "DATE_FORMAT(_0, 'EEEE')"}
    return fragment(to, words[to], as_time(to, node.this))


def _month_name(to: str, node: Any) -> Any:
    words = {"postgres": "TO_CHAR(_0, 'FMMonth')", "spark": "DATE_FORMAT(_0, 'MMMM')"}
    return fragment(to, words[to], as_time(to, node.this))


def _make_date(to: str, node: Any) -> Any:
    parts = [node.args.get(name) for name in ("year", "month", "day")]
    if any(each is None or kind(each) is not Kind.INTEGER for each in parts):
        raise Refused("it is not made of three whole numbers")
    cast = {"postgres": "CAST(_{} AS integer)", "spark": "CAST(_{} AS int)"}[to]
    arguments = ", ".join(cast.format(number) for number in range(3))
    return fragment(to, f"MAKE_DATE({arguments})", *parts)


def _timezone(to: str, node: Any) -> Any:
    """Return `timezone(zone, time)`, which is `time at time zone zone`."""
    if len(node.expressions) != 2:
        raise Refused("it does not have two arguments")
    zone, this = node.expressions
    return _in_zone(to, this, zone)


def _added(to: str, node: Any) -> Any:
    """Return `date_add(time, interval)`, which is a sum."""
    made = exp.Add(this=node.this.copy(), expression=node.expression.copy())
    if kind(node.expression) is not Kind.INTERVAL:
        raise Refused(f"it adds {kind(node.expression)}")
    return plus_minus(to, made)


def _age(to: str, node: Any) -> Any:
    if to == "spark" or len(node.expressions) != 2 or any(kind(each) not in TIMES for each in node.expressions):
        raise Refused("it gives months and days, and not all engines have it", instead="date_diff('day', …)")
    return call("AGE", *(as_time(to, each) for each in node.expressions))


def _make_timestamp(to: str, node: Any) -> Any:
    names = ("year", "month", "day", "hour", "min", "sec")
    parts = [node.args.get(name) for name in names]
    others = [value for name, value in node.args.items() if name not in names and value]
    if others or any(each is None or kind(each) not in NUMBERS for each in parts):
        raise Refused("it is not made of six numbers")
    cast = {"postgres": ("integer", "double precision"), "spark": ("int", "decimal(16, 6)")}[to]
    arguments = ", ".join(f"CAST(_{place} AS {cast[place == 5]})" for place in range(6))
    name = {"postgres": "MAKE_TIMESTAMP", "spark": "MAKE_TIMESTAMP_NTZ"}[to]
    return fragment(to, f"{name}({arguments})", *parts)


def _whole_units(to: str, node: Any) -> Any:
    """Count the whole days, hours or smaller units between two times."""
    unit, begin, end = node.expressions
    name = unit_of(unit)
    size = {"WEEK": 604_800_000_000, "DAY": 86_400_000_000, **_MICROS}.get(name)
    if size is None:
        raise Refused(f"whole units of {name.lower()}", instead="date_diff, which counts borders")
    one, other = as_time(to, end), as_time(to, begin)
    words = {
        "postgres": f"TRUNC((EXTRACT(EPOCH FROM _0) - EXTRACT(EPOCH FROM _1)) * 1000000 / {size})",
        "spark": "(UNIX_MICROS(CAST(_0 AS timestamp_ltz)) - UNIX_MICROS(CAST(_1 AS timestamp_ltz))) DIV " + str(size),
    }
    return fragment(to, f"CAST({words[to]} AS bigint)", one, other)


def _zone(to: str, node: Any) -> Any:
    return _in_zone(to, node.this, node.args.get("zone"))


def _in_zone(to: str, this: Any, named: Any) -> Any:
    """Return a moment as the local time of a zone, and a local time as the moment."""
    zone = literal_text(named)
    if zone is None:
        raise Refused("its zone is not written out")
    if kind(this) not in (Kind.MOMENT, Kind.TIMESTAMP):
        raise Refused(f"it is of {kind(this)}")
    if to == "postgres":
        return exp.Paren(this=exp.AtTimeZone(this=this.copy(), zone=exp.Literal.string(zone)))
    name = "FROM_UTC_TIMESTAMP" if kind(this) is Kind.MOMENT else "TO_UTC_TIMESTAMP"
    moment = this if kind(this) is Kind.MOMENT else fragment(to, "CAST(_0 AS timestamp_ltz)", this)
    made = exp.Anonymous(this=name, expressions=[moment.copy(), exp.Literal.string(zone)])
    return fragment(to, "CAST(_0 AS timestamp_ntz)", made) if kind(this) is Kind.MOMENT else made


RULES = (
    rule(_date_diff, exp.DateDiff, exp.TimestampDiff, exp.DatetimeDiff),
    rule(_date_trunc, exp.TimestampTrunc, exp.DateTrunc),
    rule(_extract, exp.Extract),
    rule(_function, *_FUNCTIONS),
    rule(
        _named_part,
        "date_part",
        "datepart",
        "weekday",
        "isoyear",
        "epoch_us",
        "millisecond",
        "microsecond",
        "dayofmonth",
    ),
    rule(_timezone, "timezone"),
    rule(_added, exp.DateAdd),
    rule(_age, "age"),
    rule(_make_timestamp, exp.TimestampFromParts),
    rule(_whole_units, "date_sub", "datesub"),
    rule(_epoch_ms, exp.UnixToTime),
    rule(_last_day, exp.LastDay),
    rule(_day_name, exp.Dayname),
    rule(_month_name, exp.Monthname),
    rule(_make_date, exp.DateFromParts),
    rule(_zone, exp.AtTimeZone),
)
