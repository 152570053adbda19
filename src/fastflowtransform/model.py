"""What a project is made of: models, seeds, sources and checks. Frozen, and free of I/O."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fastflowtransform.errors import Location
from fastflowtransform.relation import Relation
from fastflowtransform.template import Template
from fastflowtransform.windows import Window


class Materialized(StrEnum):
    """How a model stands in the warehouse."""

    TABLE = "table"
    VIEW = "view"
    INCREMENTAL = "incremental"
    EPHEMERAL = "ephemeral"


class OnNullKey(StrEnum):
    """What to do with a row whose key has a NULL part: refuse, let NULL equal NULL, or leave it out."""

    ERROR = "error"
    MATCH = "match"
    DROP = "drop"


class OnDuplicateKey(StrEnum):
    """What to do with two rows of one key: keep the newest by cursor, or refuse."""

    NEWEST = "newest"
    ERROR = "error"


class OnSchemaChange(StrEnum):
    """What to do when the query's columns differ from the table's."""

    FAIL = "fail"
    APPEND = "append_new_columns"
    SYNC = "sync_all_columns"
    IGNORE = "ignore"


class Enforcement(StrEnum):
    """What a model that breaks its contract does: it fails, or it only warns."""

    ENFORCED = "enforced"
    WARN = "warn"


class Frame(StrEnum):
    """What a Python model's function takes and gives."""

    IBIS = "ibis"
    PANDAS = "pandas"
    POLARS = "polars"
    ARROW = "arrow"
    SPARK = "spark"


@dataclass(frozen=True, slots=True)
class Input:
    """A table that a model reads: a model or seed (`events_base`) or a source (`raw.events`)."""

    name: str
    at: Location
    is_source: bool = False

    @property
    def node(self) -> str:
        """Its name in the graph."""
        return f"source:{self.name}" if self.is_source else self.name


@dataclass(frozen=True, slots=True)
class Delta:
    """The user's own delta SQL, and what it reads."""

    template: Template
    inputs: tuple[Input, ...] = ()


@dataclass(frozen=True, slots=True)
class Incremental:
    """What makes a model incremental; `docs/reference/semantics.md` says what each part means."""

    unique_key: tuple[str, ...] = ()
    updated_at: str | None = None
    lookback: timedelta | None = None
    delta: Delta | None = None
    on_null_key: OnNullKey = OnNullKey.ERROR
    on_duplicate_key: OnDuplicateKey = OnDuplicateKey.NEWEST
    on_schema_change: OnSchemaChange = OnSchemaChange.FAIL
    window: Window | None = None
    """The only cursors of this run, whatever the table holds; None for what is new."""


@dataclass(frozen=True, slots=True)
class Index:
    """An index on columns of a table; `method` is the engine's word for its kind, such as `hash`."""

    columns: tuple[str, ...]
    unique: bool = False
    method: str | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """How a table lies in the warehouse; it changes how fast rows are found, and never which.

    Parameters
    ----------
    indexes
        Where the engine has such.
    partition_by, cluster_by
        Columns whose equal, or near, values lie together in files.
    table_properties
        What the table format calls so.
    key
        The columns that rows are merged by, where they are.
    """

    indexes: tuple[Index, ...] = ()
    partition_by: tuple[str, ...] = ()
    cluster_by: tuple[str, ...] = ()
    table_properties: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    key: tuple[str, ...] = ()

    @property
    def set_by_user(self) -> tuple[str, ...]:
        """The names of the settings that make it other than plain."""
        names = ("indexes", "partition_by", "cluster_by", "table_properties")
        return tuple(name for name, value in zip(names, self._settings(), strict=True) if value)

    def _settings(self) -> tuple[object, ...]:
        return self.indexes, self.partition_by, self.cluster_by, self.table_properties


PLAIN = Layout()


@dataclass(frozen=True, slots=True)
class ContractColumn:
    """A column that a contract promises; where there are several `types`, any of them will do, and without one, all."""

    name: str
    types: tuple[str, ...]
    at: Location


@dataclass(frozen=True, slots=True)
class Constraint:
    """What a contract promises of the rows: a check's type and its arguments as they are written."""

    type: str
    arguments: Mapping[str, Any]
    at: Location


