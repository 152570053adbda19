"""What runs did to the warehouse, noted in the warehouse itself, so that it cannot disagree with the data.

`fft_run` has a row a command, and `fft_model_state` a row for each model or seed that a command made. Such a row is
written in the transaction that writes the model's rows, where the engine has any that span tables; what no transaction
of a model's belongs to (an error, a model that was left alone) is written at the end, and so is all of it elsewhere.
Rows are added and never changed.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Protocol, TypeGuard

from fastflowtransform import __version__
from fastflowtransform.engines.base import Engine, Kind, Together, Transactional
from fastflowtransform.engines.notes import RUNS, STATES, Later, Notes, Value
from fastflowtransform.model import Materialized, Model
from fastflowtransform.relation import Relation
from fastflowtransform.results import Outcome, Status, StepResult, WriteCounts
from fastflowtransform.secret_values import redact
from fastflowtransform.windows import Window

if TYPE_CHECKING:
    import ibis.expr.types as ir

BEGUN = "begun"
"""The status of a relation that a run is about to create."""

_RUNS = {
    "run_id": str,
    "command": str,
    "status": str,
    "environment": str,
    "engine": str,
    "version": str,
    "options": str,
    "started_at": datetime,
    "seconds": float,
}
_STATES = {
    "run_id": str,
    "model": str,
    "kind": str,
    "relation": str,
    "project": str,
    "materialized": str,
    "status": str,
    "strategy": str,
    "inserted": int,
    "updated": int,
    "unchanged": int,
    "stale": int,
    "duplicates": int,
    "null_keys": int,
    "null_cursors": int,
    "watermark_before": str,
    "watermark_after": str,
    "backfill": str,
    "window_from": str,
    "window_to": str,
    "fingerprint": str,
    "inputs": str,
    "state": str,
    "started_at": datetime,
    "seconds": float,
    "error": str,
}
_OF_OUTCOME = (
    "strategy",
    "inserted",
    "updated",
    "unchanged",
    "stale",
    "duplicates",
    "null_keys",
    "null_cursors",
    "watermark_before",
    "watermark_after",
)
_VALUES = attrgetter(*_OF_OUTCOME)


def kind_of_model(model: Model | None) -> Kind:
    """Return what stands in the warehouse of a model, or of a seed."""
    is_view = model is not None and model.materialized is Materialized.VIEW
    return Kind.VIEW if is_view else Kind.TABLE


def runs_in(database: str) -> Notes:
    """Return the table of runs of a schema."""
    return Notes(Relation(database, RUNS), _RUNS)


def states_in(database: str) -> Notes:
    """Return the table of what runs made in a schema."""
    return Notes(Relation(database, STATES), _STATES)


@dataclass(frozen=True, slots=True)
class Proof:
    """What rows were written from, as texts that change when it does.

    Parameters
    ----------
    fingerprint
        Of the model itself.
    inputs
        The version of each input, by its name in the graph.
    """

    fingerprint: str
    inputs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Proven:
    """What the ledger knows of the last rows of a model that were written with a proof."""

    proof: Proof
    state: str
    run_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Command:
    """A command that makes something, as the ledger notes it."""

    name: str
    environment: str
    engine: str
    options: tuple[str, ...] = ()
    project: str | None = None
    run_id: str = field(default_factory=lambda: os.urandom(8).hex())
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class Done:
    """What a backfill did: its name, and the windows that were taken up."""

    backfill: str
    windows: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Part:
    """A window of a backfill; without a name, of one that this command begins."""

    window: Window
    backfill: str | None = None


class _Spanning(Engine, Transactional, Protocol):
    """An engine whose transactions span tables."""


class _Committing(Engine, Together, Protocol):
    """An engine that commits several writes at once."""


def _spans_tables(engine: Engine) -> TypeGuard[_Spanning]:
    return _is_a(type(engine), Transactional)


def _is_together(engine: Engine) -> TypeGuard[_Committing]:
    return _is_a(type(engine), Together)


@functools.cache
def _is_a(engine: type[Engine], protocol: type) -> bool:
    # Python compares all members of a protocol each time that it is asked.
    return issubclass(engine, protocol)


class Entry:
    """What is to be noted of one model or seed. Whoever makes the model writes into it, and nobody else meanwhile.

    Parameters
    ----------
    notes
        Where it is noted; None where it is not.
    head
        What is known before the model is made.
    kind
        What will stand under its name.
    """

    def __init__(self, notes: Notes | None, head: Mapping[str, Value], kind: Kind = Kind.TABLE) -> None:
        self._notes = notes
        self._kind = kind
        self._head = head
        self._started = datetime.now(UTC)
        self.is_noted = False
        self._is_written = False
        self.proof: Proof | None = None
        """Set where it is to be noted what the rows were written from."""
        self.state: str | Later | None = None
        """What the engine says of the rows that were written, where there is a proof."""

    @contextlib.contextmanager
    def writing(self, engine: Engine, relation: Relation, outcome: Callable[[WriteCounts], Outcome]) -> Iterator[None]:
        """Note what the block's write comes to, in the same transaction where there are any."""
        self.is_noted, self._is_written, self.state = False, True, None
        notes = self._notes
        if notes is None:
            yield
            return
        if not _spans_tables(engine):
            yield
            self._look(engine, relation)
            return

        def note(counts: WriteCounts) -> None:
            assert notes is not None
            self._look(engine, relation)
            engine.note(notes, [self.row(Status.SUCCESS, outcome(counts))])

        with engine.alongside(note):
            yield
        self.is_noted = True

    @property
    def is_kept(self) -> bool:
        """Whether it is noted anywhere."""
        return self._notes is not None

    def with_more(self, head: Mapping[str, Value]) -> Entry:
        """Return another entry, of which more is known before."""
        return Entry(self._notes, {**self._head, **head}, self._kind)

    def settled(self, engine: Engine, status: str, outcome: Outcome | None, error: str | None = None) -> None:
        """Note at once what came of it, where no transaction has."""
        if self._notes is not None and not (self.is_noted and status != Status.ERROR):
            engine.note(self._notes, [self.row(status, outcome, error)])

    def stays(self, state: str | None) -> None:
        """Take the state of before for that of now, where nothing was written."""
        if not self._is_written:
            self.state = None if self.proof is None else state

    def row(self, status: str, outcome: Outcome | None, error: str | None = None) -> dict[str, Value]:
        """Return the row that says what came of it."""
        done: dict[str, Value] = {}
        if outcome is not None:
            done = dict(zip(_OF_OUTCOME, _VALUES(outcome), strict=True))
        proof: dict[str, Value] = {"state": self.state}
        if self.proof is not None:
            proof |= {"fingerprint": self.proof.fingerprint, "inputs": json.dumps(dict(self.proof.inputs))}
        seconds = (datetime.now(UTC) - self._started) / timedelta(seconds=1)
        return {
            **self._head,
            **done,
            **proof,
            "status": status,
            "started_at": self._started,
            "seconds": seconds,
            # A message may hold half of a character, which no warehouse takes.
            "error": None if error is None else redact(error).encode("utf-8", "backslashreplace").decode(),
        }

    def _look(self, engine: Engine, relation: Relation) -> None:
        self.state = None
        if self.proof is not None:
            later = engine.later(relation) if self._kind is Kind.TABLE and _is_together(engine) else None
            self.state = later or engine.state(relation, self._kind, written=True)


