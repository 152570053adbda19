"""The SQL of models, for people and for other tools."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fastflowtransform import engines
from fastflowtransform.dialects import NAMES, dialect_named
from fastflowtransform.engines.base import Engine
from fastflowtransform.errors import FftError, NoTranslation, UnknownEngine, hint_from
from fastflowtransform.model import Frame, Model, PythonBody
from fastflowtransform.normalize import Query, Tables
from fastflowtransform.project import Project


def compile_models(
    project: Project, names: Iterable[str], engine: Engine, other: str | None = None
) -> Iterator[tuple[str, str]]:
    """Yield the name and SQL of each model; an incremental model with a delta of its own has two.

    Parameters
    ----------
    project
        The project, read for the engine whose SQL is wanted.
    names
        The models.
    engine
        Is asked for the columns that a Python model reads; those of a source that is not there are as declared. A SQL
        model needs it for names only.
    other
        Another engine or SQL dialect to write for.

    Raises
    ------
    UnknownEngine
        `other` is neither.
    RelationMissing
        A table that a Python model reads does not stand yet, so its columns are not known.
    """
    dialect = engine.dialect if other is None else dialect_of(other)
    tables = Tables(project, engine, dialect, offline=True)
    refused: list[NoTranslation] = []
    for name in names:
        model = project.models[name]
        try:
            tables.require_translation(model)
            yield from _compiled(model, tables)
        except NoTranslation as error:
            refused.append(error)
        except FftError as error:
            error.at = error.at or model.at
            raise
    _raise(refused)


def require_translations(project: Project, names: Iterable[str], engine: Engine) -> list[str]:
    """Return what may surprise in the translation of models, or raise for all that cannot run on the engine."""
    wanted = list(names)
    refused: list[NoTranslation] = []
    warnings: list[str] = []
    tables = Tables(project, engine)
    tables.foresee(wanted)
    told = 0
    for name in wanted:
        try:
            tables.require_translation(project.models[name])
        except NoTranslation as error:
            refused.append(error)
        warnings += [f"{name}: {warning}" for warning in dict.fromkeys(tables.warnings[told:])]
        told = len(tables.warnings)
    _raise(refused)
    return warnings


def _raise(refused: list[NoTranslation]) -> None:
    if refused:
        raise NoTranslation.of((item for error in refused for item in error.items), *refused[0].dialects)


def _compiled(model: Model, tables: Tables) -> Iterator[tuple[str, str]]:
    body = model.body
    if not isinstance(body, PythonBody):
        yield model.name, tables.sql(model, body.template, is_incremental=False)
        if body.own_delta:
            yield f"{model.name}.delta", tables.sql(model, body.template, is_incremental=True)
    elif body.frame is Frame.IBIS:
        import ibis.expr.types as ir

        rows = Query(model, tables).rows(is_incremental=False)
        assert isinstance(rows, ir.Table)
        yield model.name, tables.expression(rows, pretty=True)
    else:
        yield model.name, f"-- {model.name} is a function of {body.frame} tables: it has no SQL"
    if model.incremental is not None and model.incremental.delta is not None:
        yield f"{model.name}.delta", tables.sql(model, model.incremental.delta.template, is_incremental=True)


def dialect_of(name: str) -> str:
    """Return the SQL dialect of an engine, or `name` itself where it is a dialect.

    Raises
    ------
    UnknownEngine
        It is neither.
    """
    if name in engines.names():
        return engines.find(name).dialect
    if (dialect := dialect_named(name)) is None:
        raise UnknownEngine(f'there is no engine or SQL dialect "{name}"', hint=hint_from(name, NAMES, "dialects"))
    return dialect
