"""The meaning of one scalar in YAML, wherever it is written: in a file, or after `--vars`.

The rule is YAML 1.2's core schema, with one exception: a number that begins with a zero it does not need, such as
`01234`, is a text, because whoever writes one means a code. So `NO`, `10:30`, `2026-01-31`, `1_000` and `012` are the
texts that they look like. A number with a fraction is shown as it was written: `1.10` does not become `1.1`.
"""

from __future__ import annotations

import functools
import json
import re
from typing import TYPE_CHECKING, Any

from fastflowtransform.yaml_nodes import bounded_node

if TYPE_CHECKING:
    import yaml

_TAG = "tag:yaml.org,2002:"
_NULL = re.compile(r"~|null|Null|NULL|")
_BOOLEAN = re.compile(r"true|True|TRUE|false|False|FALSE")
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+")
_DECIMAL = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?(?:\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN")
_MERGE = re.compile(r"<<")

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORDS = {"false", "n", "no", "null", "off", "on", "true", "y", "yes"}
"""Words that some reader of YAML takes for something else than a text."""


class Fraction(float):
    """A number with a fraction or an exponent, which is shown as it was written."""

    __slots__ = ("written",)

    written: str

    def __new__(cls, written: str) -> Fraction:
        self = super().__new__(cls, written)
        self.written = written
        return self

    def __reduce__(self) -> tuple[type[Fraction], tuple[str]]:
        return Fraction, (self.written,)

    def __str__(self) -> str:
        return self.written


class Whole(int):
    """A whole number that Python writes in another way: `0x1F` is 31, and `+5` is 5."""

    written: str

    def __new__(cls, value: int, written: str) -> Whole:
        self = super().__new__(cls, value)
        self.written = written
        return self

    def __reduce__(self) -> tuple[type[Whole], tuple[int, str]]:
        return Whole, (int(self), self.written)


def as_written(value: object) -> str:
    """Return a scalar as the text that it was written as, for a setting that is a text.

    Examples
    --------
    >>> [as_written(parse(text)) for text in ("0x1F", "+5", "1.10", "12", "NO")]
    ['0x1F', '+5', '1.10', '12', 'NO']
    """
    return value.written if isinstance(value, Fraction | Whole) else str(value)


def parse(text: str) -> Any:
    """Return the value of a YAML text; aliases and nested values included.

    Raises
    ------
    yaml.YAMLError
        It is not YAML, or holds a value that cannot be made.

    Examples
    --------
    >>> [parse(text) for text in ("NO", "01234", "10:30", "1_000", "0o12", "12", "~", "true", "2026-01-31")]
    ['NO', '01234', '10:30', '1_000', 10, 12, None, True, '2026-01-31']
    >>> print(parse("1.10"), parse("1.10") + 1)
    1.10 2.1
    """
    loading = loader(text)
    try:
        node = bounded_node(loading)
        return None if node is None else loading.construct_document(node)
    finally:
        loading.dispose()


def loader(text: str) -> yaml.SafeLoader:
    """Return a loader of a YAML text whose scalars follow the rule."""
    found: yaml.SafeLoader = _loader()(text)
    return found


@functools.cache
def _loader() -> Any:
    import yaml

    fast = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    kind: Any = type("CoreLoader", (fast,), {"yaml_implicit_resolvers": {}})
    for name, pattern, first in (
        ("merge", _MERGE, "<"),
        ("null", _NULL, ["~", "n", "N", ""]),
        ("bool", _BOOLEAN, "tTfF"),
        ("int", _INTEGER, "-+0123456789"),
        ("float", _DECIMAL, "-+.0123456789"),
        ("float", _SPECIAL, "-+."),
    ):
        # PyYAML matches from the beginning only.
        kind.add_implicit_resolver(f"{_TAG}{name}", re.compile(f"(?:{pattern.pattern})$(?!\n)"), [*first])
    for name, made in (("null", _null), ("bool", _boolean), ("int", _integer), ("float", _fraction)):
        kind.add_constructor(f"{_TAG}{name}", functools.partial(_constructed, made, name))
    plain = fast.yaml_constructors[f"{_TAG}timestamp"]
    kind.add_constructor(f"{_TAG}timestamp", lambda loading, node: _of_yaml(plain, loading, node))
    return kind


def _constructed(made: Any, name: str, loading: yaml.SafeLoader, node: yaml.ScalarNode) -> Any:
    from yaml.constructor import ConstructorError

    text = loading.construct_scalar(node)
    try:
        return made(text)
    except ValueError:
        shown = text if len(text) <= 40 else f"{text[:40]}…"
        raise ConstructorError(None, None, f'"{shown}" is not a YAML {name}', node.start_mark) from None


def _of_yaml(plain: Any, loading: yaml.SafeLoader, node: yaml.ScalarNode) -> Any:
    """Return what PyYAML makes of an explicit `!!timestamp`."""
    from yaml.constructor import ConstructorError

    try:
        return plain(loading, node)
    except (ValueError, AttributeError, OverflowError):
        raise ConstructorError(None, None, f'"{node.value}" is not a YAML timestamp', node.start_mark) from None


def _null(text: str) -> None:
    if not _NULL.fullmatch(text):
        raise ValueError(text)


def _boolean(text: str) -> bool:
    if not _BOOLEAN.fullmatch(text):
        raise ValueError(text)
    return text.lower() == "true"


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError(text)
    value = int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    return value if str(value) == text else Whole(value, text)


def _fraction(text: str) -> float:
    if _SPECIAL.fullmatch(text):
        return float(text.replace(".", ""))
    if not _DECIMAL.fullmatch(text):
        raise ValueError(text)
    return Fraction(text)


def quoted(text: str) -> str:
    """Return a text as YAML that means it, wherever it is put; it stays on one line.

    Examples
    --------
    >>> print(quoted("int64"), quoted("decimal(10, 2)"), quoted("no"))
    int64 "decimal(10, 2)" "no"
    """
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return in_quotes(text)


def in_quotes(text: str) -> str:
    """Return a text as YAML that means it, always in double quotes."""
    return _unseen().sub(_escaped, json.dumps(text, ensure_ascii=False))


@functools.cache
def _unseen() -> re.Pattern[str]:
    """Return a pattern for what YAML does not take as it is, what ends a line, and what is not seen."""
    # Compiled when it is needed: it takes longer than all the others of this file.
    return re.compile(
        "[^ -~\u00a0-\u200a\u2010-\u2027\u202f-\u205f\u2070-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
    )


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
