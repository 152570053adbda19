"""The decorated functions of a `*.ff.py` file, as models.

The decorators only mark a function; nothing is registered anywhere. Whoever reads the file collects the marks.
"""

from __future__ import annotations

import functools
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, TypeVar

from fastflowtransform import engines
from fastflowtransform.config import Defaults, read_config
from fastflowtransform.document import Section
from fastflowtransform.errors import BadPythonModel, BadValue, FftError, Location, nearest
from fastflowtransform.model import Frame, Input, Model, PythonBody
from fastflowtransform.python_text import compile_from_text, spec_of
from fastflowtransform.sql_model import model_name, with_inputs
from fastflowtransform.template import Scope, last_line

Function = TypeVar("Function", bound=Callable[..., Any])

_MARK = "__fft_model__"
_FRAMES = {
    ("ibis", "Table"): Frame.IBIS,
    ("pandas", "DataFrame"): Frame.PANDAS,
    ("polars", "DataFrame"): Frame.POLARS,
    ("pyarrow", "Table"): Frame.ARROW,
    ("pyspark", "DataFrame"): Frame.SPARK,
}
_SHORT = {"pd": "pandas", "pl": "polars", "pa": "pyarrow", "ir": "ibis"}


@dataclass(frozen=True, slots=True)
class _Mark:
    """What a decorator was given."""

    name: str | None
    only: tuple[str, ...]
    arguments: Mapping[str, Any]


def model(function: Function | None = None, /, *more: Any, name: str | None = None, **config: Any) -> Any:
    """Mark a function as a model.

    Parameters
    ----------
    name
        The model's name; else the function's.
    **config
        `deps` (what its arguments are, in their order: `"events_base"`, `"source:raw.events"`; left out, the
        arguments' own names count), `frame`, and all that `config()` takes in a SQL model.

    Examples
    --------
    >>> @model(materialized="table", deps=["events_base"])
    ... def events_per_day(events):
    ...     return events.group_by(events.updated_at.date().name("day")).agg(events=events.count())
    """
    return _mark(
        (() if function is None else (function,)) + more, _Mark(_model_name(name), (), MappingProxyType(config))
    )


def engine_model(
    *given: Any, only: str | list[str] | tuple[str, ...] = (), name: str | None = None, **config: Any
) -> Any:
    """Mark a function as a model on some engines only; other arguments as for `model`.

    Parameters
    ----------
    only
        The engine's name, or several.

    Examples
    --------
    >>> @engine_model(only="duckdb", name="events_py", deps=["events_base"])
    ... def build(events):
    ...     return events[["event_id"]]
    """
    names = (only,) if isinstance(only, str) else only
    if not isinstance(names, list | tuple) or not names or not all(isinstance(each, str) and each for each in names):
        raise BadPythonModel(
            f'@engine_model needs only, the name of an engine or a list of names, and has "{only}"',
            at=_caller(),
            hint='write @engine_model(only="duckdb")',
        )
    for each in names:
        if each not in _ALSO and each not in engines.names() and (hint := nearest(each, engines.names())) is not None:
            raise BadPythonModel(f'@engine_model names the engine "{each}"', at=_caller(), hint=hint)
    return _mark(given, _Mark(_model_name(name), tuple(names), MappingProxyType(config)))


def _mark(given: tuple[Any, ...], mark: _Mark) -> Any:
    """Mark the function that a decorator is given, or return what marks the one that comes."""
    if not given:
        return functools.partial(_marked_as, mark=mark)
    if len(given) > 1 or not callable(given[0]):
        raise BadPythonModel(
            f'a decorator of models takes its settings by name, and is given "{given[0]}"',
            at=_caller(),
            hint='write @model(name="…")',
        )
    return _marked_as(given[0], mark)


def _marked_as(target: Any, mark: _Mark) -> Any:
    function = require_function(target, "model")
    if isinstance(vars(target).get(_MARK), _Mark) or (mark.name is None and target.__name__ == "<lambda>"):
        complaint = "twice" if target.__name__ != "<lambda>" else "without a name"
        raise BadPythonModel(
            f'"{target.__name__}" is marked as a model {complaint}',
            at=_caller(),
            hint="define a function for each model",
        )
    setattr(function, _MARK, mark)
    return function