class Ledger:
    """The ledger of one schema, open for one command.

    Parameters
    ----------
    engine
        Where it stands.
    database
        The schema.
    command
        What is noted.
    """

    def __init__(self, engine: Engine, database: str, command: Command) -> None:
        self._engine = engine
        self._command = command
        self._runs, self._states = runs_in(database), states_in(database)
        self._left: list[dict[str, Value]] = []
        self.is_kept = engine.prepare(self._runs, self._states)
        """False where the warehouse gives us no right to note anything."""

    def windows(self, place: Relation, fingerprint: str) -> Done | None:
        """Return what a backfill did that did not come to its end: the last one to a table, of a model as it is."""
        return last_backfill(self._engine, self._states, self._runs, place, fingerprint) if self.is_kept else None

    def entry_of_window(self, model: Model, place: Relation, fingerprint: str, part: Part) -> Entry:
        """Return what is to be noted of one window of a model."""
        entry = self.entry(model.name, model, place)
        start, end = part.window.start, part.window.end
        return entry.with_more(
            {
                "backfill": part.backfill or self._command.run_id,
                "window_from": start,
                "window_to": end,
                "fingerprint": fingerprint,
            }
        )

    def entry(self, node: str, model: Model | None, relation: Relation) -> Entry:
        """Return what is to be noted of a model, or of a seed."""
        word = "seed" if model is None else "model"
        head = {
            "run_id": self._command.run_id,
            "model": node,
            "kind": word,
            "relation": str(relation),
            "project": self._command.project,
            "materialized": Materialized.TABLE.value if model is None else model.materialized.value,
        }
        return Entry(self._states if self.is_kept else None, head, kind_of_model(model))

    def claim(self, made: Iterable[tuple[str, Model | None, Relation]]) -> None:
        """Record what is about to be created, where a run that is killed could not record it any more.

        Without it the next run would take these tables for somebody else's.
        """
        if self.is_kept and not _spans_tables(self._engine):
            rows = [self.entry(*each).row(BEGUN, None) for each in made]
            if rows:
                self._engine.note(self._states, rows)

    def proven(self, models: Iterable[str]) -> dict[str, Proven]:
        """Return what is proven of models, by their names."""
        return proven(self._engine, self._states, models) if self.is_kept else {}

    def noted(self, entry: Entry, result: StepResult) -> None:
        """Keep what came of a model or seed for the end, where no transaction has noted it."""
        if not entry.is_noted or result.status is Status.ERROR:
            error = None if result.error is None else f"{result.error.code} {result.error.message}"
            if result.blocked_by is not None:
                error = f'"{result.blocked_by}" failed'
            self._left.append(entry.row(result.status, result.outcome, error))

    def end(self, status: str) -> None:
        """Note the command, and all that is left to note."""
        if not self.is_kept:
            return
        if self._left:
            self._engine.note(self._states, self._left)
            self._left = []
        command = self._command
        row: dict[str, Value] = {
            "run_id": command.run_id,
            "command": command.name,
            "status": status,
            "environment": command.environment,
            "engine": command.engine,
            "version": __version__,
            "options": redact(" ".join(command.options)),
            "started_at": command.started_at,
            "seconds": (datetime.now(UTC) - command.started_at) / timedelta(seconds=1),
        }
        self._engine.note(self._runs, [row])


