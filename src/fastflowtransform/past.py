"""What a command makes of earlier runs: it notes what it does, and leaves alone what is proven unchanged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from fastflowtransform.engines.base import Engine, Kind
from fastflowtransform.errors import EngineError
from fastflowtransform.ledger import Done, Entry, Ledger, Part, Proven
from fastflowtransform.model import Materialized, Model
from fastflowtransform.normalize import Tables
from fastflowtransform.project import Project
from fastflowtransform.proof import Cache, Prover, Standing
from fastflowtransform.relation import Relation
from fastflowtransform.report import Report
from fastflowtransform.results import RunResult, Status, StepResult


@dataclass(frozen=True, slots=True)
class Past:
    """The ledger, and what a command does with what it proves.

    Parameters
    ----------
    ledger
        None where nothing is noted.
    cache
        What is done with proofs.
    proven
        What the ledger knew of models when the command began.
    stands
        What stood in the warehouse then, as far as anything that runs reads it.
    states
        What told the rows of tables then, where nobody else can write to them; each is believed once.
    """

    ledger: Ledger | None = None
    cache: Cache = Cache.OFF
    proven: Mapping[str, Proven] = field(default_factory=lambda: MappingProxyType({}))
    stands: Mapping[Relation, Kind] = field(default_factory=lambda: MappingProxyType({}))
    states: dict[Relation, str] = field(default_factory=dict)

    def entry(self, node: str, project: Project) -> Entry:
        """Return what is to be noted of a model or seed."""
        model = project.models.get(node)
        stands = model is None or model.materialized is not Materialized.EPHEMERAL
        if self.ledger is None or not stands:
            return Entry(None, {})
        return self.ledger.entry(node, model, project.relation(node))

    def claim(self, names: Iterable[str], project: Project) -> None:
        """Record which models and seeds are about to be created, where a killed run could not record it later."""
        if self.ledger is not None:
            models = {name: project.models.get(name) for name in names}
            self.ledger.claim(
                (name, model, project.relation(name))
                for name, model in models.items()
                if model is None or model.materialized is not Materialized.EPHEMERAL
            )

    def done(self, place: Relation, fingerprint: str) -> Done | None:
        """Return what the last backfill of a table did, if it was stopped and can go on."""
        return None if self.ledger is None else self.ledger.windows(place, fingerprint)

    def entry_of_window(self, model: Model, place: Relation, fingerprint: str, part: Part) -> Entry:
        """Return what is to be noted of one window."""
        if self.ledger is None:
            return Entry(None, {})
        return self.ledger.entry_of_window(model, place, fingerprint, part)

    def noted(self, entry: Entry, result: StepResult) -> None:
        """Take note of what came of it."""
        if self.ledger is not None and entry.is_kept:
            self.ledger.noted(entry, result)

    def ended(self, result: RunResult, report: Report) -> None:
        """Note how the command ended; where that is not possible any more, it is told of, and changes nothing else."""
        if self.ledger is None:
            return
        status = Status.CANCELLED if result.interrupted else Status.ERROR if result.exit_code else Status.SUCCESS
        try:
            try:
                self.ledger.end(status)
            except KeyboardInterrupt:
                if not result.interrupted:
                    raise
                # What ended the run may come to this connection late, where a thread tells it; but once only.
                self.ledger.end(status)
        except EngineError as error:
            report.waiting("the ledger", f"cannot be written: {error.code} {error.message}")

    def prover(self, tables: Tables, engine: Engine, project: Project, made: Iterable[str]) -> Prover | None:
        """Return what judges models, of which those in `made` are made by this command; None where nobody asks."""
        if self.cache is Cache.OFF:
            return None
        standing = Standing(self.stands, frozenset(made), self.states)
        return Prover(project, engine, tables, self.proven, standing)


NO_PAST = Past()
