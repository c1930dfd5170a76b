-- Grain: one row: rows read for one standard table that were neither kept nor rejected, and rows that were stored and are
-- no longer there (or the other way round), out of the rows read.
-- Inputs: landing.files, {table}.
with accounted as (
    select
        coalesce(sum(n_rows_read), 0) as n_read,
        coalesce(sum(n_rows_kept), 0) as n_kept,
        coalesce(sum(n_rejected), 0) as n_rejected,
        coalesce(sum(n_rows_stored), 0) as n_stored
    from landing.files
    where table_name = $table_name
)
select
    greatest(abs(n_read - n_kept - n_rejected), abs(n_stored - (select count(*) from {table})))::bigint as violations,
    n_read::bigint as checked
from accounted