def proven(engine: Engine, notes: Notes, models: Iterable[str]) -> dict[str, Proven]:
    """Return what a ledger that stands proves of models: of each the last rows that were written and not undone."""
    wanted = set(models)
    rows = engine.rows(engine.found(notes.relation).into(written_last))
    return {str(row["model"]): _proven(row) for row in rows if row["model"] in wanted}


def written_last(table: ir.Table) -> ir.Table:
    """Return what was noted of each model with its last rows, where these are proven."""
    import ibis

    written = table.filter(table["status"].isin([Status.SUCCESS.value, Status.WARN.value]))
    newest = ibis.window(group_by=written["model"], order_by=[written["started_at"].desc(), written["run_id"]])
    last = written.mutate(__fft_rank=ibis.row_number().over(newest)).filter(lambda rows: rows["__fft_rank"] == 0)
    found = last.filter(last["state"].notnull() & last["fingerprint"].notnull())
    return found.select("model", "run_id", "fingerprint", "inputs", "state", "started_at")


def last_backfill(engine: Engine, states: Notes, runs: Notes, place: Relation, fingerprint: str) -> Done | None:
    """Return what the last backfill of a table did; None where it came to its end, or was of another query."""
    table, commands = engine.table(states.relation), engine.table(runs.relation)
    folds = not engine.capabilities.case_sensitive
    of_place = table.filter(_is_named(table["relation"], str(place), folds=folds) & table["backfill"].notnull())
    ended = commands.filter(commands["status"] == Status.SUCCESS.value)["run_id"].name("ended").as_table()
    rows = of_place.left_join(ended, of_place["run_id"] == ended["ended"]).order_by(of_place["started_at"].desc())
    wanted = ("backfill", "window_from", "window_to", "status", "fingerprint", "ended")
    found = engine.rows(rows.select(*wanted))
    if not found or found[0]["ended"] is not None or found[0]["fingerprint"] != fingerprint:
        return None
    name = str(found[0]["backfill"])
    return Done(
        name,
        frozenset(
            (str(row["window_from"]), str(row["window_to"]))
            for row in found
            if row["backfill"] == name and row["status"] == Status.SUCCESS.value
        ),
    )


