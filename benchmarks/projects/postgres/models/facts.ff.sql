{{ config(materialized='incremental', unique_key='event_id', updated_at='updated_at') }}
select * from {{ source('raw', 'events') }}
