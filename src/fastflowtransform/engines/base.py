"""What an engine is: the protocol, what it can do, and what it finds in the warehouse. Nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias, runtime_checkable

from fastflowtransform.engines.capabilities import Capabilities as Capabilities
from fastflowtransform.engines.notes import MARKS as MARKS
from fastflowtransform.engines.notes import Later, Notes, Value
from fastflowtransform.model import PLAIN, Layout
from fastflowtransform.relation import Relation
from fastflowtransform.results import WriteCounts

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    import ibis.expr.types as ir
    import pyarrow as pa
    from ibis.backends.sql import SQLBackend
    from ibis.expr.schema import Schema

    from fastflowtransform.engines.evidence import Evidence
    from fastflowtransform.engines.preparing import Preparing
    from fastflowtransform.rows import Named, Rows
    from fastflowtransform.settings import Profile


class Kind(StrEnum):
    """What a name in the warehouse is."""

    TABLE = "table"
    VIEW = "view"


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands under a relation's name.

    Parameters
    ----------
    kind
        A table or a view.
    merge
        How rows are merged into it, in words for the plan; empty for a view.
    merge_by
        The same by the columns of a key, where a key is merged in another way.
    dependents
        What reads it and keeps it from being dropped, such as `view demo.report`.
    belongings
        What hangs on it and has no place on the other kind, such as `2 indexes`.
    is_referenced
        Whether foreign keys refer to its rows.
    notices
        What reacts to a write, in words for the plan, such as `2 triggers may fire for rows that are written`.
    """

    kind: Kind
    merge: str = ""
    merge_by: Mapping[frozenset[str], str] = field(default_factory=lambda: MappingProxyType({}))
    dependents: tuple[str, ...] = ()
    belongings: tuple[str, ...] = ()
    is_referenced: bool = False
    notices: tuple[str, ...] = ()

    def merged_by(self, key: Iterable[str]) -> str:
        """Return how rows are merged into it by a key."""
        return self.merge_by.get(frozenset(key), self.merge)


def kind_of(standing: Standing | None) -> Kind | None:
    """Return what stands there; None where nothing does."""
    return None if standing is None else standing.kind


@dataclass(frozen=True, slots=True)
class ColumnChanges:
    """How a table's columns are to change in the same step as its rows.

    Parameters
    ----------
    added
        Type by name; old rows get NULL.
    dropped
        Names.
    retyped
        New type by name; old values are cast.
    filled
        Columns that the rows to come do not have, and that the table fills itself; they do not change.
    """

    added: Mapping[str, dt.DataType] = field(default_factory=lambda: MappingProxyType({}))
    dropped: tuple[str, ...] = ()
    retyped: Mapping[str, dt.DataType] = field(default_factory=lambda: MappingProxyType({}))
    filled: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.dropped or self.retyped)


UNCHANGED = ColumnChanges()


@dataclass(frozen=True, slots=True)
class Guard:
    """What keeps a merge to the rows that it is about.

    Parameters
    ----------
    cursor
        The column whose greater value stays, whoever wrote that since the merge was decided.
    ends
        The range of the new rows' keys, as `incremental.key_range` has it; None where it is not known.
    """

    cursor: str | None = None
    ends: Mapping[str, object] | None = None


UNGUARDED = Guard()


@dataclass(frozen=True, slots=True)
class Select:
    """One SELECT in an engine's own dialect, which stands for its rows; what columns they have was not asked."""

    text: str


if TYPE_CHECKING:
    Readable: TypeAlias = ir.Table | Rows | pa.RecordBatchReader | Select
    """What a table can be made of: rows of the warehouse, or from outside."""


@runtime_checkable
class LazyFrames(Protocol):
    """An engine with a lazy table of its own, which Python models may take and give: nothing is run for it."""

    def frame(self, table: ir.Table) -> Any:
        """Return an expression as the engine's own lazy table."""
        ...

    def framed(self, frame: Any) -> ir.Table:
        """Return the engine's own lazy table as an expression."""
        ...


@dataclass(frozen=True, slots=True)
class Noted:
    """What is noted of a table.

    Parameters
    ----------
    newest
        The largest value of a column, as the last note has it; None where there is none.
    is_exact
        Whether the table holds just what that note was about: no write came between what it was found over and the
        note, nor after it. Else the note only tells where to look.
    version
        The table's now; -1 where that is not known.
    """

    newest: str | None = None
    is_exact: bool = False
    version: int = -1


