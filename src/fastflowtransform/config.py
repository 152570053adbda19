"""What a model says of itself, in any of its spellings, as one frozen value.

The same incremental setting may stand in `config()`, in its `meta`, in its `incremental`, and in project.yml.
Given twice it must be the same; else both places are shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fastflowtransform.contract import read_column, read_said
from fastflowtransform.document import Section, read_document
from fastflowtransform.errors import BadValue, ConflictingSettings, Location, MissingDeltaFile
from fastflowtransform.files import has_file, inside, read_text
from fastflowtransform.model import (
    Delta,
    Incremental,
    Index,
    Layout,
    Materialized,
    OnDuplicateKey,
    OnNullKey,
    OnSchemaChange,
    Said,
)
from fastflowtransform.sql_comments import comment_around
from fastflowtransform.template import Template, compile_value

_CONFIG = re.compile(r"\bconfig\s*\(")


class Strategy(StrEnum):
    """What an incremental model may ask for; the physical way is the engine's."""

    AUTO = "auto"
    MERGE = "merge"
    APPEND = "append"


@dataclass(frozen=True, slots=True)
class Defaults:
    """What project.yml says of all models.

    Parameters
    ----------
    folder
        The project's folder; `delta_config` is relative to it.
    materialized
        Of models that do not say.
    incremental
        The section of `models.incremental` by model.
    """

    folder: Path
    materialized: Materialized = Materialized.VIEW
    incremental: Mapping[str, Section] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Config:
    """A model's configuration."""

    materialized: Materialized
    tags: frozenset[str]
    incremental: Incremental | None
    layout: Layout
    said: Said | None
    requires: Mapping[str, tuple[str, ...]]
    description: str
    dialect: str | None
    deterministic: bool | None
    meta: Mapping[str, Any]
    timeout: float | None


@dataclass(frozen=True, slots=True)
class _Setting:
    """One incremental setting, and where it was given."""

    name: str
    value: Any
    at: Location


def read_config(section: Section, name: str, defaults: Defaults, *, own_delta: bool = False) -> Config:
    """Read the arguments of `config()` or of a decorator.

    Parameters
    ----------
    section
        The arguments.
    name
        The model's name.
    defaults
        What project.yml adds.
    own_delta
        Whether the model's text itself leaves out what is known, by `is_incremental()`.

    Raises
    ------
    UnknownKey, BadValue
        An argument that nothing reads, or a value that does not fit.
    ConflictingSettings
        Two spellings disagree.
    """
    materialized = section.choice("materialized", Materialized, defaults.materialized)
    settings = [*_settings(section, defaults.folder)]
    meta = section.section("meta", f'"meta" of "{name}"')
    if meta is not None:
        in_meta = [*_settings(meta, defaults.folder), *_switched(meta, name, defaults.folder)]
        settings += in_meta
        if in_meta:
            meta.close_to_typos()
    settings += _switched(section, name, defaults.folder)
    if (project := defaults.incremental.get(name)) is not None:
        settings.append(_Setting("enabled", project.flag("enabled", True), project.at()))
        settings += _settings(project, defaults.folder)
        project.close()
    config = Config(
        materialized=materialized,
        tags=frozenset(section.texts("tags")),
        incremental=None,
        layout=_layout(section, name),
        said=_said(section, name),
        requires=MappingProxyType(dict(_requires(section, name))),
        description=section.text("description", "") or "",
        dialect=section.dialect(),
        deterministic=section.flag("deterministic") if section.has("deterministic") else None,
        meta=MappingProxyType(dict(section.raw("meta") or {})),
        timeout=_timeout(section),
    )
    section.close()
    if (given := config.layout.set_by_user) and config.materialized in (Materialized.VIEW, Materialized.EPHEMERAL):
        raise BadValue(
            f'"{name}" sets "{given[0]}", but is materialized as "{config.materialized}"',
            at=section.at(given[0]),
            hint="set materialized='table', or take the setting away",
        )
    decided = _decided(config, _merged(settings, name), section, name, own_delta=own_delta)
    if (incremental := decided.incremental) is not None and not own_delta:
        _require_a_delta(incremental, section, name)
    return decided


