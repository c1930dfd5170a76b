-- Grain: one row: 1 when not one area that started has periods before and after its start, out of one. Starts that cannot
-- be placed among the periods are another check's business.
-- Inputs: landing.areas, landing.area_counts. Fills in: periods and starts, the fragment over labels and over starts.
with periods as (
{periods}
),

starts as (
{starts}
),

edges as (
    select
        min(last_day) as first_end,
        max(last_day) as last_end,
        min(ordinal) filter (where kind = 'number') as first_number,
        max(ordinal) filter (where kind = 'number') as last_number
    from periods
),

judged as (
    select
        case
            when starts.kind = 'number' then starts.ordinal between edges.first_number + 1 and edges.last_number
            else starts.first_day > edges.first_end and starts.first_day <= edges.last_end
        end as is_within
    from starts
    cross join edges
)
select
    (count(is_within) > 0 and count(*) filter (where is_within) = 0)::bigint as violations,
    1::bigint as checked
from judged
