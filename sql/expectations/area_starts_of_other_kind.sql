-- Grain: one row: areas whose start cannot be placed among the periods, out of the areas with a start: a bare number, such
-- as 0 or 9999, among periods on a calendar, a day among bare numbers, or a 0 among numbers that all lie above it, which
-- mostly means never and would otherwise pass for "before the first".
-- Inputs: landing.areas. Fills in: periods and starts, the fragment over labels and over starts.
with periods as (
{periods}
),

starts as (
{starts}
),

known as (
    select count(first_day) > 0 as has_days, min(ordinal) filter (where kind = 'number') as first_number from periods
)
select
    count(*) filter (
        where (starts.kind = 'number') = known.has_days
        or (starts.kind = 'number' and starts.ordinal = 0 and known.first_number > 0)
    )::bigint as violations,
    count(*)::bigint as checked
from landing.areas as areas
join starts on starts.label = coalesce(areas.adopted_on::varchar, areas.adopted_period::varchar)
cross join known
