"""The text of a `*.ff.sql` file: read once as a model, rendered again with the names of real tables."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fastflowtransform.config import Defaults, config_call, read_config
from fastflowtransform.document import Section
from fastflowtransform.errors import JinjaError, Location
from fastflowtransform.kept import Kept
from fastflowtransform.model import Incremental, Input, Model, SqlBody
from fastflowtransform.template import Scope, Template
from fastflowtransform.template_functions import Function, uncalled
from fastflowtransform.trimming import require_whole_comments

_STANDARD = ("duckdb", "postgres")
"""Dialects that quote as the standard does: to know that takes no parser, whose import is a third of a short run."""


class Name(str):
    """A relation's name as the engine quotes it, with its parts for templates that ask for them."""

    database: str
    name: str

    def __new__(cls, text: str, database: str = "", name: str = "") -> Name:
        self = super().__new__(cls, text)
        self.database, self.name = database, name
        return self

    def __bool__(self) -> bool:
        raise JinjaError(
            f'"{self}" is the name of a table, which is always true',
            hint="ask is_incremental() whether the table of the model exists",
        )

    @property
    def schema(self) -> str:
        """Another word for `database`."""
        return self.database

    @property
    def identifier(self) -> str:
        """Another word for `name`."""
        return self.name


class ColumnName(Name):
    """The name of a check's column, which a condition may ask for."""

    def __bool__(self) -> bool:
        return True


def quoted_in(parts: tuple[str, ...], dialect: str) -> Name:
    """Return a name as a dialect quotes it.

    Examples
    --------
    >>> quoted_in(("demo", "it`s"), "spark")
    '`demo`.`it``s`'
    """
    begin, end, inside = _quotes(dialect)
    return Name(".".join(f"{begin}{part.replace(end, inside)}{end}" for part in parts), name=parts[-1])


@functools.cache
def _quotes(dialect: str) -> tuple[str, str, str]:
    """Return what stands before a quoted name and after it, and what stands for the latter within one."""
    if dialect in _STANDARD:
        return '"', '"', '""'
    from sqlglot import exp

    begin, end = exp.to_identifier("x", quoted=True).sql(dialect=dialect).split("x")
    spelt = exp.to_identifier(end, quoted=True).sql(dialect=dialect)
    return begin, end, spelt[len(begin) : -len(end)]


@dataclass(frozen=True, slots=True)
class _Learnt:
    """What a rendering with stand-ins has shown of a template."""

    inputs: dict[str, Input]
    arguments: dict[str, Any] = field(default_factory=dict)
    configured: list[Mapping[str, Any]] = field(default_factory=list)
    calls: set[str] = field(default_factory=set)


def read_sql_model(path: Path, scope: Scope, defaults: Defaults, kept: Kept) -> Model:
    """Read a model from its file.

    Its inputs are the `ref()` and `source()` with literal arguments, in all branches, and those that a
    rendering reaches (a macro's, or one with a computed name).

    Parameters
    ----------
    path
        A file named `<model>.ff.sql`.
    scope
        What the project's templates see.
    defaults
        What project.yml says of its models.
    kept
        What files were parsed to before.

    Raises
    ------
    JinjaError
        The template cannot be parsed or rendered.
    """
    name = path.name.removesuffix(".ff.sql")
    template = kept.template(path)
    learnt = _Learnt(inputs=_literal_inputs(template))
    _render_to_learn(template, scope, learnt)
    at = config_call(template, name, learnt.configured)
    own_delta = "is_incremental" in learnt.calls or bool(template.called("is_incremental"))
    config = read_config(Section(learnt.arguments, at, f'config() of "{name}"'), name, defaults, own_delta=own_delta)
    return Model(
        name=name,
        body=SqlBody(template, config.dialect, own_delta=own_delta),
        at=Location(path, 1),
        materialized=config.materialized,
        inputs=tuple(learnt.inputs.values()),
        tags=config.tags,
        layout=config.layout,
        said=config.said,
        requires=config.requires,
        deterministic=config.deterministic,
        incremental=with_inputs(config.incremental, scope),
        description=config.description,
        meta=config.meta,
        timeout=config.timeout,
    )


def with_inputs(incremental: Incremental | None, scope: Scope) -> Incremental | None:
    """Return the settings with what their delta reads, which is learnt as a model's own inputs are."""
    if incremental is None or incremental.delta is None:
        return incremental
    inputs = read_inputs(incremental.delta.template, scope)
    return replace(incremental, delta=replace(incremental.delta, inputs=inputs))


