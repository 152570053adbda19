"""Whether a model's rows would be the same if it were run again: what it is, what it reads, and what stands there.

A model is left alone only where all of that is known and is as it was. What cannot be known has changed.
"""

from __future__ import annotations

import functools
import marshal
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from fastflowtransform import __version__
from fastflowtransform import graph as graphs
from fastflowtransform.engines.base import Engine, Kind
from fastflowtransform.engines.notes import Later
from fastflowtransform.fingerprint import digest, fingerprint_of, tokens
from fastflowtransform.kept_file import key_of
from fastflowtransform.ledger import Proof, Proven, kind_of_model
from fastflowtransform.materializations.base import Target, Verb
from fastflowtransform.materializations.candidates import has_own_delta
from fastflowtransform.model import Frame, Materialized, Model, PythonBody, Source, SqlBody
from fastflowtransform.normalize import Query, Tables
from fastflowtransform.project import Project
from fastflowtransform.relation import Relation
from fastflowtransform.steady import Facts, doubt

if TYPE_CHECKING:
    import ibis.expr.types as ir

THIS = "this"
"""The name of a model's own table among its inputs, where its own delta reads what was written before."""
LEAVE, STANDS = "leave alone", "it would give the rows that stand there"
_NOWHERE = "nowhere"


class Cache(StrEnum):
    """What is done with proofs: nothing, they are believed, they are noted, or both."""

    OFF = "off"
    READ = "ro"
    WRITE = "wo"
    BOTH = "rw"

    @property
    def reads(self) -> bool:
        """Whether a model that is proven unchanged is left alone."""
        return self in (Cache.READ, Cache.BOTH)

    @property
    def writes(self) -> bool:
        """Whether it is noted what rows are written from."""
        return self in (Cache.WRITE, Cache.BOTH)


@dataclass(frozen=True, slots=True)
class Version:
    """What stands under a node, as a text that changes when its rows do; else None, and why that cannot be known."""

    text: str | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether a model has to run.

    Parameters
    ----------
    why
        Why it has to; None where its rows are what they would be.
    proof
        What its rows are written from now; None where that cannot be known.
    state
        What stands under its name now.
    """

    why: str | None
    proof: Proof | None
    state: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands in the warehouse: what was found there, and what this command makes before it is asked for."""

    found: Mapping[Relation, Kind]
    made: frozenset[str] = frozenset()
    states: dict[Relation, str] = field(default_factory=dict)

    def of(self, node: str, project: Project) -> Kind | None:
        """Return what stands under a node's name; None where nothing does."""
        if node in self.made and node not in project.sources:
            return kind_of_model(project.models.get(node))
        return self.found.get(project.read_from(node))