@dataclass(frozen=True, slots=True)
class Contract:
    """What a model promises to those that read its table.

    Parameters
    ----------
    enforcement
        What happens where it is broken.
    columns
        All of its columns, in their order.
    constraints
        What holds for its rows; no schema shows that, so each becomes a check.
    at
        Where it is declared.
    """

    enforcement: Enforcement
    columns: tuple[ContractColumn, ...]
    constraints: tuple[Constraint, ...]
    at: Location


@dataclass(frozen=True, slots=True)
class Said:
    """What one place says of a model's contract: `config()`, or YAML beside the models.

    Parameters
    ----------
    enforcement
        None where this place does not say whether there is one.
    columns, constraints
        As for a contract.
    at
        Where `contract` stands, or the model's entry.
    promised
        Where the first promise stands that is nothing without a contract.
    """

    enforcement: Enforcement | None
    columns: tuple[ContractColumn, ...]
    constraints: tuple[Constraint, ...]
    at: Location
    promised: Location | None


@dataclass(frozen=True, slots=True)
class SqlBody:
    """The template of a `*.ff.sql` file.

    `own_delta` is true where it asks `is_incremental()`: then its result is the delta, as the user wrote it.
    """

    template: Template
    dialect: str | None = None
    own_delta: bool = False


@dataclass(frozen=True, slots=True)
class PythonBody:
    """A decorated function of a `*.ff.py` file, and what it takes and gives."""

    function: Callable[..., Any]
    frame: Frame = Frame.IBIS


@dataclass(frozen=True, slots=True)
class Model:
    """A function from tables to a table, and what the warehouse shall hold of it.

    `inputs` stand in the order of the function's arguments; for a SQL model, in that of the text.
    """

    name: str
    body: SqlBody | PythonBody
    at: Location
    materialized: Materialized = Materialized.VIEW
    inputs: tuple[Input, ...] = ()
    tags: frozenset[str] = frozenset()
    incremental: Incremental | None = None
    layout: Layout = PLAIN
    said: Said | None = None
    """What it says of its contract itself; `contract` is that with what YAML says."""
    requires: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """Columns that an input has to have, by its name as `reads` has it."""
    contract: Contract | None = None
    deterministic: bool | None = None
    """Whether it gives the same rows again from the same inputs; None where it does not say."""
    description: str = ""
    meta: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), compare=False)
    engines: tuple[str, ...] = ()
    """The only engines that it is for; empty means all."""
    timeout: float | None = None
    """Seconds that it may take; None where the command line decides."""

    @property
    def reads(self) -> tuple[Input, ...]:
        """All that it reads: its inputs, and what its delta reads besides."""
        delta = None if self.incremental is None else self.incremental.delta
        found = {found.node: found for found in (*self.inputs, *(() if delta is None else delta.inputs))}
        return tuple(found.values())


@dataclass(frozen=True, slots=True)
class Freshness:
    """How new the rows of a source have to be.

    Parameters
    ----------
    loaded_at_field
        The column that says when a row came, or an expression for that in the engine's SQL.
    filter
        A condition in the engine's SQL; only such rows are looked at.
    warn_after, error_after
        How old the newest row may be; None for no limit. At least one is given.
    at
        Where it is declared.
    """

    loaded_at_field: str
    filter: str | None
    warn_after: timedelta | None
    error_after: timedelta | None
    at: Location


@dataclass(frozen=True, slots=True)
class Source:
    """A table that something else fills. Its name in `source()` is `raw.events`.

    `columns` gives the Ibis type of a column by its name, as far as the file does; `fft source sync` writes them all.
    """

    name: str
    relation: Relation
    at: Location
    tags: frozenset[str] = frozenset()
    description: str = ""
    columns: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    freshness: Freshness | None = None
    version: str | None = None
    """An aggregate in the engine's SQL, whose value is another one whenever the rows are."""

    @property
    def node(self) -> str:
        """Its name in the graph."""
        return f"source:{self.name}"


@dataclass(frozen=True, slots=True)
class Seed:
    """A file that `fft seed` loads.

    `types` gives the Ibis type of a column by its name; the others are read off the file.
    """

    name: str
    path: Path
    relation: Relation
    types: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    tags: frozenset[str] = frozenset()
    description: str = ""

    @property
    def at(self) -> Location:
        """Where it is defined: its file."""
        return Location(self.path)


