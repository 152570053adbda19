"""The columns of a node: told by files of seeds, declarations, the models over these, or the warehouse's table."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from fastflowtransform import seed_files
from fastflowtransform.contract import parsed
from fastflowtransform.engines.base import Engine
from fastflowtransform.errors import FftError
from fastflowtransform.graph import ancestors, order
from fastflowtransform.model import Frame, Model, PythonBody, SqlBody
from fastflowtransform.normalize import INLINE, Query, Tables
from fastflowtransform.project import Project
from fastflowtransform.relation import Relation
from fastflowtransform.utest.reads import ALL, columns_read
from fastflowtransform.utest.values import Misfit, dtype_of

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    import ibis.expr.types as ir
    from ibis.expr.schema import Schema

    Types = Mapping[str, dt.DataType | None]


@dataclass(frozen=True, slots=True)
class Known:
    """The columns of a node.

    Parameters
    ----------
    types
        The type of each column; None where only its name is known.
    is_complete
        Whether these are all of its columns: a source may have more than are declared of it.
    """

    types: Types = field(default_factory=lambda: MappingProxyType({}))
    is_complete: bool = False


NOTHING = Known()


class Upstream:
    """The columns of a project's nodes, each found when it is asked for, and once.

    Parameters
    ----------
    project
        The project as it is.
    engine
        Is asked what a SELECT over columns of known types gives; none of the project's tables is read.
    empty
        Returns a table without rows that has columns of these types.
    in_warehouse
        Returns the columns of a table in the project's warehouse, None where there is none. It is asked where nothing
        in the project tells.
    """

    def __init__(
        self,
        project: Project,
        engine: Engine,
        empty: Callable[[Types], ir.Table],
        in_warehouse: Callable[[Relation], Schema | None] = lambda relation: None,
    ) -> None:
        self._project, self._engine, self._empty, self._in_warehouse = project, engine, empty, in_warehouse
        self._order = order(project.graph)
        self._found: dict[str, Known] = {}

    def columns(self, node: str) -> Known:
        """Return the columns of a node, as far as they can be told."""
        if node not in self._found:
            above = ancestors(self._project.graph, node)
            for each in self._order:
                if each == node or (each in above and each not in self._found):
                    self._found[each] = NOTHING
                    # What is wrong with a model or a seed is said where it is run or loaded.
                    with contextlib.suppress(FftError, Misfit):
                        self._found[each] = self._told(each)
        return self._found[node]

    def _told(self, node: str) -> Known:
        if (seed := self._project.seeds.get(node)) is not None:
            return Known(_parsed(seed_files.first_types(seed.path, seed.types)), is_complete=True)
        if (source := self._project.sources.get(node)) is not None:
            # It may be the table of a seed, or of a model.
            filled = next((self._found[each] for each in self._project.graph.upstream[node]), NOTHING)
            declared = Known({**filled.types, **_parsed(source.columns)}, filled.is_complete)
            return declared if declared.types else self._standing(node)
        model = self._project.models.get(node)
        if model is None:
            return NOTHING
        with contextlib.suppress(FftError, Misfit):
            if (found := self._of_query(model)).types:
                return found
        return self._promised(model) or self._standing(node)

    def _of_query(self, model: Model) -> Known:
        """Return the columns that a model gives over tables without rows."""
        inputs = {read.node: self._found.get(read.node, NOTHING) for read in model.reads}
        if isinstance(model.body, PythonBody) and model.body.frame is not Frame.IBIS:
            return NOTHING
        if untold := [node for node, known in inputs.items() if not known.types]:
            inputs |= self._named_in(model, untold)
        if not all(known.types for known in inputs.values()):
            return NOTHING
        instead = {each: self._empty(known.types) for each, known in inputs.items()}
        with Query(model, Tables(self._project, self._engine, instead=instead)).given(is_incremental=False) as given:
            types: Types = dict(self._engine.schema(given.table()).items())
        # Over columns without a type, a query has the types that the engine gives to NULL.
        types = dict.fromkeys(types) if untold else types
        return Known(types, all(known.is_complete for known in inputs.values()))

    def _named_in(self, model: Model, inputs: Sequence[str]) -> Mapping[str, Known]:
        """Return the columns of inputs that the SQL of a model names; none of one of which it selects all."""
        body = model.body
        if not isinstance(body, SqlBody):
            return {}
        instead = {read.node: self._empty({}) for read in model.reads}
        text = Tables(self._project, self._engine, instead=instead).sql(model, body.template, is_incremental=False)
        read = columns_read(text, self._engine.dialect, [INLINE + node for node in inputs])
        named = {node: sorted(read[INLINE + node]) for node in inputs}
        return {
            node: Known(dict.fromkeys(columns), is_complete=True)
            for node, columns in named.items()
            if columns and ALL not in columns
        }

    def _promised(self, model: Model) -> Known | None:
        """Return the columns of a model's contract, which are all of them."""
        if model.contract is None:
            return None
        columns = model.contract.columns
        types = {column.name: parsed(column.types[0], column) if column.types else None for column in columns}
        return Known(types, is_complete=True)

    def _standing(self, node: str) -> Known:
        schema = self._in_warehouse(self._project.relation(node))
        # A model's table may be older than its query.
        is_complete = node not in self._project.models
        return NOTHING if schema is None else Known(dict(schema.items()), is_complete)


def _parsed(types: Mapping[str, str]) -> Types:
    return {name: dtype_of(text) for name, text in types.items()}