class Prover:
    """Judges the models of a project, on one engine; a version that it has asked for once is not asked for again.

    Parameters
    ----------
    project, engine, tables
        The models, and where their tables are.
    proven
        What the ledger knows of models, by their names.
    standing
        What stands in the warehouse.
    """

    def __init__(
        self, project: Project, engine: Engine, tables: Tables, proven: Mapping[str, Proven], standing: Standing
    ) -> None:
        self._project = project
        self._engine = engine
        self._tables = tables
        self._proven = proven
        self._standing = standing
        self._versions: dict[str, Version] = {}
        self._compiled: dict[str, str] = {}
        self._python: dict[str, str | None] = {}
        self._left: dict[str, str | Later] = {}

    def judged(self, target: Target) -> Judgement:
        """Say whether a model has to run; what it reads is as it will be then."""
        model = target.model
        state = None if target.over is None else self._state(target.relation, target.over.kind)
        versions = {found.node: self._version(found.node) for found in model.reads}
        unknown = [version.why for version in versions.values() if version.text is None]
        if unknown:
            # Not looked at any further: a query over a table that is not there yet cannot be built.
            return Judgement(unknown[0], None, state)
        told = [] if _is_opaque(model) else [self._facts(text) for text in self._texts(model)]
        own = self._parts(target.relation)
        # What a run takes up depends on what the run before it wrote, in another way than the rule's own.
        if has_own_delta(model) or any(parts in own for found in told for parts in found.tables):
            versions[THIS] = Version(state or _NOWHERE)
        proof = Proof(self._fingerprint(model), {node: version.text or "" for node, version in versions.items()})
        if (doubtful := self._doubt(model, told)) is not None:
            return Judgement(doubtful, None, state)
        before = self._proven.get(model.name)
        if before is None:
            return Judgement("the ledger has no proof of what its rows were written from", proof, state)
        changed = next(_differences(before, proof, state), None)
        return Judgement(changed or _forced(target), proof, state)

    def wrote(self, target: Target, state: str | Later | None) -> None:
        """Take note of the state that a run has left a model's table in, or has left alone."""
        if target.model.materialized in (Materialized.TABLE, Materialized.INCREMENTAL) and state is not None:
            self._left[target.model.name] = state

    def _state(self, relation: Relation, kind: Kind) -> str | None:
        # Nobody but the model itself writes to its table in a run, and it is judged before that.
        known = self._standing.states.pop(relation, None) if kind is Kind.TABLE else None
        return known or self._engine.state(relation, kind)

    def knows(self, node: str, version: Version) -> None:
        """Take note of what will stand under a node, before it does."""
        self._versions[node] = version

    def _version(self, node: str) -> Version:
        if node not in self._versions:
            self._versions[node] = self._found(node)
        return self._versions[node]

    def _found(self, node: str) -> Version:
        model = self._project.models.get(node)
        if node in self._project.sources:
            return self._of_source(self._project.sources[node])
        if node in self._project.deferred or model is None or model.materialized is not Materialized.EPHEMERAL:
            return self._stored(node)
        inputs = {found.node: self._version(found.node) for found in model.reads}
        unknown = [version for version in inputs.values() if version.text is None]
        if unknown:
            return unknown[0]
        told = [] if _is_opaque(model) else [self._facts(text) for text in self._texts(model)]
        if (doubtful := self._doubt(model, told)) is not None:
            return Version(None, f'"{node}", which it reads, may give other rows each time: {doubtful}')
        return Version(digest(self._fingerprint(model), *_listed(inputs)))

    def _stored(self, node: str) -> Version:
        """Return the version of what stands in the warehouse under a node's name."""
        kind = self._standing.of(node, self._project)
        if kind is Kind.VIEW:
            return self._of_view(node)
        left = None if node in self._project.deferred else self._left.get(node)
        text = left.text if isinstance(left, Later) else left
        if text is None and kind is not None:
            text = self._engine.state(self._project.read_from(node), kind)
        if isinstance(left, Later):
            left.text = text
        return Version(text, "" if text else _not_there(node))

    def _of_view(self, node: str) -> Version:
        """Return the version of a view: of its definition as it stands, which may not be the project's, and below it.

        Whoever defined it, it reads what its text in the warehouse says; all of that has to be nodes of the project.
        """
        defined = self._engine.evidence.view(self._project.read_from(node))
        if defined is None:
            return Version(None, _not_there(node))
        model = None if node in self._project.deferred else self._project.models.get(node)
        promised = None if model is None else model.deterministic
        if promised is False or (defined.why is not None and not promised):
            why = "it says that it is not deterministic" if promised is False else defined.why
            return Version(None, f'"{node}", which it reads, may give other rows each time: {why}')
        done = set() if model is None else self._reached(model)
        inputs = {}
        for read in defined.reads:
            below = self._nodes.get(self._key(read))
            if below is None:
                return Version(None, f'the view "{node}", which it reads, reads "{read}" without ref() or source()')
            # One that is not above the view in the project may be made after it in this run, so it is not kept in mind.
            inputs[below] = self._version(below) if below in done else self._found(below)
            if inputs[below].text is None:
                return inputs[below]
        return Version(digest(defined.text, *_listed(inputs)))

    @functools.cached_property
    def _nodes(self) -> Mapping[tuple[str, ...], str]:
        """The nodes that have a table or view, by its name; a source that a node of the project fills is that node."""
        project = self._project
        inline = {name for name, model in project.models.items() if model.materialized is Materialized.EPHEMERAL}
        nodes = [*project.sources, *project.seeds, *(name for name in project.models if name not in inline)]
        return {self._key(project.read_from(node)): node for node in nodes}

    def _of_source(self, source: Source) -> Version:
        """Return the version of a source: of what fills it here, as it declares it, or as the engine keeps it."""
        feeders = self._project.graph.upstream[source.node]
        if feeders:
            return self._version(next(iter(feeders)))
        text: str | None = None
        if source.version is not None:
            text = f"{source.version} {self._declared(source, source.version)}"
        elif self._engine.capabilities.versions and self._standing.found.get(source.relation) is Kind.TABLE:
            text = self._engine.state(source.relation, Kind.TABLE)
        if text is None:
            why = f'the version of the source "{source.name}" cannot be known without "version" in sources.yml'
            return Version(None, why)
        return Version(digest(source.relation, text))

    def _declared(self, source: Source, expression: str) -> str:
        table = self._engine.table(source.relation)
        select = f"SELECT (\n{expression}\n) AS version FROM (\n{self._engine.compiled(table)}\n) AS source"
        return repr(self._engine.rows(self._engine.sql(select).select("version")))

    def _fingerprint(self, model: Model) -> str:
        own = fingerprint_of(model, self._project)
        body = own.body
        if _is_expression(model):
            body = digest(body, self._expression(model))
        elif isinstance(model.body, SqlBody) and (model.body.dialect or self._project.dialect):
            # A translation is another one with another translator.
            body = digest(body, *(tokens(text) for text in self._texts(model)))
        return f"{body} {own.config} {self._engine_of_proof}"

    @functools.cached_property
    def _engine_of_proof(self) -> str:
        major = ".".join(__version__.split(".")[:2])
        return digest(self._engine.name, self._project.database, major, self._engine.evidence.settings())

    def _doubt(self, model: Model, told: Iterable[Facts]) -> str | None:
        """Return why the model may give other rows over the same inputs; None where it cannot, or says so."""
        if model.deterministic is not None:
            return None if model.deterministic else "it says that it is not deterministic"
        if _is_opaque(model):
            return "its function may read anything, and does not say that it is deterministic"
        if (why := self._python.get(model.name)) is not None:
            return why
        known = frozenset(parts for relation in self._known(model) for parts in self._parts(relation))
        found = (doubt(each, known, self._engine.evidence.steady) for each in told)
        return next((reason for reason in found if reason is not None), None)

    def _facts(self, text: str) -> Facts:
        """Return what a text tells; a text that an earlier command has met is not parsed again."""
        kept, key = self._engine.preparing.statements, key_of("facts", self._engine.dialect, text)
        if (packed := kept.get(key)) is None:
            packed = marshal.dumps(astuple(self._engine.evidence.facts(text)))
            kept.put(key, packed)
        return Facts(*marshal.loads(packed))

    def _texts(self, model: Model) -> Iterator[str]:
        """Yield all that is sent for a model, as it is sent."""
        if isinstance(model.body, SqlBody):
            for way in (False, True) if model.body.own_delta else (False,):
                yield self._tables.sql(model, model.body.template, is_incremental=way)
        else:
            yield self._expression(model)
        if model.incremental is not None and model.incremental.delta is not None:
            yield self._tables.sql(model, model.incremental.delta.template, is_incremental=True)

    def _expression(self, model: Model) -> str:
        """Return the SQL of a Python model that builds an expression; its function is called once."""
        import ibis.expr.types as ir

        if model.name not in self._compiled:
            rows = Query(model, self._tables).rows(is_incremental=False)
            assert isinstance(rows, ir.Table), "its function is for Ibis tables"
            self._compiled[model.name] = self._engine.compiled(rows)
            self._python[model.name] = _calls_python(rows)
        return self._compiled[model.name]

    def _known(self, model: Model) -> Iterator[Relation]:
        """Yield what a model's query is known to read: its own table, and what has a version of all that it reaches."""
        yield self._project.relation(model.name)
        for node in self._reached(model) - {model.name}:
            read = self._project.models.get(node)
            if node in self._project.deferred or read is None or read.materialized is not Materialized.EPHEMERAL:
                yield self._project.read_from(node)

    def _reached(self, model: Model) -> set[str]:
        """Return the nodes whose tables a model's query can name: its inputs, those of ephemeral ones, and itself."""
        found, waiting = {model.name}, [read.node for read in model.reads]
        while waiting:
            node = waiting.pop()
            if node not in found:
                found.add(node)
                read = self._project.models.get(node)
                if read is not None and read.materialized is Materialized.EPHEMERAL:
                    waiting += [other.node for other in read.reads]
        return found

    def _parts(self, relation: Relation) -> frozenset[tuple[str, ...]]:
        """Return the names that statements have for a relation, as the engine compares them."""
        return frozenset({self._key(relation), self._compared(self._engine.name_of(relation))})

    def _key(self, relation: Relation) -> tuple[str, ...]:
        return self._compared((relation.database, relation.name))

    def _compared(self, parts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(self._engine.capabilities.folding.fold, parts))


