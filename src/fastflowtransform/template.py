"""Jinja, with errors that know their line.

A template is read once and rendered twice: while the project is read, to learn what the model says of itself, and
while it runs, with the names of real tables. Most are texts with a few calls in them, whose arguments are literals; to
render those, no code has to be made of them.
"""

from __future__ import annotations

import contextlib
import functools
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FunctionType, MappingProxyType, MethodType
from typing import TYPE_CHECKING, Any, TypeAlias

from fastflowtransform import plain_template
from fastflowtransform.errors import FftError, JinjaError, Location, MissingVariable, hint_from, nearest
from fastflowtransform.plain_template import Tag
from fastflowtransform.secret_values import learn_environment
from fastflowtransform.template_functions import Function, callers, places_of, uncalled

if TYPE_CHECKING:
    import jinja2
    from jinja2 import nodes

_REQUIRED = object()

_EXPRESSION_ERRORS = (
    TypeError,
    ValueError,
    ArithmeticError,
    LookupError,
    AttributeError,
    AssertionError,
    NameError,
    RuntimeError,
    MemoryError,
    OSError,
)

RESERVED = frozenset({"config", "ref", "source", "this", "is_incremental", "env", "var", "engine"})
"""What a template sees, and no macro may be called."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call in a template's text, such as `ref('events_base')`; an argument that is no literal is None.

    `named` holds the literal arguments that are given by name, and `computed` the names of the others.
    """

    function: str
    arguments: tuple[Any, ...]
    line: int
    named: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    computed: tuple[str, ...] = field(default=(), repr=False)


Part: TypeAlias = str | tuple[str, tuple[Any, ...] | None, dict[str, Any]]
"""Text as it is; or a name, the arguments of its call (None where it is not called), and those given by name."""


@dataclass(frozen=True, slots=True)
class Template:
    """A text with Jinja in it, compiled.

    Parameters
    ----------
    text
        The text.
    at
        The file, and the line on which the text begins.
    calls
        The calls of plain names in it, in the order of the text, whether they are ever reached or not.
    macros
        The names of the macros that it defines.
    names
        The names that stand in it.
    parts
        Its text and what stands between, where that is nothing but names and calls with literal arguments; else None.
    code
        What Jinja compiles it to, where it was needed to find out whether the text is valid.
    sandboxed
        Whether it is a value of a YAML file, which can reach nothing but what it is given.
    """

    text: str
    at: Location
    calls: tuple[Call, ...] = ()
    macros: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()
    parts: tuple[Part, ...] | None = field(default=None, repr=False, compare=False)
    code: CodeType | None = field(default=None, repr=False, compare=False)
    sandboxed: bool = False

    def called(self, function: str) -> tuple[Call, ...]:
        """Return the calls of one function."""
        return tuple(call for call in self.calls if call.function == function)

    def macro(self, name: str) -> Location:
        """Return the place where the text defines a macro."""
        found = re.search(rf"\{{%[-+]?\s*macro\s+{re.escape(name)}\b", self.text)
        return self.line(1 if found is None else self.text.count("\n", 0, found.start()) + 1)

    def line(self, number: int) -> Location:
        """Return the place of the text's line `number`, which counts from 1."""
        return Location(self.at.path, (self.at.line or 1) + number - 1)

    def render(self, context: Mapping[str, Any]) -> str:
        """Return the text with `context` filled in.

        Raises
        ------
        JinjaError
            A name is not defined, or an expression fails; with the line.
        """
        text = self._rendered(context)
        if "\0" in text:
            raise JinjaError(
                "what the template gives holds a NUL character, behind which a statement would be cut off",
                at=self.at,
                hint="take it out of the text, or out of the variable that has it",
            )
        return text

    def _rendered(self, context: Mapping[str, Any]) -> str:
        if self.parts is not None and context.keys() >= self.names:
            # Whatever fails here fails again below, where Jinja knows the line.
            with contextlib.suppress(FftError, *_EXPRESSION_ERRORS, *_errors_of_jinja()):
                return "".join([part if isinstance(part, str) else _said(part, context) for part in self.parts])
        return str(self._guarded(lambda: "".join(self._run(context)[1]), context))

    def functions(self, context: Mapping[str, Any]) -> dict[str, Callable[..., str]]:
        """Return the macros that the text defines, for other templates to call."""
        running, _ = self._guarded(lambda: self._run(context), context)
        # Not Jinja's module of it, which lacks names that begin with "_".
        return {name: running.vars[name] for name in self.macros if name in running.vars}

    def _run(self, context: Mapping[str, Any]) -> tuple[jinja2.runtime.Context, list[str]]:
        """Run the template; an error keeps the lines of what Jinja made of it, which `places_of` understands."""
        template = self._jinja()
        running = template.new_context(dict(context))
        return running, list(template.root_render_func(running))

    def _jinja(self) -> jinja2.Template:
        import jinja2

        environment, code = _environment(self.sandboxed), self.code
        if code is None:
            code = environment.compile(self.text, name=str(self.at.path), filename=str(self.at.path))
        return jinja2.Template.from_code(environment, code, environment.make_globals(None), None)

    def _guarded(self, action: Callable[[], Any], context: Mapping[str, Any]) -> Any:
        """Run `action`; an error of the template's own expressions becomes a `JinjaError`, with its line."""
        import jinja2

        try:
            return action()
        except FftError as error:
            if error.at is None:
                error.at, called = self._place(error)
                error.message += called
            raise
        except jinja2.UndefinedError as error:
            name = str(error.message).partition("'")[2].partition("'")[0]
            hint = instead_of(name) or nearest(name, set(context) if name else ())
            at, called = self._place(error)
            message = str(error.message).replace("'", '"')
            raise JinjaError(f"{message}{called}", at=at, hint=hint) from error
        except (jinja2.TemplateError, *_EXPRESSION_ERRORS) as error:
            at, called = self._place(error)
            said = str(error).replace('"', "'") or type(error).__name__
            raise JinjaError(f'the template fails: "{said}"{called}', at=at) from error

    def _place(self, error: BaseException) -> tuple[Location, str]:
        """Return where an error was raised, in this template or in a macro, and who called that, in words."""
        places = places_of(error, self.line, self.at.path)
        return places[-1] if places else self.at, callers(places)


