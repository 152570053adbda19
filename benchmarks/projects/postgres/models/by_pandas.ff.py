import pandas as pd

from fastflowtransform import model


@model(deps=["source:raw.events"], materialized="table")
def by_pandas(events: pd.DataFrame) -> pd.DataFrame:
    kept = events[(events.score > 0.1) & (events.weekday != 0)]
    return pd.DataFrame(
        {
            "event_id": kept.event_id,
            "kind": kept.kind,
            "note": kept.note.str.upper(),
            "total": kept.amount * (1 + kept.score),
            "updated_at": kept.updated_at,
        }
    )
