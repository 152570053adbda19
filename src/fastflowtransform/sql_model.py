"""The text of a `*.ff.sql` file: read once as a model, rendered again with the names of real tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastflowtransform.config import Defaults, read_config
from fastflowtransform.document import Section, read_text
from fastflowtransform.errors import JinjaError, Location
from fastflowtransform.model import Input, Model, SqlBody
from fastflowtransform.template import Scope, Template, compile_template


class Name(str):
    """A relation's name as the engine quotes it, with its parts for templates that ask for them."""

    database: str
    name: str

    def __new__(cls, text: str, database: str = "", name: str = "") -> Name:
        self = super().__new__(cls, text)
        self.database, self.name = database, name
        return self

    @property
    def schema(self) -> str:
        """Another word for `database`."""
        return self.database

    @property
    def identifier(self) -> str:
        """Another word for `name`."""
        return self.name


def read_sql_model(path: Path, scope: Scope, defaults: Defaults) -> Model:
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

    Raises
    ------
    JinjaError
        The template cannot be parsed or rendered.
    """
    name = path.name.removesuffix(".ff.sql")
    template = compile_template(read_text(path), Location(path, 1))
    arguments: dict[str, Any] = {}
    inputs = _literal_inputs(template)
    _render_to_learn(template, scope, arguments, inputs)
    calls = template.called("config")
    section = Section(arguments, template.line(calls[0].line) if calls else Location(path, 1), f'config() of "{name}"')
    own_delta = bool(template.called("is_incremental"))
    config = read_config(section, name, defaults, own_delta=own_delta)
    if config.incremental is not None and (delta := config.incremental.delta) is not None:
        for found in _literal_inputs(delta.template).values():
            inputs.setdefault(found.node, found)
        _render_to_learn(delta.template, scope, {}, inputs)
    return Model(
        name=name,
        body=SqlBody(template, config.dialect, own_delta=own_delta),
        at=Location(path, 1),
        materialized=config.materialized,
        inputs=tuple(inputs.values()),
        tags=config.tags,
        incremental=config.incremental,
        description=config.description,
        meta=config.meta,
    )


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
    """Return the SQL, without its last semicolon.

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
    context = scope.context(
        {
            "config": lambda **_: "",
            "ref": lambda name: _known(names, model_name(name)),
            "source": lambda source, table: _known(names, f"source:{source}.{table}"),
            "this": this,
            "is_incremental": lambda: is_incremental,
        }
    )
    return without_semicolon(template.render(context))


def without_semicolon(sql: str) -> str:
    """Drop the semicolons at the end; what stands before the text stays, so that lines keep their numbers.

    Examples
    --------
    >>> without_semicolon("\\nselect 1 ; ;")
    '\\nselect 1'
    """
    while (shorter := sql.rstrip().removesuffix(";")) != sql:
        sql = shorter
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


def _render_to_learn(template: Template, scope: Scope, arguments: dict[str, Any], inputs: dict[str, Input]) -> None:
    """Render with stand-ins that note what they are called with."""

    def note(found: Input) -> Name:
        inputs.setdefault(found.node, found)
        return Name(f'"{found.name}"', name=found.name)

    def config(**given: Any) -> str:
        arguments.update(given)
        return ""

    def source(name: str, table: str) -> Name:
        return note(Input(f"{name}.{table}", template.at, is_source=True))

    context = scope.context(
        {
            "config": config,
            "ref": lambda name: note(Input(model_name(name), template.at)),
            "source": source,
            "this": Name('"this"', name="this"),
            "is_incremental": lambda: False,
        }
    )
    template.render(context)
