-- Grain: one row: rows of {table} whose period ends after the reference date, out of the rows whose period lies on a
-- calendar.
-- Inputs: {table}; $reference_date. Fills in: periods, the fragment over its labels.
with periods as (
{periods}
)

select
    count(*) filter (where periods.last_day > $reference_date::date)::bigint as violations,
    count(periods.last_day)::bigint as checked
from {table} as rows
join periods on periods.label = rows.period
