-- Grain: one row: 1 when every row of {table} is there at least twice, out of one: a file pasted below itself. A few copies
-- can be right (two offences on a day, two half years alike); copies of everything cannot.
with copies as (
    select *, count(*) as n_copies from {table} group by all
)
select (count(*) >= 10 and min(n_copies) > 1)::bigint as violations, 1::bigint as checked
from copies
