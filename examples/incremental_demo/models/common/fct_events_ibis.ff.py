"""The same fact table in the short form: one definition, every engine, no delta by hand."""

import ibis.expr.types as ir
from shared.events import with_value_x10

from fastflowtransform import model


@model(
    materialized="incremental",
    unique_key="event_id",
    updated_at="updated_at",
    tags=[
        "example:incremental_demo",
        "scope:common",
        "kind:incremental",
        "engine:duckdb",
        "engine:postgres",
        "engine:databricks_spark",
    ],
)
def fct_events_ibis(events_base: ir.Table) -> ir.Table:
    """Events with ten times their value, one row an event."""
    return with_value_x10(events_base)
