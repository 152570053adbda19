"""A SELECT of one dialect in the words of another, with the same rows; or the reasons why there is none.

Each part of the parsed text is looked up: the parts of a SELECT in `structure`, functions and operators in `rules`. A
part that is not found is refused, and so is one that is found and differs for the types at hand. So nothing is sent
that no rule, with a test of its own on each engine, vouches for.
"""

from __future__ import annotations

from fastflowtransform.translation.binding import Binder, Relation, Unbound
from fastflowtransform.translation.translate import Refusal, Request, Translation, covers, translate, unknown
from fastflowtransform.translation.types import source_type

__all__ = [
    "Binder",
    "Refusal",
    "Relation",
    "Request",
    "Translation",
    "Unbound",
    "covers",
    "source_type",
    "translate",
    "unknown",
]