def config_call(template: Template, name: str, rendered: Sequence[object] = ()) -> Location:
    """Return where a text calls `config()`, or where the text begins.

    Parameters
    ----------
    template
        The text of a model or a check.
    name
        Its name.
    rendered
        What the calls were given that were reached as the text was rendered, in a macro or a loop too.

    Raises
    ------
    ConflictingSettings
        It is called twice, or in a comment of the SQL, which does not keep Jinja from calling it.
    """
    calls = [template.line(call.line) for call in template.called("config")]
    commented = _commented(template, calls)
    if commented is not None:
        call, comment = commented
        others = [f", beside the one at {other}" for other in calls if other != call]
        raise ConflictingSettings(
            f'config() of "{name}" is called in a comment of the SQL, which begins at {comment}{"".join(others[:1])}',
            at=call,
            hint="take it away: Jinja does not know comments of SQL, and {# … #} is a comment of Jinja",
        )
    if len(calls) > 1 or len(rendered) > 1:
        first, *again = calls or [template.at]
        raise ConflictingSettings(
            f'"{name}" calls config() twice: at {first} and {"here" if again else "again"}',
            at=again[0] if again else first,
            hint="write one config(), with a value such as 'table' if engine('duckdb') else 'view' where it depends",
        )
    return calls[0] if calls else Location(template.at.path, 1)


def _commented(template: Template, calls: Sequence[Location]) -> tuple[Location, Location] | None:
    """Return the place of a call in a comment of the SQL, and that of the comment."""
    places = [found.start() for found in _CONFIG.finditer(template.text)] if calls else []
    # A call in {# #} or in a raw block is none; then the places cannot be told apart.
    for place, call in zip(places, calls, strict=True) if len(places) == len(calls) else ():
        if (begin := comment_around(place, template.text)) is not None:
            return call, template.line(template.text.count("\n", 0, begin) + 1)
    return None


def _decided(
    config: Config, settings: Mapping[str, _Setting], section: Section, name: str, *, own_delta: bool
) -> Config:
    from dataclasses import replace

    enabled = settings.get("enabled")
    wanted = config.materialized is Materialized.INCREMENTAL
    if enabled is not None:
        if wanted and not enabled.value:
            raise ConflictingSettings(
                f'"{name}" is materialized as "incremental", and incremental is switched off at {enabled.at}',
                at=section.at("materialized"),
                hint="keep one of the two",
            )
        wanted = enabled.value
    others = {key: setting for key, setting in settings.items() if key != "enabled"}
    if not wanted:
        for key, setting in others.items():
            raise BadValue(
                f'"{name}" sets "{key}", but is materialized as "{config.materialized}"',
                at=setting.at,
                hint="set materialized='incremental', or take the setting away",
            )
        return config
    if config.materialized in (Materialized.VIEW, Materialized.EPHEMERAL) and section.has("materialized"):
        raise ConflictingSettings(
            f'"{name}" is incremental, and materialized as "{config.materialized}"',
            at=section.at("materialized"),
            hint="set materialized='incremental'",
        )
    incremental = _incremental(others, name, own_delta=own_delta)
    layout = replace(config.layout, key=incremental.unique_key)
    return replace(config, materialized=Materialized.INCREMENTAL, incremental=incremental, layout=layout)


def _timeout(section: Section) -> float | None:
    """Read `timeout`: a number of seconds, or a duration."""
    value = section.raw("timeout")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds: float | None = value
    else:
        length = section.duration("timeout")
        seconds = None if length is None else length.total_seconds()
    if seconds is not None and not is_timeout(seconds):
        raise section.bad("timeout", "more than 0 seconds")
    return seconds


def is_timeout(seconds: float) -> bool:
    """Whether it is a length of time that can be waited for, in seconds: more than 0, and no more than 30 years."""
    return 0 < seconds <= 10**9


def _said(section: Section, name: str) -> Said | None:
    """Read `contract`, and the `columns` and `constraints` of one."""
    columns = []
    for column in section.sections("columns", f'column of "{name}"'):
        columns.append(read_column(column))
        column.text("description")
        column.close()
    said = read_said(section, columns)
    return said if said.enforcement or said.columns or said.constraints else None


