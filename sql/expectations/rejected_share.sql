-- Grain: one row: rejected rows of one standard table, out of the rows read for it.
-- Inputs: landing.files, landing.rejects. A row rejected only because its person was counts there, as it does at intake.
select
    coalesce(sum(n_rejected), 0)::bigint - (
        select count(*)
        from landing.rejects
        where table_name = $table_name and reason = 'the person''s own row was rejected'
    ) as violations,
    coalesce(sum(n_rows_read), 0)::bigint as checked
from landing.files
where table_name = $table_name