@runtime_checkable
class Noting(Protocol):
    """An engine that reads only the files which can hold what is asked for, and writes notes beside its rows."""

    def noting(self, column: str, dtype: dt.DataType, newest: str, over: int | None) -> AbstractContextManager[None]:
        """Let what the block writes to tables carry the largest value that a column has then.

        It was found over the version `over` of the table, and the rows to come; None where they are all of it.
        """
        ...

    def newest_noted(self, relation: Relation, column: str, dtype: dt.DataType) -> Noted:
        """Return the largest value of a column, as the last note of a table has it, if it is of that type."""
        ...


@runtime_checkable
class Limiting(Protocol):
    """An engine whose columns may hold texts up to a number of characters, and refuse longer ones."""

    def outgrown(self, relation: Relation, table: Named, rows: Rows) -> Mapping[str, int]:
        """Return the columns of a table that are too short for a text of `rows`, and how many characters they hold."""
        ...


@runtime_checkable
class Transactional(Protocol):
    """An engine whose transactions span tables: a note elsewhere is written with a table's rows, or not at all."""

    def alongside(self, note: Callable[[WriteCounts], None]) -> AbstractContextManager[None]:
        """Call `note` in the transaction of the block's write: its rows are written then, and not yet committed."""
        ...


@runtime_checkable
class Together(Protocol):
    """An engine that commits several writes at once, and in whose way nobody else is while they wait for that."""

    def together(self) -> AbstractContextManager[None]:
        """Commit what the block writes at its end, all of it or nothing; what it notes is written then too."""
        ...

    def later(self, relation: Relation) -> Later | None:
        """Return the state of a table as it will be found at the end of that, for its note; None outside of it."""
        ...

    def states(self, relations: Sequence[Relation], *, all_at_once: bool = False) -> Mapping[Relation, str]:
        """Return what `state` does of many tables; `all_at_once` looks at all tables of the database for that."""
        ...


