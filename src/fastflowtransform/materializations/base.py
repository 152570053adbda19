"""What a materialization is: a decision, and its execution."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from fastflowtransform.engines.base import Capabilities, Engine, Select, Standing
from fastflowtransform.errors import DependentsInTheWay
from fastflowtransform.model import Model
from fastflowtransform.relation import Relation
from fastflowtransform.results import Outcome, WriteCounts
from fastflowtransform.rows import Rows

if TYPE_CHECKING:
    import pyarrow as pa

    Whole = Callable[[Rows], Rows]


class Verb(StrEnum):
    """What is done about a model."""

    CREATE = "create"
    REPLACE = "replace"
    MERGE = "merge"
    APPEND = "append"
    INLINE = "inline"


class Adoption(StrEnum):
    """Why a run may write to a table or view that fft did not make.

    `TOLD` is `--adopt`. `FITS` is an incremental model over a table with its key and cursor: such a table keeps its
    rows, and its columns have to be those of the query.
    """

    TOLD = "told"
    FITS = "fits"


@dataclass(frozen=True, slots=True)
class Action:
    """What is done about a model, as what, and why; and why that may be done to what fft did not make."""

    verb: Verb
    what: str
    why: str
    adopts: Adoption | None = None

    def __str__(self) -> str:
        done = f"{self.verb} {self.what}".strip()
        return done if self.adopts is None else f"adopt and {done}"


class Query(Protocol):
    """What a model asks, as `normalize` gives it."""

    model: Model

    def select(self) -> Select | None:
        """Return the result as a SELECT that was not looked at; None where something has to know what it gives."""
        ...

    def result(self, *, is_incremental: bool) -> Rows | pa.RecordBatchReader:
        """Return the result: rows of the warehouse, or from outside of it."""
        ...

    def given(self, *, is_incremental: bool) -> AbstractContextManager[Rows]:
        """Give the result as rows of the warehouse."""
        ...

    def delta(self) -> Rows | None:
        """Return the user's own delta; None where there is none."""
        ...

    def located(self) -> AbstractContextManager[None]:
        """Let an error of the warehouse in the block say where in the model's text it is."""
        ...


class Target(Protocol):
    """The place of a model in the warehouse: `plan.Step` is one."""

    @property
    def model(self) -> Model: ...
    @property
    def relation(self) -> Relation: ...
    @property
    def action(self) -> Action: ...
    @property
    def over(self) -> Standing | None: ...


class Gate(Protocol):
    """What new rows have to pass before they are published."""

    @property
    def is_open(self) -> bool:
        """Whether nothing is asked of the rows, so that they need not be staged for it."""
        ...

    def judge(self, rows: Rows, whole: Whole | None = None, *, staged: bool = True) -> None:
        """Look at rows that are about to be published.

        Parameters
        ----------
        rows
            The new rows.
        whole
            Gives what the table will be with such rows; None where they are all of it.
        staged
            Whether they are rows that would be lost, and not a query that can be asked again.

        Raises
        ------
        NotPublished
            They must not be.
        """
        ...


class _Open:
    """The gate of those that ask nothing."""

    is_open = True

    def judge(self, rows: Rows, whole: Whole | None = None, *, staged: bool = True) -> None:
        return None


OPEN: Gate = _Open()


class Journal(Protocol):
    """Where it is noted what a write comes to."""

    def writing(
        self, engine: Engine, relation: Relation, outcome: Callable[[WriteCounts], Outcome]
    ) -> AbstractContextManager[None]:
        """Note what the block's write to a relation comes to, in the same transaction where there are any."""
        ...


class _Silent:
    """The journal of those that note nothing."""

    def writing(
        self, engine: Engine, relation: Relation, outcome: Callable[[WriteCounts], Outcome]
    ) -> AbstractContextManager[None]:
        return contextlib.nullcontext()


SILENT: Journal = _Silent()


def because(why: str, over: Standing) -> str:
    """Return why something is done to a table, and what reacts to it."""
    return "; ".join((why, *over.notices))


def require_droppable(model: Model, over: Standing) -> None:
    """Raise `DependentsInTheWay` where what stands under a model's name cannot go, because others read it."""
    if over.dependents:
        shown = ", ".join(f'"{name}"' for name in over.dependents)
        raise DependentsInTheWay(
            f'"{model.name}" is a {over.kind} in the warehouse and shall be a {model.materialized} now, but it is read '
            f"by {shown}",
            at=model.at,
            hint="drop what reads it first; the models among them are made again by the run",
        )


class Materialization(Protocol):
    """A module with these two functions."""

    def decide(self, model: Model, over: Standing | None, capabilities: Capabilities, *, full_refresh: bool) -> Action:
        """Say what is to be done, from what stands under the model's name; pure."""
        ...

    def apply(
        self, engine: Engine, target: Target, query: Query, gate: Gate = OPEN, journal: Journal = SILENT
    ) -> Outcome:
        """Do it; nothing is published before the gate has seen the rows."""
        ...
