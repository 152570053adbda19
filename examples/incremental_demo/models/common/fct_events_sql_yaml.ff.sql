{{ config(
    materialized='table',
    tags=['example:incremental_demo', 'scope:common', 'kind:incremental',
          'engine:duckdb', 'engine:postgres', 'engine:databricks_spark'],
    meta={
        'incremental': True,
        'unique_key': ['event_id'],
        'updated_at': 'updated_at',
        'delta_config': 'config/incremental/fct_events_sql_yaml.delta.yml',
    },
) }}
select event_id, updated_at, value, value * 10 as value_x10
from {{ ref('events_base') }}
