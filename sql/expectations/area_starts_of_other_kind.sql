-- Grain: one row: areas whose start cannot be placed among the periods, out of the areas with a start: a bare number, such
-- as 0 or 9999, among periods on a calendar, or a day among bare numbers.
-- Inputs: landing.areas. Fills in: periods and starts, the fragment over labels and over starts.
with periods as (
{periods}
),

starts as (
{starts}
)
select
    count(*) filter (where (starts.kind = 'number') = (select count(first_day) > 0 from periods))::bigint as violations,
    count(*)::bigint as checked
from landing.areas as areas
join starts on starts.label = coalesce(areas.adopted_on::varchar, areas.adopted_period::varchar)