def _listed(versions: Mapping[str, Version]) -> Iterator[str]:
    return (f"{name} {version.text}" for name, version in sorted(versions.items()))


def _not_there(node: str) -> str:
    return f'"{node}", which it reads, does not stand there, or does not say what it holds'


def _calls_python(rows: ir.Table) -> str | None:
    """Return which function of Python's an expression calls, as a doubt; in such a one nothing can be seen."""
    from ibis.expr.operations.udf import AggUDF, InputType, ScalarUDF

    for node in rows.op().find((ScalarUDF, AggUDF)):
        if node.__input_type__ is not InputType.BUILTIN:
            return f'it calls the Python function "{node.__func_name__}", which may do anything'
    return None


def _is_opaque(model: Model) -> bool:
    """Whether a model is a function over rows, in which nothing can be seen."""
    return isinstance(model.body, PythonBody) and not _is_expression(model)


def _is_expression(model: Model) -> bool:
    """Whether a Python model builds an expression, in which all that it does can be seen."""
    return isinstance(model.body, PythonBody) and model.body.frame is Frame.IBIS


def _forced(target: Target) -> str | None:
    """Return why a model runs although nothing has changed: it is to be built anew."""
    wanted = target.action.verb is Verb.REPLACE and target.model.incremental is not None
    return target.action.why if wanted else None


