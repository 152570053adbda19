{{ config(materialized='incremental', unique_key='id', updated_at='at') }}
select 1 as id, timestamp '2026-01-01' as at
