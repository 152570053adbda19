"""What an engine can do, as data: asked before acting, never found out by failing."""

from __future__ import annotations

from dataclasses import dataclass

from fastflowtransform.incremental import Comparing
from fastflowtransform.model import Frame
from fastflowtransform.names import Folding


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do; asked before acting, never found out by failing.

    Parameters
    ----------
    comparing
        How it compares what the rule of an incremental run compares.
    frames
        What a Python model may take and give.
    layouts
        The settings of `Layout` that it makes something of.
    folding
        Which names it takes for one, of columns, tables and schemas.
    decimal_digits
        How many digits a decimal may have.
    plain_names
        Whether the name of a table is made of letters of ASCII, digits and underscores only.
    longest_name
        How many bytes of UTF-8 a name may have; None where there is no limit that anyone would meet.
    versions
        Whether tables have versions that anyone's write changes, so that `state` need not read them.
    many_writers
        Whether several transactions may write to one table at once, as long as their rows have no key in common.
    nanoseconds, nul
        Whether rows of Arrow keep them in timestamps, and the character NUL in texts.
    at_once
        How many models are sensibly made at once; None where it computes in this process, with its cores.
    """

    comparing: Comparing = Comparing()
    frames: frozenset[Frame] = frozenset({Frame.IBIS, Frame.PANDAS, Frame.POLARS, Frame.ARROW})
    layouts: frozenset[str] = frozenset()
    folding: Folding = Folding.ASCII
    decimal_digits: int = 38
    plain_names: bool = False
    longest_name: int | None = None
    versions: bool = False
    many_writers: bool = True
    nanoseconds: bool = False
    nul: bool = True
    at_once: int | None = None

    @property
    def case_sensitive(self) -> bool:
        """Whether `Orders` and `orders` are two tables, and `id` and `ID` two columns."""
        return self.folding is Folding.NONE