def require_function(target: Any, what: str) -> Callable[..., Any]:
    """Return what a decorator is given, which is a function that returns a value; else raise `BadPythonModel`."""
    complaint = None
    if not inspect.isfunction(target):
        kind = "a class" if inspect.isclass(target) else f'of the type "{type(target).__name__}"'
        complaint = f'"{getattr(target, "__name__", target)}", {kind}'
    elif "." in target.__qualname__.rpartition("<locals>.")[2]:
        complaint = f'"{target.__qualname__}", a method'
    elif inspect.iscoroutinefunction(target) or inspect.isasyncgenfunction(target):
        complaint = f'"{target.__name__}", a coroutine'
    elif inspect.isgeneratorfunction(target):
        complaint = f'"{target.__name__}", a generator'
    if complaint is not None:
        raise BadPythonModel(
            f"what is marked as a {what} is {complaint}, and should be a function",
            at=_caller(),
            hint="define it with def, and let it return a value",
        )
    function: Callable[..., Any] = target
    return function


def _model_name(name: Any) -> str | None:
    return None if name is None else require_name(name, "model")


def require_name(name: Any, what: str) -> str:
    """Return a name that a decorator is given; raise `BadPythonModel` where it is none."""
    if isinstance(name, str) and name.strip():
        return name
    raise BadPythonModel(f'the name of a {what} is "{name}"', at=_caller(), hint="give a text")


