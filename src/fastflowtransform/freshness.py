"""How new the rows of sources are: the newest moment of each, and whether that is new enough."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from fastflowtransform.checks.columns import present
from fastflowtransform.engines.base import Engine
from fastflowtransform.errors import BadValue, FftError, SourceStale
from fastflowtransform.model import Freshness, Source
from fastflowtransform.report import Report
from fastflowtransform.results import SourceResult, Status

if TYPE_CHECKING:
    import ibis.expr.types as ir


def ask_all(
    sources: Iterable[Source], engine: Engine, report: Report, now: datetime | None = None
) -> tuple[SourceResult, ...]:
    """Ask how new sources are, one after the other.

    Parameters
    ----------
    sources
        Each has a `freshness`.
    engine
        Where their tables are.
    report
        Is told of each beginning and end.
    now
        The time from which to count, with a time zone; None for this machine's clock at each question.

    Returns
    -------
    tuple of SourceResult
        One a source. A table that is missing is an error of its own, and the others are asked.
    """
    results = []
    for source in sources:
        report.started(source.name, "freshness")
        result = _asked(source, engine, now)
        report.finished(result)
        results.append(result)
    return tuple(results)


def _asked(source: Source, engine: Engine, now: datetime | None) -> SourceResult:
    asked = source.freshness
    assert asked is not None
    began = time.perf_counter()
    newest, age, problem = None, None, None
    try:
        newest = _newest(source, asked, engine)
        age = None if newest is None else (now or datetime.now(UTC)) - newest
        status = judged(age, asked)
    except FftError as error:
        status, problem = Status.ERROR, error
        problem.at = problem.at or asked.at
    if problem is None and status is Status.ERROR:
        problem = _stale(source, newest, age, asked)
    seconds = time.perf_counter() - began
    return SourceResult(source.name, status, seconds, newest, age, asked.warn_after, asked.error_after, problem)


def judged(age: timedelta | None, asked: Freshness) -> Status:
    """Say whether rows are new enough; without any row they are as old as can be.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastflowtransform.errors import Location
    >>> day = timedelta(days=1)
    >>> asked = Freshness("at", None, day, 2 * day, Location(Path("sources.yml")))
    >>> [judged(age, asked).value for age in (day, day * 1.5, day * 3, None)]
    ['success', 'warn', 'error', 'error']
    """
    if asked.error_after is not None and (age is None or age > asked.error_after):
        return Status.ERROR
    if asked.warn_after is not None and (age is None or age > asked.warn_after):
        return Status.WARN
    return Status.SUCCESS


def _newest(source: Source, asked: Freshness, engine: Engine) -> datetime | None:
    """Return the newest moment in UTC; a timestamp without a time zone is one in UTC, and a date its first moment."""
    table = engine.table(source.relation)
    if asked.filter is not None:
        table = engine.sql(f"SELECT * FROM (\n{engine.compiled(table)}\n) AS source WHERE (\n{asked.filter}\n)")
    loaded = _loaded_at(table, asked, engine)
    dtype = loaded.type()
    if not (dtype.is_timestamp() or dtype.is_date()):
        raise BadValue(
            f'loaded_at_field of "{source.name}" is of the type "{dtype}", and holds no timestamps and no dates',
            hint="name the column that says when a row came, or cast it",
        )
    with engine.batches(loaded.as_table().aggregate(newest=lambda rows: rows[loaded.get_name()].max())) as batches:
        (row,) = batches.read_all().to_pylist()
    found = row["newest"]
    if isinstance(found, date) and not isinstance(found, datetime):
        found = datetime(found.year, found.month, found.day)
    if found is None or found.tzinfo is not None:
        return None if found is None else found.astimezone(UTC)
    moment: datetime = found.replace(tzinfo=UTC)
    return moment


def _loaded_at(table: ir.Table, asked: Freshness, engine: Engine) -> ir.Column:
    """Return the column that says when a row came; what is not a plain name is SQL."""
    name = engine.capabilities.folding.spelling(asked.loaded_at_field, table.columns) or asked.loaded_at_field
    if name in table.columns or re.fullmatch(r"\w+", name):
        present(table, [name], "loaded_at_field")
        return table[name]
    found = engine.sql(f"SELECT (\n{name}\n) AS loaded_at FROM (\n{engine.compiled(table)}\n) AS source")
    return found["loaded_at"]


def _stale(source: Source, newest: datetime | None, age: timedelta | None, asked: Freshness) -> SourceStale:
    where = "" if asked.filter is None else f' of "{asked.filter}"'
    if newest is None or age is None:
        return SourceStale(
            f'"{source.name}" has no row{where} with a value in "{asked.loaded_at_field}"',
            at=asked.at,
            hint="look at what fills it",
        )
    return SourceStale(
        f'"{source.name}" is {spelt(age)} old: its newest row{where} is of "{newest:%Y-%m-%d %H:%M:%S}" in UTC, and '
        f"error_after is {spelt(asked.error_after or age)}",
        at=asked.at,
        hint="look at what fills it",
    )


def spelt(length: timedelta) -> str:
    """Return a length of time in its two largest units.

    Examples
    --------
    >>> spelt(timedelta(days=2, hours=3, minutes=4)), spelt(timedelta(minutes=90)), spelt(timedelta(seconds=-1))
    ('2 days 3 hours', '1 hour 30 minutes', '0 seconds')
    """
    seconds = max(int(length.total_seconds()), 0)
    words = []
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        number, seconds = divmod(seconds, size)
        if number:
            words.append(f"{number} {unit}{'' if number == 1 else 's'}")
    return " ".join(words[:2]) or "0 seconds"
