{# Run twice, it goes through all that an increment does: one row is newer than its table, the other must be compared. #}
{{ config(materialized='incremental', unique_key='id', updated_at='at', lookback='1 day') }}
select 1 as id, now()::timestamp as at
union all
select 2 as id, now()::timestamp - interval '1 hour' as at