class Severity(StrEnum):
    """What a failing check does: end the command with exit code 1, or only warn."""

    ERROR = "error"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Threshold:
    """How many failing rows it takes, as `> 10`: an operator of SQL and a number.

    Examples
    --------
    >>> Threshold(">", 10).met(10), Threshold(">", 10).met(11), Threshold("!=", 0).met(1)
    (False, True, True)
    """

    operator: str
    number: int

    def __str__(self) -> str:
        return f"{self.operator} {self.number}"

    def met(self, failures: int) -> bool:
        """Whether so many failing rows are enough."""
        return COMPARISONS[self.operator](failures, self.number)


COMPARISONS: Mapping[str, Callable[[int, int], bool]] = MappingProxyType(
    {"=": operator.eq, "!=": operator.ne, ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
)
ANY_ROW = Threshold("!=", 0)


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a check runs and fails.

    Parameters
    ----------
    severity
        What it does where it fails.
    where
        A condition in the engine's SQL; only such rows are checked.
    warn_if, error_if
        How many failing rows make it warn, and fail; `error_if` counts only with the severity error.
    limit
        How many failing rows are shown and stored at most; None for no limit of its own.
    store_failures
        Whether the failing rows are kept in a table.
    tags
        What selectors find it by.
    """

    severity: Severity = Severity.ERROR
    where: str | None = None
    warn_if: Threshold = ANY_ROW
    error_if: Threshold = ANY_ROW
    limit: int | None = None
    store_failures: bool = False
    tags: frozenset[str] = frozenset()

    def severity_of(self, failures: int) -> Severity | None:
        """Return how bad so many failing rows are; None where they are few enough.

        Examples
        --------
        >>> terms = Terms(error_if=Threshold(">", 10))
        >>> [terms.severity_of(failures) for failures in (0, 1, 11)]
        [None, <Severity.WARN: 'warn'>, <Severity.ERROR: 'error'>]
        """
        if self.severity is Severity.ERROR and self.error_if.met(failures):
            return Severity.ERROR
        return Severity.WARN if self.warn_if.met(failures) else None


@dataclass(frozen=True, slots=True)
class OwnCheck:
    """A check of the project's own, out of `tests/`: a SELECT of the failing rows, or a function that returns them.

    Parameters
    ----------
    name
        What YAML calls it by.
    body
        The text or the function.
    at
        Where it stands.
    alone
        Whether it names all that it reads, so that it is a check by itself; else it is for any table, which YAML names.
    required, defaults
        The names of the parameters that have to be given, and the values of the others.
    inputs
        What a function takes, after the table that is checked. A text's are learnt anew for each use.
    terms
        The terms that it sets itself, as they are written.
    """

    name: str
    body: SqlBody | PythonBody
    at: Location
    alone: bool
    required: frozenset[str] = frozenset()
    defaults: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    inputs: tuple[Input, ...] = ()
    terms: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Check:
    """A claim about a table's contents.

    Parameters
    ----------
    name
        What it is called; no two have one name.
    type
        A module of `checks`, or the name of `own`.
    node
        The model or seed that it is about.
    arguments
        Go to the module, the text or the function.
    at
        Where it is declared.
    terms
        On what terms it fails.
    own
        The check of the project's own, where it is one.
    inputs
        What such a check reads, besides `node`; one that is `alone` reads nothing else.
    named
        Whether the user gave it its name.
    promised
        Whether it is a part of the model's contract.
    """

    name: str
    type: str
    node: str
    arguments: Mapping[str, Any]
    at: Location
    terms: Terms = Terms()
    own: OwnCheck | None = None
    inputs: tuple[Input, ...] = ()
    named: bool = False
    promised: bool = False

    @property
    def is_promised(self) -> bool:
        """Whether no command may publish rows that break it: it is a part of a contract that is enforced."""
        return self.promised and self.terms.severity is Severity.ERROR

    @property
    def nodes(self) -> tuple[str, ...]:
        """Return the nodes that it is about: selecting one of them selects it."""
        if self.own is None or not self.own.alone:
            return (self.node,)
        return tuple(dict.fromkeys([self.node, *(found.node for found in self.inputs)]))
