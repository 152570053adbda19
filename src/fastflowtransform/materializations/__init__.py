"""The ways a model can stand in the warehouse: one module each, found by name."""

from __future__ import annotations

from collections.abc import Mapping

from fastflowtransform.materializations import ephemeral, incremental, table, view
from fastflowtransform.materializations.base import Materialization
from fastflowtransform.model import Materialized

BY_NAME: Mapping[Materialized, Materialization] = {
    Materialized.TABLE: table,
    Materialized.VIEW: view,
    Materialized.INCREMENTAL: incremental,
    Materialized.EPHEMERAL: ephemeral,
}


def find(name: Materialized) -> Materialization:
    """Return a materialization's module."""
    return BY_NAME[name]
