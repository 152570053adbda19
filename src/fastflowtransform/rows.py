"""Rows that an engine can be asked for while the Ibis expression that says which of them is still to be built.

To build an expression and compile it takes milliseconds, and the import of Ibis a third of a second. What a function
makes of tables follows from their columns and from its settings: so where its SQL is known already
(`engines.preparing`), nobody builds it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from fastflowtransform.incremental import Watermark

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from ibis.expr.schema import Schema


_LOADING = threading.Lock()


class Rows:
    """Rows of the warehouse.

    Attributes
    ----------
    columns
        Type by name, as the engine spells it; empty where only the function that makes the rows knows.
    """

    __slots__ = ()
    columns: Mapping[str, str]

    def table(self) -> ir.Table:
        """Return the expression that gives them."""
        raise NotImplementedError

    def schema(self) -> Schema:
        """Return their columns and types, as Ibis has them."""
        return self.table().schema()

    def then(self, make: Callable[..., ir.Table], /, *given: object, **settings: object) -> Derived:
        """Return what a function makes of these rows, some of them with all of their columns, and of other arguments.

        Parameters
        ----------
        make
            A function of a module, whose result follows from its arguments: it asks no clock, for that is kept. It
            is called when its expression is needed, with a table for each `Rows` and a `Watermark` for each `Mark`.
        given, settings
            Its other arguments, whose `repr` tells all that there is to tell of them.
        """
        return Derived(make, (self, *given), settings, self.columns)

    def into(self, make: Callable[..., ir.Table], /, *given: object, **settings: object) -> Derived:
        """Return what a function makes of these rows where that has other columns, such as a count."""
        return Derived(make, (self, *given), settings, {})


@dataclass(frozen=True, slots=True, eq=False)
class Named(Rows):
    """A table, or a SELECT, under its name in a statement.

    Parameters
    ----------
    name
        As statements write it.
    columns
        Its columns.
    build
        Gives its expression.
    text
        The SELECT that has this name; None where a table or a view has it.
    """

    name: str
    columns: Mapping[str, str]
    build: Callable[[], ir.Table] = field(repr=False)
    text: str | None = None

    def table(self) -> ir.Table:
        """Return the expression that gives the rows."""
        # Threads that need Ibis at once meet here: its modules import each other, and two ends could meet half of one.
        with _LOADING:
            import ibis  # noqa: F401
        return self.build()


@dataclass(frozen=True, slots=True, eq=False)
class Built(Rows):
    """An expression that somebody has built, such as a Python model's."""

    expression: ir.Table

    @property
    def columns(self) -> Mapping[str, str]:  # type: ignore[override]
        """Return Ibis' own names of the types, which are none that an engine has."""
        return {name: f"ibis {dtype}" for name, dtype in self.expression.schema().items()}

    def table(self) -> ir.Table:
        """Return the expression."""
        return self.expression


@dataclass(frozen=True, slots=True)
class Newest:
    """The largest cursor of a table, as the engine prints it: what another run has another one of."""

    text: str
    of: Rows
    column: str

    @property
    def spelt(self) -> str:
        """Return the engine's name of its type."""
        return self.of.columns[self.column]

    def watermark(self, text: str) -> Watermark:
        """Return a text as one of its kind."""
        return Watermark(text, self.of.schema()[self.column])


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment in UTC, such as now, which is another one in each run.

    Examples
    --------
    >>> Moment.of(datetime(2026, 1, 1, 12, tzinfo=UTC))
    Moment(text='2026-01-01 12:00:00.000000')
    """

    text: str
    spelt: ClassVar[str] = "moment"

    @classmethod
    def of(cls, at: datetime) -> Moment:
        """Return the moment of a time with a zone."""
        return cls(f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}")

    def watermark(self, text: str) -> Watermark:
        """Return a text as one of its kind."""
        return Watermark(text, "timestamp")


Mark = Newest | Moment
"""What stands in an expression as a constant, and in what is kept of it as a number."""


@dataclass(frozen=True, slots=True, eq=False)
class Derived(Rows):
    """What a function makes of rows; see `Rows.then`."""

    make: Callable[..., ir.Table]
    given: tuple[object, ...]
    settings: Mapping[str, object]
    columns: Mapping[str, str]

    def table(self) -> ir.Table:
        """Call the function."""
        return self.expression(lambda rows: rows.table(), lambda mark: mark.watermark(mark.text))

    def expression(self, table: Callable[[Rows], ir.Table], watermark: Callable[[Mark], Watermark]) -> ir.Table:
        """Call the function with what stands for the named rows and the marks among its arguments."""

        def put(given: object) -> object:
            if isinstance(given, Derived):
                return given.expression(table, watermark)
            if isinstance(given, Rows):
                return table(given)
            return watermark(given) if isinstance(given, Newest | Moment) else given

        return self.make(*map(put, self.given), **{name: put(value) for name, value in self.settings.items()})
