"""The checks of the project's own: `tests/**/*.ff.sql`, and the functions marked with `dq_test` of `tests/**/*.ff.py`.

A check that reads the table under test, `model` in SQL or a function's first argument, is for any table: YAML names it,
and the table. One that names all that it reads is a check by itself.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fastflowtransform.config import config_call
from fastflowtransform.document import Section
from fastflowtransform.errors import BadPythonModel, BadValue, Location, MissingKey
from fastflowtransform.files import files_in, read_text
from fastflowtransform.model import Input, OwnCheck, PythonBody, SqlBody
from fastflowtransform.py_model import load_module, read_input, require_function, require_name
from fastflowtransform.sql_model import ColumnName, read_inputs
from fastflowtransform.template import Scope, Template, compile_template
from fastflowtransform.terms import KEYS, read_terms

UNIT_TESTS = Path("tests", "unit")
"""Where unit tests stand, which are no checks."""

CHECKED = "__fft_checked"
"""What `model` is in a check's SQL: the name of a common table expression in front of it."""

_MARK = "__fft_check__"
_RESERVED = KEYS | {"arguments", "config", "model", "type"}


@dataclass(frozen=True, slots=True)
class _Mark:
    """What the decorator was given."""

    name: str | None
    arguments: Mapping[str, Any]


def dq_test(name: Any = None, /, **config: Any) -> Any:
    """Mark a function as a check: it takes Ibis tables, and returns the rows that fail.

    Parameters
    ----------
    name
        What YAML calls it by; else the function's name.
    **config
        `deps`, what the function's positional arguments are, as for `model`: then it is a check by itself. Without it,
        the first is the table that YAML names, and the others are models or seeds by their own names. Besides `deps`,
        the keys that all checks have, such as `severity` and `tags`. Keyword-only arguments are parameters, which YAML
        gives.

    Examples
    --------
    >>> @dq_test("no_gap")
    ... def no_gap(orders, *, column, largest=1):
    ...     ordered = orders.mutate(gap=orders[column] - orders[column].lag())
    ...     return ordered.filter(ordered.gap > largest)
    """
    if callable(name):
        return _marked(name, _Mark(None, MappingProxyType(config)))
    named = None if name is None else require_name(name, "check")
    return functools.partial(_marked, mark=_Mark(named, MappingProxyType(config)))


def _marked(target: Any, mark: _Mark) -> Callable[..., Any]:
    function = require_function(target, "check")
    setattr(function, _MARK, mark)
    return function


def read_own_checks(folder: Path) -> Iterator[OwnCheck]:
    """Yield the checks of all files below `tests/` but for `tests/unit/`, in the order of the files.

    Parameters
    ----------
    folder
        The project's folder.

    Raises
    ------
    JinjaError
        A SQL file cannot be parsed.
    BadPythonModel
        A Python file cannot be loaded, or holds no check.
    UnknownKey, BadValue
        What a check says of itself does not fit.
    """
    for path in files_in(folder / "tests", ".ff.sql", ".ff.py"):
        if path.is_relative_to(folder / UNIT_TESTS):
            continue
        if path.name.endswith(".ff.sql"):
            yield _sql_check(path)
        elif path.name.endswith(".ff.py"):
            yield from _python_checks(path, folder)


def read_parameters(section: Section, own: OwnCheck) -> dict[str, Any]:
    """Read the parameters of a check of the project's own.

    Parameters
    ----------
    section
        What a user wrote of it.
    own
        The check.

    Raises
    ------
    MissingKey
        One without a default is not given.
    """
    given = {name: section.raw(name) for name in (*own.required, *own.defaults)}
    for name in sorted(own.required):
        if given[name] is None:
            raise MissingKey(
                f'{section.title} has no "{name}"',
                at=section.at(),
                hint=f'add the key "{name}", which "{own.at}" asks for',
            )
    return {name: own.defaults.get(name) if value is None else value for name, value in given.items()}


def names_of(arguments: Mapping[str, Any], quoted: Callable[[str], str]) -> dict[str, Any]:
    """Return what a check's template sees besides what all templates see: `model`, `column` and `params`.

    Parameters
    ----------
    arguments
        What `read_parameters` gave.
    quoted
        Writes a column's name as the SQL needs it.
    """
    params = {name: value for name, value in arguments.items() if name != "column"}
    names: dict[str, Any] = {"model": CHECKED, "params": params}
    if isinstance(column := arguments.get("column"), str):
        names["column"] = ColumnName(quoted(column), name=column)
    return names


