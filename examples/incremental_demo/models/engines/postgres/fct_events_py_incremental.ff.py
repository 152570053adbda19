"""The incremental fact table as a Python model, on postgres only."""

import ibis.expr.types as ir
from shared.events import with_value_x10

from fastflowtransform import engine_model


@engine_model(
    only="postgres",
    name="fct_events_py_incremental",
    deps=["events_base.ff"],
    tags=["example:incremental_demo", "kind:incremental", "engine:postgres"],
    meta={"incremental": True, "unique_key": ["event_id"], "updated_at": "updated_at"},
)
def build(events: ir.Table) -> ir.Table:
    """Return the events with ten times their value; nothing is read here, an expression is built."""
    return with_value_x10(events)
