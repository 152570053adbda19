{{ config(
    materialized='table',
    tags=['example:incremental_demo', 'scope:common', 'kind:incremental',
          'engine:duckdb', 'engine:postgres', 'engine:databricks_spark'],
    meta={
        'incremental': True,
        'unique_key': ['event_id'],
        'updated_at': 'updated_at',
        'delta': {'sql': "
            select event_id, updated_at, value, value * 10 as value_x10
            from {{ ref('events_base') }}
            where updated_at > (select max(updated_at) from {{ this }})
        "},
    },
) }}
select event_id, updated_at, value, value * 10 as value_x10
from {{ ref('events_base.ff') }};
