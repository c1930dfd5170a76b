-- Grain: one row: areas that started in the first period of the data or earlier, out of the areas that ever started.
-- Inputs: landing.areas. Fills in: periods, the fragment over the labels of landing.area_counts; starts, the fragment
-- over the areas' starts.
-- Assumes: a start on a calendar can be compared with periods on one, and a bare number with bare numbers.
with periods as (
{periods}
),

starts as (
{starts}
),

first as (
    select min(last_day) as last_day, min(ordinal) filter (where kind = 'number') as number from periods
),

judged as (
    select
        case
            when starts.kind = 'number' then starts.ordinal <= first.number
            else starts.first_day <= first.last_day
        end as is_too_early
    from landing.areas as areas
    join starts on starts.label = coalesce(areas.adopted_on::varchar, areas.adopted_period::varchar)
    cross join first
)
select count(*) filter (where is_too_early)::bigint as violations, count(*)::bigint as checked
from judged
