import ibis.expr.types as ir

from fastflowtransform import model


@model(deps=["source:raw.events"], materialized="table")
def by_ibis(events: ir.Table) -> ir.Table:
    return events.filter(events.score > 0.1, events.weekday != 0).select(
        "event_id",
        "kind",
        note=events.note.upper(),
        total=events.amount * (1 + events.score),
        updated_at=events.updated_at,
    )
