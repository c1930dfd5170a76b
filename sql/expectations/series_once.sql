-- Grain: one row: rows of {table} that repeat a period of the same outcome and series, out of all rows.
select
    (count(*) - count(distinct (period, outcome, coalesce(is_control, false))))::bigint as violations,
    count(*)::bigint as checked
from {table}
