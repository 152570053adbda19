"""What a rule is: what one construct of the source dialect is in each target's own words, or why it is refused."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from sqlglot import exp

Rewrite = Callable[[exp.Expr], exp.Expr]
Of = type[exp.Expr] | str


WARNING = "warning"
"""The name of the note that a rule leaves on what it makes, where that holds and may surprise."""


class Refused(Exception):
    """A construct has no translation that is known to give the same values.

    Parameters
    ----------
    why
        What differs; empty where nobody has tried the construct.
    instead
        The portable way to write it.
    """

    def __init__(self, why: str = "", instead: str | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.instead = instead


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: parser's classes or names of functions, and a rewrite for each target's dialect.

    A target that is not named refuses the construct.
    """

    of: tuple[Of, ...]
    to: Mapping[str, Rewrite] = field(default_factory=lambda: MappingProxyType({}))
    instead: str | None = None


def rule(rewrite: Callable[[str, Any], Any] | None, *of: Of, instead: str | None = None) -> Rule:
    """Return a rule of one function for all targets, which is told which one it writes for; None refuses."""
    to = {} if rewrite is None else {target: functools.partial(rewrite, target) for target in TARGETS}
    return Rule(of, MappingProxyType(to), instead)


TARGETS = ("postgres", "spark")
