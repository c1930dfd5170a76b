-- Grain: one row: rows of {table} with neither {first} nor {second}, out of all rows.
select count(*) filter (where {first} is null and {second} is null)::bigint as violations, count(*)::bigint as checked
from {table}
