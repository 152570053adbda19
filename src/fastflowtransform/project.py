"""A folder, read as a whole: models, seeds, sources, checks and what project.yml says of them."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fastflowtransform import checks as built_in
from fastflowtransform import graph as graphs
from fastflowtransform.config import Defaults
from fastflowtransform.declared import Declared, Known, read_declarations
from fastflowtransform.document import Section, read_document
from fastflowtransform.engines.notes import MARKS, OWN_PART, RUNS, STATES
from fastflowtransform.errors import (
    DuplicateName,
    FftError,
    Location,
    RelationMissing,
    UnknownRef,
    UnknownSource,
    hint_from,
    raise_all,
)
from fastflowtransform.files import files_in, has_file
from fastflowtransform.graph import Graph
from fastflowtransform.kept import Kept
from fastflowtransform.model import Check, Frame, Input, Materialized, Model, OwnCheck, Seed, Source
from fastflowtransform.own_checks import read_own_checks
from fastflowtransform.py_model import read_python_models
from fastflowtransform.python_text import forget
from fastflowtransform.reading import File, Read, Reading, by_name, read_models
from fastflowtransform.relation import Relation
from fastflowtransform.secret_values import SECRETS, learn_variables
from fastflowtransform.sources import read_sources
from fastflowtransform.sql_model import read_sql_model
from fastflowtransform.template import RESERVED, Scope, Template


@dataclass(frozen=True, slots=True)
class Project:
    """All that a folder says, for one engine.

    Parameters
    ----------
    name
        Of project.yml.
    folder
        Absolute.
    database
        Where its tables stand: what the engine calls a schema or database.
    models, seeds, sources
        By their name in the graph (`source:raw.events` for a source).
    checks
        In the order of the files.
    graph
        What reads what, seeds and sources among it.
    scope
        What its templates see.
    dialect
        The SQL dialect of models that name none; None is the engine's own.
    elsewhere
        The names of the models that are for other engines only.
    unread
        The names of the models that were not read, since nothing that was asked for needs them.
    deferred
        Where others read a model or seed that this run leaves alone, by name: in another environment.
    """

    name: str
    folder: Path
    database: str
    models: Mapping[str, Model]
    seeds: Mapping[str, Seed]
    sources: Mapping[str, Source]
    checks: tuple[Check, ...]
    graph: Graph
    scope: Scope
    dialect: str | None = None
    elsewhere: Set[str] = frozenset()
    unread: Set[str] = frozenset()
    deferred: Mapping[str, Relation] = field(default_factory=lambda: MappingProxyType({}))

    def relation(self, node: str) -> Relation:
        """Return the table or view of a node."""
        if (source := self.sources.get(node)) is not None:
            return source.relation
        if (seed := self.seeds.get(node)) is not None:
            return seed.relation
        return Relation(self.database, self.models[node].name)

    def read_from(self, node: str) -> Relation:
        """Return the table or view that other nodes read a node from."""
        return self.deferred.get(node) or self.relation(node)


def how_to_have(missing: RelationMissing, name: str, project: Project) -> str | None:
    """Return how a table comes about that is not there, where the engine's message names one that a model reads.

    It may be read through a view, whose own table has gone.
    """
    above = graphs.ancestors(project.graph, name)
    named = [node for node in sorted(above) if missing.names(project.read_from(node).name)]
    if not named:
        return None
    # A node can be called as a word of the message is.
    node = max(named, key=lambda node: len(project.read_from(node).name))
    if node in project.seeds:
        return f'"{node}" is a seed of this project: fft seed --select {node}'
    if (source := project.sources.get(node)) is not None:
        return f'"{source.name}" is a source, declared at {source.at}: load it first, or name its schema there'
    return f'"{node}" is a model of this project: fft run --select +{name}'


@dataclass(frozen=True, slots=True)
class _Settings:
    """What project.yml says."""

    name: str
    vars: Mapping[str, Any]
    dialect: str | None
    frame: Frame
    defaults: Defaults
    tests: tuple[Section, ...]
    secret: tuple[str, ...] = ()


def load(
    folder: Path,
    *,
    engine: str,
    database: str,
    variables: Mapping[str, str],
    given: Mapping[str, Any] | None = None,
    reading: Reading | None = None,
) -> Project:
    """Read a project, as a whole or in part.

    Parameters
    ----------
    folder
        As `settings.find_project` gives it.
    engine
        The engine's name; functions marked for others are left out.
    database
        Where the project's tables stand on that engine.
    variables
        The environment.
    given
        `--vars`, which win over `vars` of project.yml.
    reading
        What need not be parsed, since it was before, and which models need not be read.

    Raises
    ------
    FftError
        Whatever is wrong in a file, with its place.
    """
    forget(folder)
    reading = reading or Reading()
    settings = _read_settings(folder)
    scope = Scope(engine, variables, MappingProxyType({**settings.vars, **(given or {})}))
    learn_variables(scope.vars, settings.secret)
    scope = replace(scope, macros=tuple(_macros(folder, reading.kept)))
    # What a file holds does not change meanwhile, and a Python file is not to be executed twice.
    read_file = functools.cache(functools.partial(_read_model, scope, settings, reading.kept))
    project, needed = _read(folder, database, settings, scope, read_file, reading)
    while needed:
        reading = replace(reading, only=project.models.keys() | needed)
        project, needed = _read(folder, database, settings, scope, read_file, reading)
    return project


def _read(
    folder: Path,
    database: str,
    settings: _Settings,
    scope: Scope,
    read_file: Callable[[Path], list[Model]],
    reading: Reading,
) -> tuple[Project, frozenset[str]]:
    """Return a project, and the names of models that were not read and that its promised checks look at."""
    kept = reading.kept
    sources = {found.node: found for found in by_name(read_sources(folder, database, scope, kept)).values()}
    for source in sources.values():
        _require_not_ours(source.name, source.relation, source.at, is_source=True)
    read = read_models(folder, read_file, scope.engine, reading.only, functools.partial(_behind, sources, database))
    others = _Others(folder, read.elsewhere, read.unread.keys())
    _require_known(settings.defaults, read)
    seeds = by_name(_read_seeds(folder, database), {**read.models, **read.unread})
    _require_places_of_their_own([*read.models.values(), *read.unread.values(), *seeds.values()], database)
    known = Known(
        nodes={*read.models, *seeds},
        sources=set(sources),
        elsewhere=set(read.elsewhere),
        unread=set(read.unread),
        own=_read_own_checks(folder),
        scope=scope,
        said={name: model.said for name, model in {**read.models, **read.elsewhere}.items()},
    )
    declared = read_declarations(folder, settings.tests, known, kept)
    models = {name: _described(model, declared) for name, model in read.models.items()}
    project = Project(
        name=settings.name,
        folder=folder,
        database=database,
        models=MappingProxyType(models),
        seeds=MappingProxyType(seeds),
        sources=MappingProxyType(sources),
        checks=declared.checks,
        graph=_graph(models, seeds, sources, others),
        scope=scope,
        dialect=settings.dialect,
        elsewhere=frozenset(read.elsewhere),
        unread=frozenset(read.unread),
    )
    SECRETS.allow(settings.name, *project.graph.upstream, *read.unread)
    return project, declared.needed


def _behind(sources: Mapping[str, Source], database: str, read: Input) -> str:
    """Return the name of the model or seed that an input is; a source may be the table of a model."""
    source = sources.get(read.node)
    if source is None or source.relation.database.casefold() != database.casefold():
        return read.name
    return source.relation.name


def _require_known(defaults: Defaults, read: Read) -> None:
    known = {*read.models, *read.unread}
    for name, section in defaults.incremental.items():
        if name not in known and name not in read.elsewhere:
            raise UnknownRef(f'"{name}" is not in this project', at=section.at(), hint=hint_from(name, known, "models"))


@dataclass(frozen=True, slots=True)
class _Others:
    """Where to look for what is meant by a name that no node has.

    Parameters
    ----------
    folder
        Where a file may be that is no model.
    elsewhere
        The models that are for other engines only.
    unread
        The names of models that were not read.
    """

    folder: Path
    elsewhere: Mapping[str, Model]
    unread: Set[str]


def _graph(
    models: Mapping[str, Model], seeds: Mapping[str, Seed], sources: Mapping[str, Source], others: _Others
) -> Graph:
    nodes: list[Model | Seed | Source] = [*models.values(), *seeds.values(), *sources.values()]
    places = {_node(found): found.at for found in nodes}
    return graphs.build(_upstream(models, seeds, sources, others), places)


def _node(found: Model | Seed | Source) -> str:
    return found.node if isinstance(found, Source) else found.name


def _read_settings(folder: Path) -> _Settings:
    section = read_document(folder / "project.yml", "project.yml")
    name = section.required_text("name")
    section.text("version")
    variables = section.section("vars")
    secret = section.texts("secret")
    dialect = section.dialect()
    frame = section.choice("frame", Frame, Frame.IBIS)
    models = section.section("models")
    materialized, incremental = Materialized.VIEW, {}
    if models is not None:
        materialized = models.choice("materialized", Materialized, Materialized.VIEW)
        nested = models.section("incremental")
        incremental = dict(nested.items("models.incremental")) if nested is not None else {}
        models.close()
    tests = tuple(section.sections("tests", "test"))
    section.close()
    defaults = Defaults(folder, materialized, MappingProxyType(incremental))
    return _Settings(name, variables.values if variables else {}, dialect, frame, defaults, tests, secret)


def _macros(folder: Path, kept: Kept) -> Iterator[Template]:
    places: dict[str, Location] = {}
    for path in files_in(folder / "models" / "macros", ".sql", ".jinja"):
        template = kept.template(path)
        for name in template.macros:
            if name in RESERVED:
                raise DuplicateName(f'a macro is called "{name}", which has a meaning of its own', at=template.at)
            first = places.setdefault(name, template.at)
            if first is not template.at:
                raise DuplicateName(f'the macro "{name}" is defined twice: here and at {first}', at=template.at)
        yield template


def _read_model(scope: Scope, settings: _Settings, kept: Kept, path: Path) -> list[Model]:
    """Return the models of one file."""
    if path.name.endswith(".ff.py"):
        return list(read_python_models(path, scope, settings.defaults, settings.frame))
    return [read_sql_model(path, scope, settings.defaults, kept)]


def _read_own_checks(folder: Path) -> dict[str, OwnCheck]:
    own: dict[str, OwnCheck] = by_name(read_own_checks(folder))
    for name, check in own.items():
        if name in built_in.BY_NAME:
            raise DuplicateName(f'"{name}" is the name of a built-in check', at=check.at, hint="rename it")
    return own


def _require_places_of_their_own(found: Iterable[Model | File | Seed], database: str) -> None:
    """Raise `DuplicateName` where two of them would be the same table."""
    taken: dict[tuple[str, str], Model | File | Seed] = {}
    for item in found:
        relation = item.relation if isinstance(item, Seed) else Relation(database, item.name)
        _require_not_ours(item.name, relation, item.at)
        first = taken.setdefault(relation.folded, item)
        if first is not item:
            raise DuplicateName(
                f'"{item.name}" and "{first.name}" at {first.at} would both be the table "{relation}"',
                at=item.at,
                hint="rename one of them",
            )


def _require_not_ours(name: str, relation: Relation, at: Location, *, is_source: bool = False) -> None:
    """Raise `DuplicateName` where something of the project would be a table of fft's own.

    A source may be rows that a check kept, whose names only end in fft's part.
    """
    folded = relation.name.casefold()
    if folded in (RUNS, STATES, MARKS) or (folded.startswith(OWN_PART) if is_source else OWN_PART in folded):
        message = f'"{name}" would be the table "{relation}", which fft has for itself'
        raise DuplicateName(message, at=at, hint="rename it")


def _read_seeds(folder: Path, database: str) -> Iterator[Seed]:
    if not os.path.lexists(folder / "seeds"):
        return
    from fastflowtransform import seed_files

    path = folder / "seeds" / "schema.yml"
    settings: dict[str, Section] = {}
    if has_file(path):
        document = read_document(path, "seeds/schema.yml")
        document.integer("version")
        for section in document.sections("seeds", "seed"):
            name = section.required_text("name")
            if name in settings:
                raise DuplicateName(f'seed "{name}" stands here twice', at=section.at(), hint="keep one of the two")
            settings[name] = section
        document.close()
    found = files_in(folder / "seeds", *seed_files.ENDINGS)
    files = {file.name.partition(".")[0]: file for file in found}
    for name, section in settings.items():
        if name not in files:
            raise UnknownRef(
                f'there is no seed file "{name}"', at=section.at("name"), hint=hint_from(name, files, "seeds")
            )
    for file in found:
        yield _seed(file, database, settings.get(file.name.partition(".")[0]))


def _seed(file: Path, database: str, section: Section | None) -> Seed:
    name = file.name.partition(".")[0]
    if section is None:
        return Seed(name, file, Relation(database, name))
    relation = Relation(section.text("schema") or database, section.text("table") or name)
    types = {}
    for column in section.sections("columns", f'column of seed "{name}"'):
        types[column.required_text("name")] = column.required_text("type")
        column.text("description")
        column.close()
    seed = Seed(name, file, relation, types, frozenset(section.texts("tags")), section.text("description") or "")
    section.close()
    return seed


def _described(model: Model, declared: Declared) -> Model:
    if (contract := declared.contracts.get(model.name)) is not None:
        model = replace(model, contract=contract)
    found = declared.models.get(model.name)
    if found is None:
        return model
    return replace(model, description=found.description or model.description, tags=model.tags | found.tags)


def _upstream(
    models: Mapping[str, Model], seeds: Mapping[str, Seed], sources: Mapping[str, Source], others: _Others
) -> dict[str, list[str]]:
    """Return what each node reads; a source that a seed of the project fills reads that seed."""
    filled = {seed.relation.folded: name for name, seed in seeds.items()}
    upstream: dict[str, list[str]] = {name: [] for name in seeds}
    for node, source in sources.items():
        upstream[node] = [filled[source.relation.folded]] if source.relation.folded in filled else []
    errors: list[FftError] = []
    for name, model in models.items():
        for found in model.reads:
            if found.is_source and found.node not in sources:
                errors.append(_unknown_source(name, found, sources))
            if not found.is_source and found.name not in models and found.name not in seeds:
                errors.append(_unknown_ref(name, found, {*models, *seeds, *others.unread} - {name}, others))
        upstream[name] = [found.node for found in model.reads]
        reads = {found.name for found in model.reads}
        if unknown := sorted(model.requires.keys() - reads):
            message = f'"{name}" requires columns of "{unknown[0]}", which it does not read'
            errors.append(UnknownRef(message, at=model.at, hint=hint_from(unknown[0], reads, "inputs")))
    raise_all(errors)
    return upstream


def _unknown_source(name: str, found: Input, sources: Mapping[str, Source]) -> UnknownSource:
    known = [source.name for source in sources.values()]
    return UnknownSource(
        f'"{name}" reads the source "{found.name}", which sources.yml does not declare',
        at=found.at,
        hint=hint_from(found.name, known, "sources"),
    )


def _unknown_ref(name: str, found: Input, known: Set[str], others: _Others) -> UnknownRef:
    if (other := others.elsewhere.get(found.name)) is not None:
        return UnknownRef(
            f'"{name}" refers to "{found.name}", which is for other engines: {", ".join(other.engines)}',
            at=found.at,
            hint=f'see "{other.at}"',
        )
    hint = hint_from(found.name, known, "models")
    beside = [path for path in files_in(others.folder / "models", ".sql") if path.name == f"{found.name}.sql"]
    if beside:
        hint = f'"{beside[0].relative_to(others.folder)}" is no model: rename it to "{found.name}.ff.sql"'
    return UnknownRef(f'"{name}" refers to "{found.name}", which is not in this project', at=found.at, hint=hint)