def _requires(section: Section, name: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the columns that an input has to have, by the input's name."""
    nested = section.section("requires", f'"requires" of "{name}"')
    for key in () if nested is None else nested.values:
        assert nested is not None
        yield str(key), nested.texts(str(key))


def _layout(section: Section, name: str) -> Layout:
    """Read how the table is to lie."""
    partition_by, cluster_by = section.texts("partition_by"), section.texts("cluster_by")
    if partition_by and cluster_by:
        raise ConflictingSettings(
            f'"{name}" sets both "partition_by" and "cluster_by"',
            at=section.at("cluster_by"),
            hint="keep one of the two",
        )
    properties = section.section("table_properties", f'"table_properties" of "{name}"')
    pairs = {} if properties is None else {key: properties.text(key) or "" for key in properties.values}
    return Layout(tuple(_indexes(section, name)), partition_by, cluster_by, MappingProxyType(pairs))


def _indexes(section: Section, name: str) -> Iterator[Index]:
    """Read `indexes`: a list of mappings, of lists of columns, or of columns."""
    value = section.raw("indexes")
    if value is None:
        return
    if not isinstance(value, (list, tuple)) or not value:
        raise section.bad("indexes", "a list, as in [{'columns': ['event_id'], 'unique': True}]")
    for number, item in enumerate(value):
        given = item if isinstance(item, Mapping) else {"columns": item}
        nested = section.overlaid({"indexes": given}).section("indexes", f'index {number + 1} of "{name}"')
        assert nested is not None
        columns, unique, method = nested.texts("columns"), nested.flag("unique"), nested.text("method")
        nested.close()
        if not columns or len(set(columns)) < len(columns):
            raise BadValue(
                f'index {number + 1} of "{name}" names {"a column twice" if columns else "no columns"}',
                at=section.at("indexes"),
                hint="name each of its columns once",
            )
        yield Index(columns, unique, method)


def _require_a_delta(incremental: Incremental, section: Section, name: str) -> None:
    if not incremental.unique_key and not incremental.updated_at and incremental.delta is None:
        raise BadValue(
            f'"{name}" is incremental, and has neither unique_key nor updated_at nor a delta of its own',
            at=section.at("materialized"),
            hint="set unique_key and updated_at",
        )


def _incremental(settings: Mapping[str, _Setting], name: str, *, own_delta: bool) -> Incremental:
    values = {key: setting.value for key, setting in settings.items()}
    strategy = values.pop("strategy", Strategy.AUTO)
    incremental = Incremental(**values)
    for key, complaint, hint in _contradictions(incremental, strategy, explicit=frozenset(values), own_delta=own_delta):
        raise BadValue(f'"{name}" {complaint}', at=settings[key].at, hint=hint)
    return incremental


def _contradictions(
    incremental: Incremental, strategy: Strategy, *, explicit: frozenset[str], own_delta: bool
) -> Iterator[tuple[str, str, str]]:
    """Yield the setting that is at odds with the others, what is wrong with it, and a hint."""
    key, both = incremental.unique_key, bool(incremental.unique_key and incremental.updated_at)
    if strategy is Strategy.MERGE and not key:
        yield "strategy", 'asks for the strategy "merge" without a key', "set unique_key"
    if strategy is Strategy.APPEND and key:
        yield "strategy", 'asks for the strategy "append" and has a unique_key', "drop one: rows with a key are merged"
    if "on_null_key" in explicit and not key:
        yield "on_null_key", f'sets on_null_key to "{incremental.on_null_key}" without a key', "set unique_key"
    if "on_duplicate_key" in explicit and not (both or key and incremental.on_duplicate_key is OnDuplicateKey.ERROR):
        complaint = f'sets on_duplicate_key to "{incremental.on_duplicate_key}" without unique_key and updated_at'
        yield "on_duplicate_key", complaint, "set both: the newest row is found by its cursor"
    if incremental.lookback is not None and not both:
        complaint = f'has a lookback of "{incremental.lookback}" without updated_at and unique_key'
        yield "lookback", complaint, "set both: without a key the rows looked back at would be added again"
    if own_delta and incremental.delta is not None:
        yield "delta", "has a delta, and asks is_incremental() as well", "keep one of the two"
    if incremental.lookback is not None and (own_delta or incremental.delta is not None):
        yield "lookback", "has a lookback, and a delta of its own that it does not reach", "look back in the delta"
    if len(set(key)) < len(key):
        yield "unique_key", "names a column of unique_key twice", "name it once"


def _switched(section: Section, name: str, folder: Path) -> Iterator[_Setting]:
    """Read `incremental`, which is true, false, or a mapping with a switch in it."""
    value = section.raw("incremental")
    if value is None:
        return
    if isinstance(value, Mapping):
        nested = section.section("incremental", f'"incremental" of "{name}"')
        assert nested is not None
        yield _Setting("enabled", nested.flag("enabled", True), nested.at("enabled"))
        yield from _settings(nested, folder)
        nested.close()
    else:
        yield _Setting("enabled", section.flag("incremental"), section.at("incremental"))


def _settings(section: Section, folder: Path) -> Iterator[_Setting]:
    """Yield the incremental settings that stand in `section` itself."""
    if section.has("unique_key"):
        yield _Setting("unique_key", section.texts("unique_key"), section.at("unique_key"))
    for key in ("updated_at", "updated_at_column"):
        if section.has(key):
            yield _Setting("updated_at", section.text(key), section.at(key))
    if section.has("lookback"):
        yield _Setting("lookback", section.duration("lookback"), section.at("lookback"))
    yield from _choices(section)
    yield from _deltas(section, folder)


def _choices(section: Section) -> Iterator[_Setting]:
    if section.has("strategy"):
        yield _Setting("strategy", section.choice("strategy", Strategy, Strategy.AUTO), section.at("strategy"))
    if section.has("on_null_key"):
        value: StrEnum = section.choice("on_null_key", OnNullKey, OnNullKey.ERROR)
        yield _Setting("on_null_key", value, section.at("on_null_key"))
    if section.has("on_duplicate_key"):
        value = section.choice("on_duplicate_key", OnDuplicateKey, OnDuplicateKey.NEWEST)
        yield _Setting("on_duplicate_key", value, section.at("on_duplicate_key"))
    if section.has("on_schema_change"):
        value = section.choice("on_schema_change", OnSchemaChange, OnSchemaChange.FAIL)
        yield _Setting("on_schema_change", value, section.at("on_schema_change"))


def _deltas(section: Section, folder: Path) -> Iterator[_Setting]:
    if section.has("delta_sql"):
        yield _delta(section.required_text("delta_sql"), section.at("delta_sql"))
    if section.has("delta"):
        nested = section.section("delta")
        assert nested is not None
        yield _delta(nested.required_text("sql"), nested.at("sql"))
        nested.close()
    if section.has("delta_config"):
        path = inside(folder, folder, section.required_text("delta_config"), section.at("delta_config"))
        if not has_file(path):
            raise MissingDeltaFile(
                f'delta_config names "{section.text("delta_config")}", which is not a file',
                at=section.at("delta_config"),
                hint="the path is relative to the project's folder",
            )
        document = read_document(path, path.name)
        yield _delta(document.required_text("sql"), document.at("sql"))
        document.close()


def _delta(sql: str, at: Location) -> _Setting:
    return _Setting("delta", Delta(compile_value(sql, _beginning(sql, at))), at)


def _beginning(sql: str, at: Location) -> Location:
    """Return where the SQL's own first line stands: after a `|`, or where the text is found as it is."""
    text = read_text(at.path)
    first = sql.strip().splitlines()[0]
    for number, line in enumerate(text.splitlines()[(at.line or 1) - 1 :], start=at.line or 1):
        if first in line:
            blank = len(sql) - len(sql.lstrip())
            return Location(at.path, number - sql[:blank].count("\n"))
    return at


def _merged(settings: list[_Setting], name: str) -> dict[str, _Setting]:
    """Return the settings by name; the same one twice must be the same."""
    found: dict[str, _Setting] = {}
    for setting in settings:
        first = found.setdefault(setting.name, setting)
        if _value(first) != _value(setting):
            raise ConflictingSettings(
                f'"{name}" has "{setting.name}" as "{_shown(first)}" at {first.at}, and as "{_shown(setting)}"',
                at=setting.at,
                hint="keep one of the two",
            )
    return found


def _value(setting: _Setting) -> Any:
    return setting.value.template.text.strip() if isinstance(setting.value, Delta) else setting.value


def _shown(setting: _Setting) -> str:
    value = _value(setting)
    return ", ".join(value) if isinstance(value, tuple) else str(value)