def _caller() -> Location:
    """Return the place in the user's file that calls a decorator."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "fastflowtransform":
        frame = frame.f_back
    assert frame is not None
    return Location(Path(frame.f_code.co_filename), frame.f_lineno)


def read_python_models(path: Path, scope: Scope, defaults: Defaults, frame: Frame = Frame.IBIS) -> Iterator[Model]:
    """Yield the models of one file, for whatever engine.

    Parameters
    ----------
    path
        A file named `*.ff.py`.
    scope
        What a delta's template sees.
    defaults
        What project.yml says of its models.
    frame
        What a function takes and gives where it does not say.

    Raises
    ------
    BadPythonModel
        The file cannot be loaded, or holds no model, or a function does not fit its `deps`.
    """
    module = load_module(path, defaults.folder)
    marks = [(function, mark) for function, mark in _marked(module) if function.__module__ == module.__name__]
    if not marks:
        raise BadPythonModel("no function in this file is a model", at=Location(path), hint="decorate one with @model")
    for function, mark in marks:
        found = _model(function, mark, path, defaults, frame)
        yield replace(found, incremental=with_inputs(found.incremental, scope))


def _marked(module: ModuleType) -> Iterator[tuple[Callable[..., Any], _Mark]]:
    for value in list(vars(module).values()):
        mark = vars(value).get(_MARK) if inspect.isfunction(value) else None
        if isinstance(mark, _Mark):
            yield value, mark


def load_module(path: Path, folder: Path) -> ModuleType:
    """Run the file as a module; the project's folder is importable, so that models can share functions.

    It is the last place that is searched: a `csv.py` in it does not take the place of Python's own.
    """
    compile_from_text(folder)
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    name = "fft_models." + ".".join(path.relative_to(folder).with_suffix("").with_suffix("").parts)
    spec = spec_of(name, path)
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    with UserCode(BadPythonModel, "loading the file", path):
        spec.loader.exec_module(module)
    return module


_ALSO = {"spark": "databricks_spark"}
"""Names that an engine is also known by."""


class UserCode:
    """A stretch of the user's own Python: whatever it raises leaves as an error with the user's line.

    Parameters
    ----------
    kind
        The error to raise in its place.
    what
        What was running, as the beginning of a sentence.
    path
        The user's file.
    """

    def __init__(self, kind: type[FftError], what: str, path: Path) -> None:
        self._kind, self._what, self._path = kind, what, path

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        # sys.exit() in a function ends the function, and not the run; Ctrl-C ends both.
        if error is None or isinstance(error, FftError | KeyboardInterrupt):
            return
        if isinstance(error, SyntaxError):
            at = Location(Path(error.filename or self._path), error.lineno)
            raise self._kind(f'not valid Python: "{error.msg}"', at=at) from error
        import traceback

        # An error whose own text cannot be made has one here, too.
        said = traceback.format_exception_only(error)[0].strip().partition(": ")[2]
        message = f'{self._what} raised {type(error).__name__}: "{said}"'
        hint = hint_to_install(error.name) if isinstance(error, ModuleNotFoundError) and error.name else None
        raise self._kind(message, at=Location(self._path, last_line(error, self._path)), hint=hint) from error


_DISTRIBUTIONS = {"PIL": "pillow", "bs4": "beautifulsoup4", "dateutil": "python-dateutil", "sklearn": "scikit-learn"}
"""What is installed for a module of another name, where many take the one for the other."""


def hint_to_install(module: str) -> str:
    """Return the hint for a module that is not there."""
    top = module.partition(".")[0]
    return f"pip install {_DISTRIBUTIONS.get(top, top)}, or put {top}.py into the project's folder if it is yours"


def _model(function: Callable[..., Any], mark: _Mark, path: Path, defaults: Defaults, frame: Frame) -> Model:
    at = Location(path, function.__code__.co_firstlineno)
    name = mark.name or function.__name__
    if "\0" in name or name.encode(errors="replace").decode() != name:
        raise BadPythonModel(
            f"the name {name!r} holds a character that no database takes", at=at, hint="rename the model"
        )
    section = Section(mark.arguments, at, f'the decorator of "{name}"')
    inputs = _inputs(function, section, at)
    wanted = _frame(function, section, at, frame)
    config = read_config(section, name, defaults)
    if config.dialect is not None:
        raise BadValue(
            f'"{name}" is a Python model and names the dialect "{config.dialect}"', at=at, hint="take it away"
        )
    return Model(
        name=name,
        body=PythonBody(function, wanted),
        at=at,
        materialized=config.materialized,
        inputs=inputs,
        tags=config.tags,
        layout=config.layout,
        said=config.said,
        requires=config.requires,
        deterministic=config.deterministic,
        incremental=config.incremental,
        description=config.description or inspect.getdoc(function) or "",
        meta=config.meta,
        timeout=config.timeout,
        engines=tuple(_ALSO.get(name, name) for name in mark.only),
    )


def _inputs(function: Callable[..., Any], section: Section, at: Location) -> tuple[Input, ...]:
    parameters = list(inspect.signature(function).parameters.values())
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    wanted = [p.name for p in positional if p.default is p.empty]
    if any(p.kind is p.KEYWORD_ONLY and p.default is p.empty for p in parameters):
        raise BadPythonModel(
            f'"{function.__name__}" has a keyword-only argument without a default', at=at, hint="make it positional"
        )
    if not section.has("deps"):
        return tuple(Input(name, at) for name in wanted)
    deps = section.texts("deps")
    many = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    if len(deps) < len(wanted) or (len(deps) > len(positional) and not many):
        raise BadPythonModel(
            f'"{function.__name__}" takes {len(wanted)} tables, and deps names {len(deps)}',
            at=at,
            hint="give one argument per entry of deps, in their order",
        )
    return tuple(read_input(dep, at) for dep in deps)


def read_input(dep: str, at: Location) -> Input:
    """Return what an entry of `deps` means: a model or seed, or a source as `source:raw.events`."""
    source = dep.removeprefix("source:")
    return Input(model_name(dep), at) if source == dep else Input(source, at, is_source=True)


def _frame(function: Callable[..., Any], section: Section, at: Location, default: Frame) -> Frame:
    """Return what the function takes: `frame=`, else its annotations, else the project's default."""
    said = section.choice("frame", Frame, default)
    found = {kind for value in function.__annotations__.values() if (kind := _annotated(value, function.__globals__))}
    if len(found) > 1:
        raise BadPythonModel(
            f'"{function.__name__}" is annotated with several kinds of table: {", ".join(sorted(found))}',
            at=at,
            hint="take and return one kind",
        )
    if section.has("frame") and found and said not in found:
        raise BadPythonModel(f'"{function.__name__}" says frame "{said}", and its annotations do not', at=at)
    return said if section.has("frame") or not found else found.pop()


def _annotated(annotation: Any, names: Mapping[str, Any]) -> Frame | None:
    """Return the kind of table that an annotation means; a text is understood without importing anything."""
    if isinstance(annotation, str):
        first, _, rest = annotation.partition(".")
        value = names.get(first)
        if isinstance(value, ModuleType):
            first = value.__name__.partition(".")[0]
        elif inspect.isclass(value):
            return _annotated(value, names)
        return _FRAMES.get((_SHORT.get(first, first), rest.rpartition(".")[2]))
    if inspect.isclass(annotation):
        return _FRAMES.get((annotation.__module__.partition(".")[0], annotation.__name__))
    return None