def _differences(before: Proven, now: Proof, state: str | None) -> Iterator[str]:
    """Yield what is not as it was when a model's rows were written."""
    names = ("its query changed", "its configuration changed", "the engine, its settings or fft is another one")
    parts = before.proof.fingerprint.split(" "), now.fingerprint.split(" ")
    yield from (words for words, one, other in zip(names, *parts, strict=True) if one != other)
    yield from _changed_inputs(before.proof.inputs, now.inputs)
    if state != before.state:
        yield "its table is not as the last run left it" if state else "its table is not there any more"


def _changed_inputs(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for node, version in now.items():
        if node not in before:
            yield f'it reads "{node}" now'
        elif version != before[node]:
            yield "its last run changed its table, which its delta reads" if node == THIS else f'"{node}" changed'
    for node in before.keys() - now.keys():
        yield f'it does not read "{node}" any more'


def stands_below(project: Project, models: Iterable[str], engine: Engine) -> dict[Relation, Kind]:
    """Return what stands in the warehouse of all that models read, through views and others, in one query."""
    reached = graphs.reachable(project.graph.upstream, models)
    inline = {name for name, model in project.models.items() if model.materialized is Materialized.EPHEMERAL}
    relations = {project.read_from(node) for node in reached - inline}
    return {relation: standing.kind for relation, standing in engine.existing(relations).items()}


def foreseen(targets: Iterable[Target], prover: Prover) -> dict[str, str | None]:
    """Return why each model of a plan will have to run, by its name; None for those that will be left alone.

    Parameters
    ----------
    targets
        The plan's, parents first. What reads one that runs, runs too: nobody knows yet what it will give.
    prover
        Judges them, by what stands there now.
    """
    found: dict[str, str | None] = {}
    for target in targets:
        name = target.model.name
        if target.action.verb is Verb.INLINE:
            continue
        found[name] = prover.judged(target).why
        if found[name] is not None:
            prover.knows(name, Version(None, f'"{name}" runs before it'))
    return found
