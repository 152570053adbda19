"""An incremental model that takes up rows into a table that fft did not make, and nobody said that it may change it."""

from __future__ import annotations

from fastflowtransform.engines.base import Engine
from fastflowtransform.errors import ForeignRelation, SchemaChanged
from fastflowtransform.materializations.base import Target
from fastflowtransform.materializations.columns import Fit, fit
from fastflowtransform.model import Incremental
from fastflowtransform.rows import Rows


def fit_unchanged(engine: Engine, rows: Rows, table: Rows, target: Target, incremental: Incremental) -> Fit:
    """Compare the query with a table whose columns have to stay; the parameters are those of `columns.fit`.

    Raises
    ------
    ForeignRelation
        They differ in a way that would change the table's columns.
    """
    try:
        fitted, why = fit(engine, rows, table, target, incremental), ""
    except SchemaChanged as error:
        why = error.message
    else:
        if not fitted.changes:
            return fitted
        why = "; ".join(fitted.words)
    name = target.model.name
    raise ForeignRelation(
        f'"{name}" does not fit the columns of its table, which this project did not make: {why}',
        at=target.model.at,
        hint=f"rename the model, let its query give the columns of the table, or add --adopt {name}",
    )
