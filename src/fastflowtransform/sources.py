"""What `sources.yml` says of tables that something else fills: where they stand, their columns, and their freshness."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from fastflowtransform.document import Section, render_values
from fastflowtransform.errors import BadValue, DuplicateName, Location, MissingKey
from fastflowtransform.files import has_file
from fastflowtransform.kept import Kept
from fastflowtransform.model import Freshness, Source
from fastflowtransform.relation import Relation
from fastflowtransform.template import Scope, as_functions, compile_value

NAME = "sources.yml"

TEMPLATES = frozenset({"name", "schema", "identifier", "tags", "version", "loaded_at_field", "freshness"})
"""The keys of a source and of a table whose values are templates. The names and types of columns are none: `fft source
sync` copies them from the warehouse, where somebody else may have chosen them."""


class Period(StrEnum):
    """What `count` counts."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"


_LENGTHS = {
    Period.MINUTE: timedelta(minutes=1),
    Period.HOUR: timedelta(hours=1),
    Period.DAY: timedelta(days=1),
}


def read_sources(folder: Path, database: str, scope: Scope, kept: Kept) -> Iterator[Source]:
    """Yield the tables of `sources.yml`, in its order; none where there is no such file.

    Parameters
    ----------
    folder
        The project's.
    database
        Where the tables of a source stand that names no schema.
    scope
        What the file's Jinja sees.
    kept
        What files were parsed to before.

    Raises
    ------
    UnknownKey, MissingKey, BadValue
        An entry does not fit.
    """
    path = folder / NAME
    if not has_file(path):
        return
    context = as_functions({"env": scope.env, "var": scope.var, "project_dir": lambda: str(folder)})

    def rendered(section: Section) -> Section:
        return render_values(section, lambda text, at: compile_value(text, at).render(context), TEMPLATES)

    document = kept.document(path, NAME)
    document.integer("version")
    for source in map(rendered, document.sections("sources", "source")):
        name = source.required_text("name")
        schema = source.text("schema") or database
        tags = source.texts("tags")
        source.text("description")
        of_all = _said(source, _Said())
        for table in map(rendered, source.sections("tables", f'table of source "{name}"')):
            title = table.required_text("name")
            yield Source(
                name=f"{name}.{title}",
                relation=Relation(schema, table.text("identifier") or title),
                at=table.at(),
                tags=frozenset((*tags, *table.texts("tags"))),
                description=table.text("description") or "",
                columns=MappingProxyType(dict(_columns(table, f"{name}.{title}"))),
                freshness=_freshness(_said(table, of_all), f"{name}.{title}"),
                version=table.text("version"),
            )
            table.close()
        source.close()
    document.close()


def _columns(table: Section, name: str) -> Iterator[tuple[str, str]]:
    """Yield each column with its type; one without a type is only described."""
    found: set[str] = set()
    for column in table.sections("columns", f'column of source "{name}"'):
        # A warehouse may have a column whose name is a blank.
        title = column.text("name") or column.required_text("name")
        dtype = column.text("type") or column.text("data_type")
        column.text("description")
        column.close()
        if title in found:
            raise DuplicateName(
                f'source "{name}" has the column "{title}" twice', at=column.at(), hint="keep one of them"
            )
        found.add(title)
        if dtype is not None:
            yield title, dtype


@dataclass(frozen=True, slots=True)
class _Said:
    """What is said so far of how new a table has to be."""

    field: str | None = None
    filter: str | None = None
    warn_after: timedelta | None = None
    error_after: timedelta | None = None
    at: Location | None = None


def _said(section: Section, above: _Said) -> _Said:
    """Read `loaded_at_field` and `freshness`; what is said here wins, and null takes back what was said above."""
    field = section.text("loaded_at_field") or above.field
    nested = section.section("freshness", f'"freshness" of {section.title}')
    if nested is None:
        off = "freshness" in section.values
        return replace(above, field=field, **({"warn_after": None, "error_after": None} if off else {}))
    said = _Said(
        nested.text("loaded_at_field") or field,
        nested.text("filter", above.filter if "filter" not in nested.values else None),
        _after(nested, "warn_after") if "warn_after" in nested.values else above.warn_after,
        _after(nested, "error_after") if "error_after" in nested.values else above.error_after,
        section.at("freshness"),
    )
    nested.close()
    if said.warn_after is None and said.error_after is None:
        raise MissingKey(
            f'{nested.title} has neither "warn_after" nor "error_after"',
            at=said.at,
            hint="add one, as in error_after: {count: 1, period: day}",
        )
    return said


def _freshness(said: _Said, name: str) -> Freshness | None:
    """Return what is asked of a table; None where nothing is."""
    if said.at is None or (said.warn_after is None and said.error_after is None):
        return None
    if said.field is None:
        raise MissingKey(
            f'"{name}" has a freshness, and no "loaded_at_field"',
            at=said.at,
            hint="name the column that says when a row came",
        )
    if said.warn_after is not None and said.error_after is not None and said.warn_after >= said.error_after:
        raise BadValue(
            f'"{name}" warns after "{said.warn_after}" and fails after "{said.error_after}", so it never warns',
            at=said.at,
            hint="let error_after be longer than warn_after",
        )
    return Freshness(said.field, said.filter, said.warn_after, said.error_after, said.at)


def _after(section: Section, key: str) -> timedelta | None:
    """Return a length of time, written as `{count: 12, period: hour}` or `12 hours`."""
    if isinstance(section.raw(key), Mapping):
        nested = section.section(key, f'"{key}"')
        assert nested is not None
        nested.required_text("count")
        nested.required_text("period")
        length = (nested.integer("count") or 0) * _LENGTHS[nested.choice("period", Period, Period.HOUR)]
        nested.close()
    elif (given := section.duration(key)) is not None:
        length = given
    else:
        return None
    if length <= timedelta(0):
        raise section.bad(key, "longer than nothing")
    return length
