"""Whether a model's rows would be the same if it were run again: what it is, what it reads, and what stands there.

A model is left alone only where all of that is known and is as it was. What cannot be known has changed.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass
from enum import StrEnum

from fastflowtransform import __version__
from fastflowtransform import graph as graphs
from fastflowtransform.engines.base import Engine, Kind
from fastflowtransform.fingerprint import digest, fingerprint_of
from fastflowtransform.kept_file import key_of
from fastflowtransform.ledger import Proof, Proven, kind_of_model
from fastflowtransform.materializations.base import Target, Verb
from fastflowtransform.materializations.candidates import has_own_delta
from fastflowtransform.model import Frame, Materialized, Model, PythonBody, Source, SqlBody
from fastflowtransform.normalize import Query, Tables
from fastflowtransform.project import Project
from fastflowtransform.relation import Relation
from fastflowtransform.steady import Facts, doubt, facts

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

    def judged(self, target: Target) -> Judgement:
        """Say whether a model has to run; what it reads is as it will be then."""
        model = target.model
        state = None if target.over is None else self._engine.state(target.relation, target.over.kind)
        versions = {found.node: self._version(found.node) for found in model.reads}
        # What a run takes up depends on what the run before it wrote, in another way than the rule's own.
        if has_own_delta(model):
            versions[THIS] = Version(state or _NOWHERE)
        unknown = [version.why for version in versions.values() if version.text is None]
        if unknown:
            # Not looked at any further: a query over a table that is not there yet cannot be built.
            return Judgement(unknown[0], None, state)
        proof = Proof(self._fingerprint(model), {node: version.text or "" for node, version in versions.items()})
        if (doubtful := self._doubt(model)) is not None:
            return Judgement(doubtful, None, state)
        before = self._proven.get(model.name)
        if before is None:
            return Judgement("the ledger has no proof of what its rows were written from", proof, state)
        changed = next(_differences(before, proof, state), None)
        return Judgement(changed or _forced(target), proof, state)

    def knows(self, node: str, version: Version) -> None:
        """Take note of what will stand under a node, before it does."""
        self._versions[node] = version

    def _version(self, node: str) -> Version:
        if node not in self._versions:
            self._versions[node] = self._found(node)
        return self._versions[node]

    def _found(self, node: str) -> Version:
        model = self._project.models.get(node)
        if node in self._project.deferred or node in self._project.seeds:
            return self._stored(node)
        if model is None:
            return self._of_source(self._project.sources[node])
        if model.materialized not in (Materialized.VIEW, Materialized.EPHEMERAL):
            return self._stored(node)
        inputs = {found.node: self._version(found.node) for found in model.reads}
        unknown = [version for version in inputs.values() if version.text is None]
        if unknown:
            return unknown[0]
        if (doubtful := self._doubt(model)) is not None:
            return Version(None, f'"{node}", which it reads, may give other rows each time: {doubtful}')
        definition = self._fingerprint(model)
        if model.materialized is Materialized.VIEW:
            standing = self._stored(node)
            if standing.text is None:
                return standing
            definition = standing.text
        return Version(digest(definition, *(f"{name} {version.text}" for name, version in sorted(inputs.items()))))

    def _stored(self, node: str) -> Version:
        """Return the version of what stands in the warehouse under a node's name."""
        kind = self._standing.of(node, self._project)
        text = None if kind is None else self._engine.state(self._project.read_from(node), kind)
        return Version(
            text, "" if text else f'"{node}", which it reads, does not stand there, or does not say what it holds'
        )

    def _of_source(self, source: Source) -> Version:
        """Return the version of a source: of what fills it here, as it declares it, or as the engine keeps it."""
        feeders = self._project.graph.upstream[source.node]
        if feeders:
            return self._version(next(iter(feeders)))
        if source.version is not None:
            return Version(digest(source.version, self._declared(source, source.version)))
        known = self._engine.capabilities.versions and self._standing.found.get(source.relation) is Kind.TABLE
        text = self._engine.state(source.relation, Kind.TABLE) if known else None
        why = f'the version of the source "{source.name}" cannot be known without "version" in sources.yml'
        return Version(text, "" if text else why)

    def _declared(self, source: Source, expression: str) -> str:
        table = self._engine.table(source.relation)
        select = f"SELECT (\n{expression}\n) AS version FROM (\n{self._engine.compiled(table)}\n) AS source"
        return repr(self._engine.rows(self._engine.sql(select).select("version")))

    def _fingerprint(self, model: Model) -> str:
        own = fingerprint_of(model, self._project)
        body = own.body
        if _is_expression(model):
            body = digest(body, self._expression(model))
        major = ".".join(__version__.split(".")[:2])
        return f"{body} {own.config} {digest(self._engine.name, self._project.database, major)}"

    def _doubt(self, model: Model) -> str | None:
        """Return why the model may give other rows over the same inputs; None where it cannot, or says so."""
        if model.deterministic is not None:
            return None if model.deterministic else "it says that it is not deterministic"
        if isinstance(model.body, PythonBody) and not _is_expression(model):
            return "its function may read anything, and does not say that it is deterministic"
        known = frozenset(relation for node in self._reached(model) for relation in self._names(node))
        found = (doubt(self._facts(text), known, self._engine.steady) for text in self._texts(model))
        return next((reason for reason in found if reason is not None), None)

    def _facts(self, text: str) -> Facts:
        """Return what a text tells; a text that an earlier command has met is not parsed again."""
        kept, key = self._engine.preparing.statements, key_of("facts", self._engine.dialect, text)
        if (packed := kept.get(key)) is None:
            packed = marshal.dumps(astuple(facts(text, self._engine.dialect)))
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
        return self._compiled[model.name]

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

    def _names(self, node: str) -> Iterator[tuple[str, str]]:
        for relation in (self._project.relation(node), self._project.read_from(node)):
            yield relation.folded


def _is_expression(model: Model) -> bool:
    """Whether a Python model builds an expression, in which all that it does can be seen."""
    return isinstance(model.body, PythonBody) and model.body.frame is Frame.IBIS


def _forced(target: Target) -> str | None:
    """Return why a model runs although nothing has changed: it is to be built anew."""
    wanted = target.action.verb is Verb.REPLACE and target.model.incremental is not None
    return target.action.why if wanted else None


def _differences(before: Proven, now: Proof, state: str | None) -> Iterator[str]:
    """Yield what is not as it was when a model's rows were written."""
    names = ("its query changed", "its configuration changed", "the engine or fft is another one")
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