def inputs_of(own: OwnCheck, arguments: Mapping[str, Any], scope: Scope) -> tuple[Input, ...]:
    """Return what a check reads besides the table that it is about; a `ref()` may depend on a parameter."""
    if isinstance(own.body, PythonBody):
        return own.inputs
    return read_inputs(own.body.template, replace(scope, names=names_of(arguments, '"{}"'.format)))


def _sql_check(path: Path) -> OwnCheck:
    template = compile_template(read_text(path), Location(path, 1))
    name = path.name.removesuffix(".ff.sql")
    at = config_call(template, name)
    section = Section(_literals(template), at, f'config() of "{name}"')
    required, defaults = _parameters(section)
    dialect = section.text("dialect")
    if "column" in template.names:
        required |= {"column"}
    alone = not {"model", "column"} & template.names
    return OwnCheck(
        name=name,
        body=SqlBody(template, dialect),
        at=Location(path, 1),
        alone=alone,
        required=required,
        defaults=MappingProxyType(defaults),
        terms=_terms(section, alone=alone),
    )


def _literals(template: Template) -> dict[str, Any]:
    """Return the arguments of `config()`, which are read off the text: to render it, its parameters would be needed."""
    found: dict[str, Any] = {}
    for call in template.called("config"):
        if call.arguments or call.computed:
            raise BadValue(
                "config() of a check takes its settings by name, as literals",
                at=template.line(call.line),
                hint="write config(severity='warn')",
            )
        found.update(call.named)
    return found


def _parameters(section: Section) -> tuple[frozenset[str], dict[str, Any]]:
    """Read `params`: a list of names, or a mapping with their defaults; or a list with such mappings in it."""
    given = section.raw("params") or []
    required: set[str] = set()
    defaults: dict[str, Any] = {}
    for item in given if isinstance(given, list | tuple) else [given]:
        if isinstance(item, str):
            required.add(item)
        elif isinstance(item, Mapping):
            defaults.update(item)
        else:
            raise section.bad("params", "a list of names, or a mapping of names to defaults")
    for name in sorted({*required, *defaults} & _RESERVED):
        raise BadValue(
            f'a parameter of {section.title} is called "{name}", which has a meaning for all checks',
            at=section.at("params"),
            hint="rename it",
        )
    return frozenset(required - defaults.keys()), defaults


def _terms(section: Section, *, alone: bool) -> Mapping[str, Any]:
    """Read the terms that a check sets itself, to find what is wrong in them here, and return them as written."""
    terms = read_terms(section)
    if alone and terms.where is not None:
        raise BadValue(
            f'{section.title} sets where to "{terms.where}", and it reads no table under test',
            at=section.at("where"),
            hint="write the condition into the check",
        )
    section.close()
    return MappingProxyType({key: value for key, value in section.values.items() if key in KEYS})


def _python_checks(path: Path, folder: Path) -> Iterator[OwnCheck]:
    module = load_module(path, folder)
    marks = [
        (value, mark)
        for value in list(vars(module).values())
        if inspect.isfunction(value) and value.__module__ == module.__name__
        for mark in [vars(value).get(_MARK)]
        if isinstance(mark, _Mark)
    ]
    if not marks:
        raise BadPythonModel(
            "no function in this file is a check", at=Location(path), hint='decorate one with @dq_test("name")'
        )
    for function, mark in marks:
        yield _python_check(function, mark, path)


def _python_check(function: Callable[..., Any], mark: _Mark, path: Path) -> OwnCheck:
    at = Location(path, function.__code__.co_firstlineno)
    name = mark.name or function.__name__
    section = Section(mark.arguments, at, f'the decorator of "{name}"')
    parameters = list(inspect.signature(function).parameters.values())
    positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    keywords = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    alone = section.has("deps")
    inputs = tuple(read_input(dep, at) for dep in (section.texts("deps") if alone else positional[1:]))
    if (alone and len(inputs) != len(positional)) or not positional:
        raise BadPythonModel(
            f'"{name}" takes {len(positional)} tables, and '
            + (f"deps names {len(inputs)}" if alone else "a check needs one at least"),
            at=at,
            hint="give one argument per table; a parameter is an argument after a *",
        )
    for parameter in sorted(keywords.keys() & _RESERVED):
        raise BadValue(
            f'a parameter of "{name}" is called "{parameter}", which has a meaning for all checks',
            at=at,
            hint="rename it",
        )
    return OwnCheck(
        name=name,
        body=PythonBody(function),
        at=at,
        alone=alone,
        required=frozenset(key for key, default in keywords.items() if default is inspect.Parameter.empty),
        defaults=MappingProxyType(
            {key: default for key, default in keywords.items() if default is not inspect.Parameter.empty}
        ),
        inputs=inputs,
        terms=_terms(section, alone=alone),
    )
