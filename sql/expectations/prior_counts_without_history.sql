-- Grain: one row: 1 violation where {column} is 0 for everybody in {table}, out of that one column.
-- An empty column is another check's.
select coalesce(max({column}) = 0, false)::bigint as violations, 1::bigint as checked
from {table}
