-- Grain: one row: rows of {table} that repeat an earlier row in every column, out of all rows.
select
    ((select count(*) from {table}) - (select count(*) from (select distinct * from {table})))::bigint as violations,
    (select count(*) from {table})::bigint as checked
