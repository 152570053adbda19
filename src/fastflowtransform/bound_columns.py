"""The columns of what a text reads, before it is translated: of the warehouse, or of what will be there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastflowtransform import engines, translating
from fastflowtransform.engines.base import Engine
from fastflowtransform.errors import RelationMissing
from fastflowtransform.location import Location
from fastflowtransform.project import Project
from fastflowtransform.relation import Relation
from fastflowtransform.rows import Rows

if TYPE_CHECKING:
    from fastflowtransform.translation import Relation as Bound

INLINE = "__fft_ephemeral_"
"""What the name of a node begins with where it stands as an expression."""


@dataclass(frozen=True, slots=True)
class Written:
    """A model's text in a dialect that is bound without a warehouse."""

    text: str
    dialect: str
    at: Location


@dataclass(frozen=True, slots=True)
class Known:
    """How nodes are looked up.

    Parameters
    ----------
    rows
        Gives a node as others read it.
    standing
        Gives a table of the warehouse; of a source that is not there, what is declared.
    written
        Gives a model's text where its dialect tells what columns it gives; else None.
    """

    rows: Callable[[str], Rows]
    standing: Callable[[str], Rows]
    written: Callable[[str], Written | None]


class BoundColumns:
    """Columns by the name of a table in a text; each is asked for once.

    Parameters
    ----------
    project
        What the tables are.
    engine
        Has those that exist.
    known
        Looks nodes up.
    ahead
        Models that are built before they are read: their columns are those of their texts.
    """

    def __init__(self, project: Project, engine: Engine, known: Known, ahead: Collection[str] = ()) -> None:
        self._project = project
        self._engine = engine
        self._known = known
        self._ahead = ahead
        self._found: dict[tuple[str, ...], Bound] = {}
        self._under_way: set[str] = set()
        """Models whose texts are looked at: one may read the table that it makes."""
        self._given: dict[tuple[str, ...], Rows] = {}

    def give(self, name: str, rows: Rows) -> None:
        """Let a name in a text mean these rows."""
        self._given[(name,)] = rows

    def forget(self, relation: Relation) -> None:
        """Ask for the columns of a table anew: it may have been written."""
        self._found.pop((relation.database, relation.name), None)

    def of(self, parts: tuple[str, ...]) -> Bound:
        """Return the columns of a table by its name, in the words of the dialect that texts are bound in.

        Raises
        ------
        RelationMissing
            It does not exist, and it is not known what it will be.
        """
        if parts not in self._found:
            from fastflowtransform.translation import Relation as Bound
            from fastflowtransform.translation import source_type

            columns, own = self._columns(parts), self._engine.dialect
            types = {name: source_type(engines.type_in_sql(own, spelt), own) for name, spelt in columns.items()}
            self._found[parts] = Bound(parts, types)
        return self._found[parts]

    def _columns(self, parts: tuple[str, ...]) -> Mapping[str, str]:
        if parts in self._given:
            return _columns_of(self._given[parts])
        if parts[-1].startswith(INLINE):
            inline = parts[-1].removeprefix(INLINE)
            ahead = self._foreseen(inline)
            return ahead if ahead is not None else _columns_of(self._known.rows(inline))
        relation = Relation(parts[0] if len(parts) > 1 else self._project.database, parts[-1])
        node = next((name for name in self._project.models if self._project.read_from(name) == relation), None)
        ahead = self._foreseen(node) if node is not None and node in self._ahead else None
        if ahead is not None:
            return ahead
        try:
            return self._in_the_warehouse(relation)
        except RelationMissing:
            ahead = None if node is None else self._foreseen(node)
            if ahead is None:
                raise
            return ahead

    def _in_the_warehouse(self, relation: Relation) -> Mapping[str, str]:
        source = next((node for node, each in self._project.sources.items() if each.relation == relation), None)
        return self._engine.found(relation).columns if source is None else self._known.standing(source).columns

    def _foreseen(self, node: str) -> Mapping[str, str] | None:
        """Return the columns that a model's text gives, by its own dialect; None where that cannot be told."""
        written = None if node in self._under_way else self._known.written(node)
        if written is None:
            return None
        self._under_way.add(node)
        try:
            found = translating.outputs(written.text, written.dialect, written.at, self.of)
        finally:
            self._under_way.discard(node)
        return {name: f"bound {dtype}" for name, dtype in found}


def _columns_of(rows: Rows) -> Mapping[str, str]:
    """Return the types of rows; of what is made of others, only Ibis knows them."""
    return rows.columns or {name: f"ibis {dtype}" for name, dtype in rows.table().schema().items()}
