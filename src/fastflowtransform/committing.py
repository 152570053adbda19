"""Which models may be committed with others: those that give the same rows then. Pure, and without a parser.

In a transaction the moment is that of its beginning, rows have other numbers before they are committed, and what fft
notes comes at the end. So the words for these are looked for in all text that a model's query is made of; a word that
means something else costs its model a transaction of its own, and nothing more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastflowtransform.model import Materialized, Model, PythonBody
from fastflowtransform.project import Project

_WHOLE = (Materialized.TABLE, Materialized.VIEW)
_TOLD_BY_TRANSACTIONS = re.compile(
    r"\b(now|today|tomorrow|yesterday|current_\w+|get_current_\w+|local_?time\w*|transaction_timestamp|txid_current"
    r"|nextval|currval|rowid|fft_run|fft_model_state|duckdb_\w+|information_schema|pg_catalog)\b",
    re.IGNORECASE,
)


class Shareable:
    """Knows of each model of a project whether it may share a transaction.

    Parameters
    ----------
    project
        The project.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._known: dict[str, bool] = {}
        macros, values = project.scope.macros, project.scope.vars.values()
        # One macro may call another one, of any file.
        known = {name for template in macros for name in template.macros}
        self._told = {"env"}
        """What a template may call that can bring such a word into its text."""
        if any(_tells(template.text) or "env" in template.names for template in macros):
            self._told |= known
        if any(_tells(str(value)) for value in values):
            self._told |= {"var", *known}

    def __call__(self, name: str) -> bool:
        """Whether a model may: a table or a view of plain SQL, and so is all that it reads through."""
        model = self._project.models.get(name)
        return model is not None and model.materialized in _WHOLE and self._is_plain(model)

    def _is_plain(self, model: Model) -> bool:
        """Whether the text of a query does not depend on its transaction, nor that of the views that stand in it.

        What a function of an ephemeral model makes is registered in the transaction, and lost if that is rolled back.
        """
        if model.name not in self._known:
            body = model.body
            self._known[model.name] = (
                not isinstance(body, PythonBody)
                and self._told.isdisjoint(body.template.names)
                and not _tells(body.template.text)
                and all(map(self._is_plain, self._read_through(model)))
            )
        return self._known[model.name]

    def _read_through(self, model: Model) -> Iterator[Model]:
        """Yield the models that hold no rows of their own, and so stand in a query as queries."""
        upstream, sources = self._project.graph.upstream, self._project.sources
        for found in model.reads:
            (node,) = (upstream[found.node] if found.node in sources else ()) or (found.node,)
            read = self._project.models.get(node)
            if read is not None and read.materialized in (Materialized.VIEW, Materialized.EPHEMERAL):
                yield read


def _tells(text: str) -> bool:
    return _TOLD_BY_TRANSACTIONS.search(text) is not None
