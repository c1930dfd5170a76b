-- Grain: one row: rows of {table} that repeat a trial (and measure, where estimates were delivered), out of all rows.
select (count(*) - count(distinct (trial_id, coalesce(measure, ''))))::bigint as violations, count(*)::bigint as checked
from {table}