class Engine(Protocol):
    """One warehouse, open.

    A driver's errors leave its methods as `EngineError`. What is compiled is compiled with `connection`;
    what is run, is run here.
    """

    name: ClassVar[str]
    dialect: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    connection: SQLBackend
    preparing: Preparing
    evidence: Evidence

    @classmethod
    def database(cls, profile: Profile) -> str:
        """Return where the project's tables stand, without connecting."""
        ...

    @classmethod
    def connect(
        cls, profile: Profile, *, read_only: bool = False, on_statement: Callable[[str], None] | None = None
    ) -> Engine:
        """Open the warehouse; `on_statement` is told each statement before it is sent."""
        ...

    def name_of(self, relation: Relation) -> tuple[str, ...]:
        """Return the parts of a relation's name that a statement needs."""
        ...

    def table(self, relation: Relation) -> ir.Table:
        """Return a table or view that exists, as an expression."""
        ...

    def found(self, relation: Relation) -> Named:
        """Return a table or view that exists, by its name and columns."""
        ...

    def sql(self, text: str) -> ir.Table:
        """Return what a SELECT in the engine's own dialect gives as an expression, without running it.

        Anything but one SELECT is refused before it is sent.
        """
        ...

    def asked(self, text: str) -> Named:
        """Return what a SELECT in the engine's own dialect gives, by its columns; otherwise as `sql`."""
        ...

    def select(self, text: str) -> Select:
        """Return a SELECT in the engine's own dialect to make a table or view of, and nothing else.

        As for `sql`, anything else is refused.
        """
        ...

    def check(self, text: str) -> None:
        """Raise for a SELECT that cannot be run whatever tables stand: its syntax, or a function that is not there."""
        ...

    def compiled(self, table: ir.Table | Rows, *, pretty: bool = False) -> str:
        """Return the SQL of an expression; a text given to `sql` stands in it as it was given.

        With `pretty`, Ibis' own part of an expression has one clause a line.
        """
        ...

    def schema(self, table: ir.Table | Rows) -> Schema:
        """Return the columns and types that the engine itself gives an expression, without running it."""
        ...

    def rows(self, table: ir.Table | Rows) -> list[dict[str, object]]:
        """Run an expression whose result is small, and return its rows.

        Of `Rows` it is asked for texts, booleans, numbers and local times only, and a decimal may come as a text.
        """
        ...

    def batches(self, table: ir.Table) -> AbstractContextManager[pa.RecordBatchReader]:
        """Run an expression, and stream its rows while the block runs."""
        ...

    def existing(self, relations: Iterable[Relation]) -> Mapping[Relation, Standing]:
        """Return what stands under the names of the relations, in one query."""
        ...

    def writing(
        self, relation: Relation, on_wait: Callable[[str], None], *, shared: bool = False
    ) -> AbstractContextManager[None]:
        """Keep other runs from writing to a relation until the block ends.

        `on_wait` is told who is in the way, where somebody is; those who want it `shared` are not in each other's.
        """
        ...

    def stage(self, rows: Readable) -> AbstractContextManager[Named]:
        """Keep rows aside until the block ends: read once, whatever reads them later."""
        ...

    def replace(
        self,
        relation: Relation,
        rows: Readable,
        *,
        over: Kind | None,
        layout: Layout = PLAIN,
        mark: str | None = None,
    ) -> WriteCounts:
        """Make a table of rows of the warehouse or from outside.

        Old rows stay until the new ones stand; `over` is what stands there now. `mark` is noted in the warehouse, in
        the same transaction where there are any, for `is_marked` to find.
        """
        ...

    def is_marked(self, relation: Relation, mark: str | None) -> bool:
        """Whether a table that stands holds the rows and columns that were written with a mark, and no others.

        False where that cannot be known: rows that anything else has changed meanwhile are never taken for those.
        Without a mark: whether it was ever written with one; True where marks cannot be kept.
        """
        ...

    def state(self, relation: Relation, kind: Kind, *, written: bool = False) -> str | None:
        """Return a text that is another one as soon as anything has changed the rows or columns of what stands there.

        `kind` is what stands there: of a view it tells the definition, and not what the view reads. None where the
        engine cannot tell. Within a transaction it tells what that has written. `written` asks for what the present
        write has left: None where another one has come since.
        """
        ...

    def prepare(self, *notes: Notes) -> bool:
        """Make tables for notes where there are none; False where we have no right to."""
        ...

    def note(self, notes: Notes, rows: Sequence[Mapping[str, Value]]) -> None:
        """Add rows to a table for notes."""
        ...

    def drop(self, relation: Relation) -> None:
        """Drop a table that fft made beside a model's own; nothing happens where there is none."""
        ...

    def filled(self, relation: Relation) -> Set[str]:
        """Return the columns that a table gives a value itself: by a default, an identity, or an expression."""
        ...

    def arrange(self, relation: Relation, layout: Layout) -> None:
        """Make a table that stands have the indexes and properties of `layout`, before rows are merged into it."""
        ...

    def create_view(self, relation: Relation, table: ir.Table | Rows | Select, *, over: Kind | None) -> None:
        """Make a view of `table`."""
        ...

    def append(self, relation: Relation, fresh: ir.Table | Rows, changes: ColumnChanges = UNCHANGED) -> WriteCounts:
        """Add rows by column name."""
        ...

    def merge(
        self,
        relation: Relation,
        fresh: ir.Table | Rows,
        key: tuple[str, ...],
        *,
        null_safe: bool,
        changes: ColumnChanges = UNCHANGED,
        guard: Guard = UNGUARDED,
    ) -> WriteCounts:
        """Put `fresh`, which is staged and has each key once, in place of the rows of the same keys.

        Rows keep what `changes.filled` columns have.
        All or nothing; `null_safe` says that a key may have a NULL part, and that NULL equals NULL. Where others can
        write between the decision about `fresh` and this, `guard` says which row stays.
        """
        ...

    def scratch(self) -> str:
        """Return a schema of this connection's own, made by it and empty; `close` drops it.

        It is the same one each time, and each time it is empty again: what was made of it is of no use then.
        """
        ...

    def worker(self, on_statement: Callable[[str], None] | None = None) -> Engine:
        """Return another connection to this warehouse, for one other thread, which calls this itself.

        Its settings, temporary tables and transactions are its own, and closing it leaves the warehouse open.
        """
        ...

    def interrupt(self) -> None:
        """Make what runs now end with `KeyboardInterrupt`; called from another thread, and again where it has to be.

        One statement ends so. What is sent afterwards, to tidy up, is left alone.
        """
        ...

    def close(self) -> None:
        """Close the warehouse."""
        ...
