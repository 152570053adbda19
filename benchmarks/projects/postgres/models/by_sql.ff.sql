{{ config(materialized='table') }}
select
    event_id,
    kind,
    upper(note) as note,
    amount * (1 + score) as total,
    updated_at
from {{ source('raw', 'events') }}
where score > 0.1 and weekday <> 0
