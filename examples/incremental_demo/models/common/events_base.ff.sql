{{ config(
    materialized='view',
    description='Events as they arrived, duplicates and late ones among them.',
    tags=['example:incremental_demo', 'scope:common', 'engine:duckdb', 'engine:postgres', 'engine:databricks_spark'],
) }}
select event_id, updated_at, value
from {{ source('raw', 'events') }}