_INSTEAD = {
    "env_var": "env('NAME', 'default') gives an environment variable",
    "target": "engine() gives the engine's name, and env('NAME') what a profile differs in",
    "model": "{{ this }} is the model's own table",
    "adapter": "use the Python model of the task, or write the SQL of the engine",
    "run_query": "a model runs no statements of its own; read the table with ref() or source()",
    "statement": "a model runs no statements of its own; read the table with ref() or source()",
    "load_result": "a model runs no statements of its own; read the table with ref() or source()",
    "execute": "a template is rendered without a connection; leave the condition out",
    "log": "a template prints nothing; leave the call out",
    "return": "write the text that the macro is to give",
    "exceptions": "write a check, see the guide on checking data",
    "dbt_utils": "there are no packages of macros; write the macro in models/macros/",
    "snapshot": "write an incremental model with unique_key",
    "graph": "fft list --json tells what the project holds",
    "invocation_id": "fft history names each run",
    "run_started_at": "write current_timestamp in the SQL",
}
"""What to write in place of names that templates of other tools know."""


def instead_of(name: str) -> str | None:
    """Return a hint for a name that templates of other tools know; None for any other."""
    return _INSTEAD.get(name)


def compile_template(text: str, at: Location) -> Template:
    """Parse and compile `text`; a text without Jinja costs nothing.

    Parameters
    ----------
    text
        The template.
    at
        The file, and the line on which the text begins.

    Raises
    ------
    JinjaError
        The text is not valid Jinja; with the line.

    Examples
    --------
    >>> from pathlib import Path
    >>> template = compile_template("select * from {{ ref('a') }}", Location(Path("b.ff.sql"), 1))
    >>> template.called("ref")
    (Call(function='ref', arguments=('a',), line=1),)
    >>> template.render({"ref": lambda name: f'"{name}"'})
    'select * from "a"'
    """
    found = plain(text, at)
    return _by_jinja(text, at) if found is None else found


def compile_value(text: str, at: Location) -> Template:
    """Parse and compile a value of a YAML file, which runs in Jinja's sandbox; otherwise as `compile_template`.

    Examples
    --------
    >>> from pathlib import Path
    >>> compile_value("{{ 'a'.__class__ }}", Location(Path("sources.yml"), 1)).render({})
    Traceback (most recent call last):
    ...
    fastflowtransform.errors.project.JinjaError: M100 the template fails: "access to attribute '__class__' of 'str' \
object is unsafe."
    at sources.yml:1
    """
    found = plain(text, at)
    return _by_jinja(text, at, sandboxed=True) if found is None else found


