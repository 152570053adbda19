"""A mapping out of a YAML file or a `config()` call that knows where each of its keys stands.

Whoever reads a section asks for its keys one by one and then calls `close`: what nobody asked for is an
unknown key, so the keys that are known are written once, where they are used.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Container, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fastflowtransform.atomic_file import write_whole
from fastflowtransform.dialects import NAMES as DIALECTS
from fastflowtransform.dialects import dialect_named
from fastflowtransform.errors import (
    BadValue,
    FftError,
    Location,
    MissingKey,
    UnknownKey,
    UnwritableFolder,
    YamlSyntax,
    hint_from,
    nearest,
)
from fastflowtransform.files import read_text
from fastflowtransform.secret_values import holds_secret, is_secret
from fastflowtransform.yaml_nodes import bounded_node
from fastflowtransform.yaml_scalars import Fraction, Whole, as_written, loader

if TYPE_CHECKING:
    from enum import StrEnum

    import yaml

    Choice = TypeVar("Choice", bound=StrEnum)
    Changed = TypeVar("Changed")

_UNITS = {
    "microsecond": 1e-6,
    "millisecond": 1e-3,
    "second": 1,
    "minute": 60,
    "hour": 3600,
    "day": 86400,
    "week": 604800,
}
_SHORT = {"us": "microsecond", "ms": "millisecond", "s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week"}


class _Lined(dict[str, Any]):
    """A dict out of YAML, with the line of each key."""

    lines: dict[str, int]
    line: int


_COLLECTIONS = {"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}
_UNQUOTED = re.compile(r":\s+([>!%@`&*|=][^\s,}\]]+)")
"""A value that begins with what means something else to YAML, such as `>10`."""


class Section:
    """One mapping of the user's, read key by key.

    Parameters
    ----------
    values
        The mapping itself.
    at
        Where it stands; a key without a line of its own stands there too.
    title
        What to call it in a message, such as `profile "dev"`.
    hides
        Whether its values may be secret, so that messages name their kinds only.
    """

    def __init__(self, values: Mapping[str, Any], at: Location, title: str, *, hides: bool = False) -> None:
        self.values = values
        self.title = title
        self._at = at
        self._hides = hides
        self._asked: set[str] = set()

    def at(self, key: str | None = None) -> Location:
        """Return the place of `key`, or of the section."""
        if isinstance(self.values, _Lined):
            line = self.values.line if key is None else self.values.lines.get(key, self.values.line)
            return Location(self._at.path, line)
        return self._at

    def has(self, key: str) -> bool:
        """Whether the section gives a value other than null for `key`."""
        self._asked.add(key)
        return self.values.get(key) is not None

    def raw(self, key: str) -> Any:
        """Return whatever stands under `key`; None where nothing does."""
        self._asked.add(key)
        return self.values.get(key)

    def text(self, key: str, default: str | None = None) -> str | None:
        """Return a string; numbers are taken as they are written."""
        value = self.raw(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            error = self.bad(key, "a text")
            if isinstance(value, bool):
                error.hint = "put it into quotes: YAML takes it for something else"
            raise error
        return as_written(value)

    def required_text(self, key: str) -> str:
        """Return a string that must be there and not be empty."""
        value = self.text(key)
        if value is None:
            raise MissingKey(f'{self.title} has no "{key}"', at=self.at(), hint=self._how_to_give(key))
        if not value.strip():
            raise BadValue(f'"{key}" of {self.title} is empty', at=self.at(key))
        return value

    def _how_to_give(self, key: str) -> str:
        """Return the hint for a key that is missing, which may be there under a name that is close."""
        import difflib

        unknown = [
            other for other in self.values if other not in self._asked and re.fullmatch("[A-Za-z_]{1,40}", other)
        ]
        near = difflib.get_close_matches(key, unknown, n=1)
        return f'rename "{near[0]}" to "{key}"' if near else f'add the key "{key}"'

    def flag(self, key: str, default: bool = False) -> bool:
        """Return true or false."""
        value = self.raw(key)
        if value is None:
            return default
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if not isinstance(value, bool):
            raise self.bad(key, "true or false")
        return value

    def integer(self, key: str, default: int | None = None) -> int | None:
        """Return a whole number; a text of digits counts as one, because Jinja gives texts."""
        value = self.raw(key)
        if value is None:
            return default
        if isinstance(value, bool) or not re.fullmatch(r"-?\d+", str(value)):
            raise self.bad(key, "a whole number")
        return int(value)

    def choice(self, key: str, kind: type[Choice], default: Choice) -> Choice:
        """Return a member of the enumeration `kind`."""
        value = self.raw(key)
        if value is None:
            return default
        allowed = [member.value for member in kind]
        if value not in allowed:
            hint = nearest(str(value), allowed) or f"use one of: {', '.join(allowed)}"
            shown = kind_of(value) if self._is_hidden(key, value) else f'"{value}"'
            raise BadValue(f'"{key}" of {self.title} is {shown}', at=self.at(key), hint=hint)
        return kind(value)

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of strings; one string counts as a list of one."""
        value = self.raw(key)
        if value is None:
            return ()
        if isinstance(value, str):
            return (value,)
        if not isinstance(value, list | tuple) or not all(isinstance(item, str | int | float) for item in value):
            raise self.bad(key, "a text or a list of texts")
        return tuple(map(as_written, value))

    def dialect(self) -> str | None:
        """Return the SQL dialect under `dialect`, by sqlglot's name."""
        given = self.text("dialect")
        if given is None:
            return None
        if (found := dialect_named(given)) is None:
            message = f'"dialect" of {self.title} is "{given}", which is no SQL dialect'
            raise BadValue(message, at=self.at("dialect"), hint=hint_from(given, DIALECTS, "dialects"))
        return found

    def duration(self, key: str) -> timedelta | None:
        """Return a length of time, written as `2 hours`, `90 minutes` or `1d`."""
        value = self.text(key)
        if value is None:
            return None
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]+?)s?\s*", value)
        unit = match and (_SHORT.get(match[2].lower()) or match[2].lower())
        if match is None and (short := re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*s\s*", value)):
            match, unit = short, "second"
        if match is None or unit not in _UNITS:
            raise self.bad(key, 'a duration such as "1 hour"')
        try:
            return timedelta(seconds=float(match[1]) * _UNITS[unit])
        except OverflowError:
            raise self.bad(key, "a duration of less than 2,700,000 years") from None

    def section(self, key: str, title: str | None = None) -> Section | None:
        """Return the mapping under `key`, or None where there is none."""
        value = self.raw(key)
        return None if value is None else self._nested(value, key, title or f'"{key}" of {self.title}')

    def sections(self, key: str, title: str) -> Iterator[Section]:
        """Yield each mapping of the list under `key`."""
        value = self.raw(key)
        if value is None:
            return
        if not isinstance(value, list | tuple):
            raise self.bad(key, "a list")
        for number, item in enumerate(value, start=1):
            yield self._nested(item, key, f"{title} {number}")

    def items(self, title: str) -> Iterator[tuple[str, Section]]:
        """Yield each key with its mapping, for a section whose keys are names that the user chose."""
        for key in self.values:
            self._asked.add(key)
            yield key, self._nested(self.values[key], key, f'{title} "{key}"')

    def overlaid(self, values: Mapping[str, Any]) -> Section:
        """Return a section with `values` in place of its own, where they are given; what was asked for stays so."""
        lined = _Lined()
        lined.update(self.values)
        lined.update(values)
        lined.lines = {key: self.at(key).line or 1 for key in lined}
        if isinstance(values, _Lined):
            lined.lines |= values.lines
        lined.line = self.at().line or 1
        section = Section(lined, self._at, self.title, hides=self._hides)
        section._asked |= self._asked
        return section

    def without(self, *keys: str) -> Section:
        """Return a section that lacks `keys`."""
        lined = _Lined()
        lined.update({key: value for key, value in self.values.items() if key not in keys})
        lined.lines = {key: self.at(key).line or 1 for key in lined}
        lined.line = self.at().line or 1
        section = Section(lined, self._at, self.title, hides=self._hides)
        section._asked |= self._asked
        return section

    def bad(self, key: str, expected: str) -> BadValue:
        """Return the error for a value of the wrong type, for the caller to raise."""
        value = self.values.get(key)
        shown = kind_of(value) if self._is_hidden(key, value) else f'"{value}"'
        return BadValue(
            f'"{key}" of {self.title} is {shown}, which is not {expected}',
            at=self.at(key),
            hint=f"give {expected}",
        )

    def close(self) -> None:
        """Raise `UnknownKey` for the first key that nobody asked for."""
        for key in self.values:
            if key not in self._asked:
                shown = f' "{key}"' if not self._hides or re.fullmatch("[A-Za-z_]{1,40}", key) else ""
                raise UnknownKey(
                    f"{self.title} has an unknown key{shown}",
                    at=self.at(key),
                    hint=hint_from(str(key), self._asked, "known keys"),
                )

    def close_to_typos(self) -> None:
        """Raise `UnknownKey` for a key that is close to a known one; others are the user's own."""
        for key in self.values:
            if key not in self._asked and (hint := nearest(str(key), self._asked)) is not None:
                raise UnknownKey(f'{self.title} has an unknown key "{key}"', at=self.at(key), hint=hint)

    def _nested(self, value: Any, key: str, title: str) -> Section:
        if not isinstance(value, Mapping):
            shown = kind_of(value) if self._is_hidden(key, value) else f'"{value}"'
            raise BadValue(
                f"{title} is {shown}, which is not a mapping", at=self.at(key), hint="write it as key: value"
            )
        return Section(value, self.at(key), title, hides=self._hides)

    def _is_hidden(self, key: str, value: object) -> bool:
        """Whether a message names the kind of a value only, since that may be secret."""
        return self._hides or is_secret(key) or holds_secret(value)


def kind_of(value: object) -> str:
    """Return what YAML takes a value for, in words.

    Examples
    --------
    >>> kind_of("a"), kind_of([1]), kind_of({}), kind_of(1.5)
    ('a text', 'a list', 'a mapping', 'a number')
    """
    for kinds, words in (
        (str, "a text"),
        (bool, "true or false"),
        (int | float, "a number"),
        (Mapping, "a mapping"),
    ):
        if isinstance(value, kinds):
            return words
    return "empty" if value is None else "a list"


def replace_text(path: Path, change: Callable[[str], tuple[str, Changed]]) -> Changed:
    """Change a file's text, line breaks and all, and return what `change` returns besides; it is written as a whole.

    Raises
    ------
    UnreadableFile, UnwritableFolder
        It cannot be read, or written.
    """
    read_text(path)
    path = path.resolve()
    old = path.read_bytes().decode("utf-8")
    mark = "\ufeff" if old.startswith("\ufeff") else ""
    new, changed = change(old.removeprefix(mark))
    if mark + new == old:
        return changed
    try:
        write_whole(path, (mark + new).encode("utf-8"), stat.S_IMODE(path.stat().st_mode))
    except OSError as error:
        raise UnwritableFolder(
            f'cannot write "{path.name}": "{error.strerror}"', at=Location(path), hint="make the folder writable"
        ) from error
    return changed


def read_document(path: Path, title: str, *, hides: bool = False) -> Section:
    """Read a YAML file whose top is a mapping; an empty file is an empty mapping.

    Parameters
    ----------
    path
        The file.
    title
        What to call it in a message.
    hides
        Whether its values may be secret: what is wrong is then told without them.

    Raises
    ------
    UnreadableFile
        It cannot be read.
    YamlSyntax
        It is not YAML, its top is not a mapping, or a key stands in a mapping twice.
    """
    text = read_text(path)
    if not hides:
        return parse_document(text, path, title)
    try:
        section = parse_document(text, path, title)
    except YamlSyntax as error:
        # What YAML complains of is quoted from the file.
        message = re.sub(
            r"['\"].*['\"]", "...", error.message.removeprefix("not valid YAML").strip(': "'), flags=re.DOTALL
        )
        raise YamlSyntax(f"not valid YAML: {message}", at=error.at, hint=_IN_QUOTES) from None
    return Section(section.values, Location(path), title, hides=True)


_IN_QUOTES = "put values into quotes, also those that begin with {{"


def parse_document(text: str, path: Path, title: str) -> Section:
    """Read the text of a YAML file, which is at `path`; otherwise as `read_document`."""
    import yaml

    loading = loader(text)
    try:
        node = bounded_node(loading)
        values = None if node is None else _construct(loading, node, path)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        hint = 'put a value that begins with "{{" into quotes' if "{{" in text else None
        if mark and (found := _UNQUOTED.search(text.splitlines()[mark.line] if mark.line < text.count("\n") else "")):
            hint = f'put it into quotes: "{found[1]}"'
        at = Location(path, mark.line + 1 if mark else None)
        raise YamlSyntax(f'not valid YAML: "{error.problem}"', at=at, hint=hint) from error
    except yaml.YAMLError as error:
        raise YamlSyntax(f'not valid YAML: "{error}"', at=Location(path)) from error
    finally:
        loading.dispose()
    if values is None:
        return Section({}, Location(path), title)
    if not isinstance(values, _Lined):
        raise YamlSyntax("the top of the file is not a mapping", at=Location(path, 1), hint="write it as key: value")
    return Section(values, Location(path), title)


def packed(section: Section) -> Any:
    """Return a section that YAML gave as plain tuples, lists and scalars."""
    return _packed(section.values)


def unpacked(values: Any, path: Path, title: str) -> Section:
    """Return the section that was packed."""
    return Section(_unpacked(values), Location(path), title)


def _packed(value: Any) -> Any:
    if isinstance(value, _Lined):
        return (value.line, value.lines, {key: _packed(item) for key, item in value.items()})
    if isinstance(value, list):
        return [_packed(item) for item in value]
    if isinstance(value, Whole):
        return int(value), value.written
    return (value.written,) if isinstance(value, Fraction) else value


def _unpacked(value: Any) -> Any:
    if isinstance(value, tuple) and len(value) < 3:
        return Fraction(*value) if len(value) == 1 else Whole(*value)
    if isinstance(value, tuple):
        lined = _Lined()
        lined.line, lined.lines, values = value
        for key, item in values.items():
            lined[key] = _unpacked(item) if isinstance(item, tuple | list) else item
        return lined
    if isinstance(value, list):
        return [_unpacked(item) for item in value]
    return value


def render_values(
    section: Section, render: Callable[[str, Location], str], keys: Container[str] | None = None
) -> Section:
    """Return the section with `render(text, location)` applied to each string under `keys`, however deep; None for all.

    Jinja runs on the values after the YAML is parsed, so that a value can never change the file's structure.
    """
    lined = _Lined()
    lined.lines, lined.line = {key: section.at(key).line or 1 for key in section.values}, section.at().line or 1
    for key, value in section.values.items():
        lined[key] = _rendered(value, section.at(key), render) if keys is None or key in keys else value
    return Section(lined, section.at(), section.title, hides=section._hides)


def _rendered(value: Any, at: Location, render: Any) -> Any:
    if isinstance(value, _Lined):
        lined = _Lined()
        lined.lines, lined.line = value.lines, value.line
        for key, item in value.items():
            lined[key] = _rendered(item, Location(at.path, value.lines[key]), render)
        return lined
    if isinstance(value, list):
        return [_rendered(item, at, render) for item in value]
    if isinstance(value, str) and "{" in value:
        return render(value, at)
    return value


def _construct(loading: yaml.SafeLoader, node: yaml.Node, path: Path) -> Any:
    import yaml

    if isinstance(node, yaml.CollectionNode) and node.tag not in _COLLECTIONS:
        raise YamlSyntax(
            f'not valid YAML: a list or a mapping has the tag "{node.tag}"',
            at=Location(path, node.start_mark.line + 1),
            hint="take the tag away",
        )
    if isinstance(node, yaml.MappingNode):
        loading.flatten_mapping(node)
        lined = _Lined()
        lined.lines, lined.line = {}, node.start_mark.line + 1
        for key_node, value_node in node.value:
            key = loading.construct_object(key_node, deep=True)
            line = key_node.start_mark.line + 1
            if not isinstance(key, str | int):
                raise _bad_key(node, path, line)
            if str(key) in lined:
                raise YamlSyntax(f'the key "{key}" stands here twice', at=Location(path, line))
            lined[str(key)] = _construct(loading, value_node, path)
            lined.lines[str(key)] = line
        return lined
    if isinstance(node, yaml.SequenceNode):
        return [_construct(loading, item, path) for item in node.value]
    value = loading.construct_object(node, deep=True)
    if isinstance(value, str) and "\0" in value:
        raise YamlSyntax(
            "a value holds a NUL character, behind which a path or a statement would be cut off",
            at=Location(path, node.start_mark.line + 1),
            hint="take the character away",
        )
    return value


def _bad_key(node: yaml.Node, path: Path, line: int) -> FftError:
    return YamlSyntax(
        f'not valid YAML: a mapping stands where a key should at column "{node.start_mark.column + 1}"',
        at=Location(path, line),
        hint='put a value that begins with "{{" into quotes',
    )
