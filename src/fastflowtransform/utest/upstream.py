"""What columns a node has, told without a warehouse: by files of seeds, declared types, and the models over these."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from fastflowtransform import seed_files
from fastflowtransform.engines.base import Engine
from fastflowtransform.errors import FftError
from fastflowtransform.graph import ancestors, order
from fastflowtransform.model import Frame, Model, PythonBody
from fastflowtransform.normalize import Query, Tables
from fastflowtransform.project import Project
from fastflowtransform.utest.values import Misfit, dtype_of

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    import ibis.expr.types as ir

    Types = Mapping[str, dt.DataType]


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
    """

    def __init__(self, project: Project, engine: Engine, empty: Callable[[Types], ir.Table]) -> None:
        self._project, self._engine, self._empty = project, engine, empty
        self._order = order(project.graph)
        self._found: dict[str, Types] = {}

    def types(self, node: str) -> Types:
        """Return the type of each column of a node; empty where they cannot be told."""
        if node not in self._found:
            above = ancestors(self._project.graph, node)
            for each in self._order:
                if each == node or (each in above and each not in self._found):
                    self._found[each] = {}
                    # What is wrong with a model or a seed is said where it is run or loaded.
                    with contextlib.suppress(FftError, Misfit):
                        self._found[each] = self._told(each)
        return self._found[node]

    def _told(self, node: str) -> Types:
        if (seed := self._project.seeds.get(node)) is not None:
            return _parsed(seed_files.first_types(seed.path, seed.types))
        if (source := self._project.sources.get(node)) is not None:
            seeds = [self._found[each] for each in self._project.graph.upstream[node] if each in self._project.seeds]
            return {**(seeds[0] if seeds else {}), **_parsed(source.columns)}
        model = self._project.models.get(node)
        return {} if model is None else self._of_model(model)

    def _of_model(self, model: Model) -> Types:
        """Return the columns that a model gives over tables without rows."""
        inputs = {read.node: self._found.get(read.node, {}) for read in model.reads}
        if not all(inputs.values()) or (isinstance(model.body, PythonBody) and model.body.frame is not Frame.IBIS):
            return {}
        instead = {each: self._empty(types) for each, types in inputs.items()}
        with Query(model, Tables(self._project, self._engine, instead=instead)).given(is_incremental=False) as given:
            return dict(self._engine.schema(given.table()).items())


def _parsed(types: Mapping[str, str]) -> Types:
    return {name: dtype_of(text) for name, text in types.items()}
