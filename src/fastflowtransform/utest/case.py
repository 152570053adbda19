"""What a unit test says, as values: rows that are given, a table as it was, and rows that are expected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from fastflowtransform.errors import Location
from fastflowtransform.names import Folding


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it is written, and where."""

    values: Mapping[str, Any]
    at: Location


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a table: written out, or what a SELECT gives.

    Parameters
    ----------
    rows
        In their order; a column that a row does not name is NULL in it.
    at
        Where they stand.
    types
        The Ibis type of a column by its name, where it is said.
    sql
        A SELECT in the place of rows.
    """

    rows: tuple[Row, ...]
    at: Location
    types: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    sql: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that rows or types name, in the order in which they first stand."""
        return tuple(dict.fromkeys([*(name for row in self.rows for name in row.values), *self.types]))

    def spelt_as(self, columns: Iterable[str], folding: Folding) -> Rows:
        """Return the same rows with their columns spelt as these are, where the engine takes both for one."""
        names = {name: folding.spelling(name, columns) or name for name in self.columns}
        if all(old == new for old, new in names.items()):
            return self
        rows = tuple(
            replace(row, values={names[name]: value for name, value in row.values.items()}) for row in self.rows
        )
        return replace(self, rows=rows, types={names[name]: text for name, text in self.types.items()})


@dataclass(frozen=True, slots=True)
class Expectation:
    """What shall come of a run.

    Parameters
    ----------
    at
        Where it stands.
    rows
        The target after the run; None where nothing is said of it.
    delta
        The rows that an incremental run takes up.
    order_by
        Columns that the rows are sorted by; without them, rows are compared in any order.
    error
        The code of the error that the run shall end with.
    """

    at: Location
    rows: Rows | None = None
    delta: Rows | None = None
    order_by: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the model: what stands in its inputs, by node, and what shall come of it."""

    given: Mapping[str, Rows]
    expect: Expectation
    variables: Mapping[str, Any]
    now: datetime | None


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far numbers may be off: in all columns, and in single ones. Nothing, where nobody asks."""

    everywhere: Decimal = Decimal(0)
    columns: Mapping[str, Decimal] = field(default_factory=lambda: MappingProxyType({}))

    def of(self, column: str) -> Decimal:
        """Return a column's."""
        return self.columns.get(column, self.everywhere)


@dataclass(frozen=True, slots=True)
class Case:
    """One unit test.

    Parameters
    ----------
    name
        No two cases of a model have one name.
    model
        The model that it is about.
    at
        Where it stands.
    runs
        One at least, in their order.
    this
        The target before the first run; None where there is none.
    key
        The columns that tell which rows belong together; else the model's `unique_key`.
    tolerance
        How far numbers may be off.
    idempotent
        Whether each run is done twice, and the second one changes nothing; None leaves it to the model.
    """

    name: str
    model: str
    at: Location
    runs: tuple[Run, ...]
    this: Rows | None = None
    key: tuple[str, ...] = ()
    tolerance: Tolerance = Tolerance()
    idempotent: bool | None = None

    @property
    def title(self) -> str:
        """What it is called among the cases of all models."""
        return f"{self.model}: {self.name}"