def read_inputs(template: Template, scope: Scope) -> tuple[Input, ...]:
    """Return what a text reads: its `ref()` and `source()` with literal arguments, and those a rendering reaches."""
    learnt = _Learnt(inputs=_literal_inputs(template))
    _render_to_learn(template, scope, learnt)
    return tuple(learnt.inputs.values())


def model_name(reference: str) -> str:
    """Return the model that `ref()` or `deps` means: `events_base.ff` is `events_base`.

    Examples
    --------
    >>> model_name("events_base.ff"), model_name("events_base.ff.sql"), model_name("events_base")
    ('events_base', 'events_base', 'events_base')
    """
    for ending in (".ff", ".ff.sql", ".ff.py"):
        if reference.endswith(ending):
            return reference.removesuffix(ending)
    return reference


def render(template: Template, scope: Scope, names: Mapping[str, Name], this: Name, *, is_incremental: bool) -> str:
    """Return the SQL.

    Parameters
    ----------
    template
        A model's text, or its delta.
    scope
        What the project's templates see.
    names
        Each input's name by its node in the graph.
    this
        The model's own table.
    is_incremental
        Whether the run is an increment.
    """
    functions = {
        "config": lambda **_: "",
        "ref": lambda *given: _known(names, _ref(given)),
        "source": lambda *given: _known(names, f"source:{_source(given)}"),
        "this": this,
        "is_incremental": lambda: is_incremental,
    }
    sql = template.render(scope.context(functions))
    require_whole_comments(sql, template, scope, functions)
    return sql


def without_semicolon(sql: str, dialect: str) -> str:
    """Drop the semicolons at the end and what follows them, which can only be comments.

    Examples
    --------
    >>> without_semicolon("select ';' -- one; two\\n; ; -- done", "duckdb")
    "select ';' -- one; two\\n"
    """
    if ";" not in sql:
        return sql
    import sqlglot

    try:
        tokens = sqlglot.tokenize(sql, read=dialect)
    except sqlglot.TokenError:
        return sql  # The engine says what is wrong with it, better than this could.
    while tokens and tokens[-1].token_type == sqlglot.TokenType.SEMICOLON:
        sql = sql[: tokens.pop().start]
    return sql


def _known(names: Mapping[str, Name], node: str) -> Name:
    if node not in names:
        raise JinjaError(
            f'"{node}" was not seen when the project was read',
            hint="name it in a ref() or source() that does not depend on the run",
        )
    return names[node]


def _literal_inputs(template: Template) -> dict[str, Input]:
    found: dict[str, Input] = {}
    for call in template.calls:
        if call.function == "ref" and len(call.arguments) == 1 and isinstance(call.arguments[0], str):
            read = Input(model_name(call.arguments[0]), template.line(call.line))
        elif call.function == "source" and len(call.arguments) == 2 and None not in call.arguments:
            read = Input(".".join(map(str, call.arguments)), template.line(call.line), is_source=True)
        else:
            continue
        found.setdefault(read.node, read)
    return found


def _render_to_learn(template: Template, scope: Scope, learnt: _Learnt) -> None:
    """Render with stand-ins that note what they are called with."""

    def note(found: Input) -> Name:
        learnt.inputs.setdefault(found.node, found)
        return Name(f'"{found.name}"', name=found.name)

    def config(*positional: Any, **given: Any) -> str:
        if positional:
            raise JinjaError("config() takes its settings by name", hint="write config(materialized='table')")
        for value in given.values():
            if isinstance(value, Function):
                raise uncalled(value.name)
        learnt.arguments.update(given)
        learnt.configured.append(given)
        return ""

    def is_incremental() -> bool:
        learnt.calls.add("is_incremental")
        return False

    functions = {
        "config": config,
        "ref": lambda *names: note(Input(_ref(names), template.at)),
        "source": lambda *names: note(Input(_source(names), template.at, is_source=True)),
        "this": Name('"this"', name="this"),
        "is_incremental": is_incremental,
    }
    sql = template.render(scope.context(functions))
    require_whole_comments(sql, template, scope, {**functions, "config": lambda **_: ""})


def _ref(names: tuple[str, ...]) -> str:
    if len(names) != 1 or not isinstance(names[0], str):
        raise JinjaError("ref() takes the name of one model", hint="write ref('model')")
    return model_name(names[0])


def _source(names: tuple[str, ...]) -> str:
    if len(names) != 2 or not all(isinstance(name, str) for name in names):
        raise JinjaError("source() takes the names of a source and of a table", hint="write source('raw', 'events')")
    return ".".join(names)