def _proven(row: Mapping[str, object]) -> Proven:
    at = row["started_at"]
    assert isinstance(at, datetime)
    proof = Proof(str(row["fingerprint"]), json.loads(str(row["inputs"])))
    return Proven(proof, str(row["state"]), str(row["run_id"]), at.replace(tzinfo=UTC))


def covered(engine: Engine, database: str, model: str) -> list[tuple[str | None, str]]:
    """Return the stretches of a cursor that runs took up of a model, as the ledger has them.

    Each has its beginning and its end; a table that was built as a whole reaches back to all there was.
    """
    found: list[tuple[str | None, str]] = []
    for row in engine.rows(
        engine.found(states_in(database).relation).into(taken_up, model, not engine.capabilities.case_sensitive)
    ):
        start, end = row["window_from"], row["window_to"]
        if start is None:
            start, end = row["watermark_before"], row["watermark_after"]
            if str(row["strategy"]).endswith((" window", " windows")):
                continue  # Its windows have rows of their own.
        if end is not None:
            found.append((None if start is None else str(start), str(end)))
    return found


def history(engine: Engine, database: str, model: str | None, limit: int) -> list[dict[str, object]]:
    """Return the newest rows of a ledger that stands: of a model, or of all commands.

    Parameters
    ----------
    engine
        Where it stands.
    database
        Its schema.
    model
        The model's name; None for the commands. Of each of these, `made` and `failed` count models and seeds; one that
        did not end, because it was killed, has no status.
    limit
        How many rows.
    """
    states = engine.found(states_in(database).relation)
    if model is not None:
        return engine.rows(states.into(of_model, model, not engine.capabilities.case_sensitive, limit))
    return engine.rows(states.into(of_commands, engine.found(runs_in(database).relation), limit))


def _is_named(column: ir.StringColumn, name: str, *, folds: bool) -> ir.BooleanValue:
    """Return the condition for rows of a name, in upper and lower case alike where the engine `folds` names."""
    import ibis

    return column.lower() == ibis.literal(name).lower() if folds else column == name


def taken_up(states: ir.Table, model: str, folds: bool) -> ir.Table:
    """Return what says which stretches of a cursor runs took up of a model."""
    of_it = _is_named(states["model"], model, folds=folds)
    rows = states.filter(of_it & (states["status"] == Status.SUCCESS.value)).order_by("started_at")
    return rows.select("strategy", "backfill", "window_from", "window_to", "watermark_before", "watermark_after")


def of_model(states: ir.Table, model: str, folds: bool, limit: int) -> ir.Table:
    """Return the newest rows of a model."""
    rows = states.filter(_is_named(states["model"], model, folds=folds) & (states["status"] != BEGUN))
    return rows.order_by(rows["started_at"].desc()).limit(limit)


def of_commands(states: ir.Table, runs: ir.Table, limit: int) -> ir.Table:
    """Return the newest commands, with how many models and seeds each made, and how many failed."""
    import ibis

    def named(*found: Status) -> ir.IntegerScalar:
        return states["model"].nunique(where=states["status"].isin([status.value for status in found]))

    made = states.group_by("run_id").agg(
        made=named(Status.SUCCESS, Status.WARN), failed=named(Status.ERROR), first=states["started_at"].min()
    )
    both = runs.outer_join(made, "run_id")
    known = {name: both[name] for name in runs.columns if name not in ("run_id", "started_at")}
    found = both.select(
        run_id=ibis.coalesce(both["run_id"], both["run_id_right"]),
        started_at=ibis.coalesce(both["started_at"], both["first"]),
        **known,
        made=ibis.coalesce(both["made"], 0),
        failed=ibis.coalesce(both["failed"], 0),
    )
    return found.order_by(found["started_at"].desc()).limit(limit)