def plain(text: str, at: Location) -> Template | None:
    """Return the template of a text that can be read without Jinja; None for any other."""
    if "{" not in text:
        return Template(text, at, parts=(text,))
    found = plain_template.read(text)
    if found is None:
        return None
    tags = [tag for tag in found if isinstance(tag, Tag)]
    calls = tuple(_plain_call(tag, tag.arguments) for tag in tags if tag.arguments is not None)
    parts = tuple((part.name, part.arguments, part.named) if isinstance(part, Tag) else part for part in found)
    return Template(text, at, calls, names=frozenset(tag.name for tag in tags), parts=parts)


def _errors_of_jinja() -> tuple[type[Exception], ...]:
    """Return the kind of errors that Jinja raises; none as long as nothing has loaded it."""
    found = sys.modules.get("jinja2")
    return () if found is None else (found.TemplateError,)


def _plain_call(tag: Tag, arguments: tuple[Any, ...]) -> Call:
    # A list is no constant of Jinja's where a call is looked at.
    shown = tuple(None if isinstance(value, list) else value for value in arguments)
    return Call(tag.name, shown, tag.line, MappingProxyType(tag.named))


def _by_jinja(text: str, at: Location, *, sandboxed: bool = False) -> Template:
    import jinja2
    from jinja2 import nodes

    environment = _environment(sandboxed)
    try:
        tree = environment.parse(text)
        found = list(tree.find_all((nodes.Call, nodes.Macro, nodes.Name)))
        _require_names_once(found, at)
        parts = _parts(tree)
        code = None
        if parts is None:
            code = environment.compile(tree, name=str(at.path), filename=str(at.path))
    except jinja2.TemplateSyntaxError as error:
        raise JinjaError(
            f'not valid Jinja: "{error.message}"', at=Location(at.path, (at.line or 1) + error.lineno - 1)
        ) from error
    except (SyntaxError, *_EXPRESSION_ERRORS) as error:
        # What Jinja lets through, and Python does not.
        raise JinjaError(f'not valid Jinja: "{error}"', at=at) from error
    calls = tuple(_call(node) for node in found if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name))
    macros = tuple(node.name for node in found if isinstance(node, nodes.Macro))
    names = frozenset(node.name for node in found if isinstance(node, nodes.Name))
    return Template(text, at, calls, macros, names, parts, code, sandboxed)


def _require_names_once(found: Iterable[nodes.Node], at: Location) -> None:
    """Raise `JinjaError` for a call or a macro that names an argument twice, which Jinja lets through to Python."""
    from jinja2 import nodes

    for node in found:
        if isinstance(node, nodes.Call | nodes.Macro):
            names = [each.key if isinstance(each, nodes.Keyword) else each.name for each in _arguments(node)]
            for name in names:
                if names.count(name) > 1:
                    line = (at.line or 1) + node.lineno - 1
                    raise JinjaError(f'the argument "{name}" is named twice', at=Location(at.path, line))


def _arguments(node: nodes.Call | nodes.Macro) -> Sequence[nodes.Keyword | nodes.Name]:
    from jinja2 import nodes

    return node.kwargs if isinstance(node, nodes.Call) else node.args


def packed(template: Template) -> Any:
    """Return all that was found in a template's text, as plain tuples; `unpacked` makes a template of it again."""
    calls = [(call.function, call.arguments, call.line, dict(call.named), call.computed) for call in template.calls]
    return calls, template.macros, template.names, template.parts, template.code


def unpacked(values: Any, text: str, at: Location) -> Template:
    """Return the template that was packed, whose text and place these are."""
    calls, macros, names, parts, code = values
    return Template(text, at, tuple(_unpacked_call(*call) for call in calls), macros, names, parts, code)


def _unpacked_call(
    function: str, arguments: tuple[Any, ...], line: int, named: dict[str, Any], computed: tuple[str, ...]
) -> Call:
    return Call(function, arguments, line, MappingProxyType(named), computed)


def _parts(tree: nodes.Template) -> tuple[Part, ...] | None:
    """Return what a template consists of; None where there is more than names and calls with literal arguments."""
    from jinja2 import nodes

    parts: list[Part] = []
    for output in tree.body:
        if not isinstance(output, nodes.Output):
            return None
        for node in output.nodes:
            try:
                parts.append(node.data if isinstance(node, nodes.TemplateData) else _part(node))
            except nodes.Impossible:
                return None
    return tuple(parts)


def _part(node: nodes.Expr) -> Part:
    from jinja2 import nodes

    if isinstance(node, nodes.Name):
        return (node.name, None, {})
    if not isinstance(node, nodes.Call) or not isinstance(node.node, nodes.Name) or node.dyn_args or node.dyn_kwargs:
        raise nodes.Impossible
    named = {keyword.key: keyword.value.as_const() for keyword in node.kwargs}
    return (node.node.name, tuple(argument.as_const() for argument in node.args), named)


