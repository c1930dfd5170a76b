-- Grain: one row: 1 when no row of {table} is of an outcome, by any of the $words it goes by, out of one.
select (count(*) filter (where list_contains($words::varchar[], outcome)) = 0)::bigint as violations, 1::bigint as checked
from {table}
