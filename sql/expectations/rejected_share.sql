-- Grain: one row: rejected rows of one standard table, out of the rows read for it.
-- Inputs: landing.files.
select coalesce(sum(n_rejected), 0)::bigint as violations, coalesce(sum(n_rows_read), 0)::bigint as checked
from landing.files
where table_name = $table_name