def _said(part: tuple[str, tuple[Any, ...] | None, dict[str, Any]], context: Mapping[str, Any]) -> str:
    """Return the text of a name or a call; a `LookupError` says that the context does not have it."""
    name, arguments, named = part
    value = context[name]
    return str(value if arguments is None else value(*arguments, **named))


def _call(node: nodes.Call) -> Call:
    from jinja2 import nodes

    assert isinstance(node.node, nodes.Name)
    arguments = tuple(item.value if isinstance(item, nodes.Const) else None for item in node.args)
    named = {}
    for keyword in node.kwargs:
        with contextlib.suppress(nodes.Impossible):
            named[keyword.key] = keyword.value.as_const()
    computed = tuple(keyword.key for keyword in node.kwargs if keyword.key not in named)
    return Call(node.node.name, arguments, node.lineno, MappingProxyType(named), computed)


@functools.cache
def _environment(sandboxed: bool = False) -> jinja2.Environment:
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    kind = ImmutableSandboxedEnvironment if sandboxed else jinja2.Environment
    # No cache of templates: each is compiled once here, and kept by its model.
    made = kind(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, cache_size=0, finalize=_printed)
    # Its words are drawn by chance, so that no model would be the same twice.
    del made.globals["lipsum"]
    return made


def _printed(value: Any) -> Any:
    """Return what is printed in a text; a macro of the same text is no text."""
    from jinja2.runtime import Macro

    if isinstance(value, Macro):
        raise uncalled(value.name)
    return value


class EngineName(str):
    """The engine's name in a template: a text, and a question, as in `{% if engine('duckdb') %}`."""

    __slots__ = ()

    def __call__(self, *names: str) -> str | bool:
        """Return the name; with arguments, whether it is one of them."""
        return self in names if names else str(self)


@dataclass(frozen=True, slots=True)
class Scope:
    """What each template of a project sees, whatever its model.

    Parameters
    ----------
    engine
        The engine's name.
    variables
        The environment: the shell's and the `.env` files'.
    vars
        `vars` of project.yml and of `--vars`.
    macros
        The files of `models/macros/`.
    names
        What else they see: the parameters of a check.
    """

    engine: str = ""
    variables: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    vars: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    macros: tuple[Template, ...] = ()
    names: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), repr=False)

    def env(self, name: str, default: object = _REQUIRED) -> object:
        """Return an environment variable, as `env('NAME', 'default')` in a template."""
        if name in self.variables:
            learn_environment(name, self.variables[name])
            return self.variables[name]
        if default is _REQUIRED:
            raise MissingVariable(
                f'the environment variable "{name}" is not set', hint=f"set it, or give a default: env('{name}', '…')"
            )
        return default

    def var(self, name: str, default: object = _REQUIRED) -> object:
        """Return a project variable, as `var('name', default)` in a template."""
        if name in self.vars:
            return self.vars[name]
        if default is _REQUIRED:
            raise MissingVariable(f'the variable "{name}" is not set', hint=hint_from(name, self.vars, "vars"))
        return default

    def context(self, functions: Mapping[str, Any]) -> dict[str, Any]:
        """Return all names that a template may use: `functions`, those of every template, and the macros."""
        names = {"env": self.env, "var": self.var, "engine": EngineName(self.engine), **self.names, **functions}
        names = as_functions(names)
        found: dict[str, Callable[..., str]] = {}
        for template in self.macros:
            for name in template.macros:
                names.setdefault(name, Function(name, functools.partial(_late, found, name), template.macro(name)))
        for template in self.macros:
            found.update(template.functions(names))
        return names


def _late(found: Mapping[str, Callable[..., str]], name: str, *args: Any, **kwargs: Any) -> str:
    """Call a macro that may stand in a file that is read later than its caller's."""
    if name not in found:
        raise JinjaError(f'"{name}" is undefined here', hint="define the macro at the top of its file, not in a block")
    return found[name](*args, **kwargs)


def as_functions(names: Mapping[str, Any]) -> dict[str, Any]:
    """Return names as a template sees them: a function among their values has to be called."""
    kinds = FunctionType | MethodType
    return {name: Function(name, value) if isinstance(value, kinds) else value for name, value in names.items()}


def last_line(error: BaseException, path: Path) -> int | None:
    """Return the last line of the file `path` that stands in the error's traceback."""
    found, step = None, error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == str(path):
            found = step.tb_lineno
        step = step.tb_next
    return found
