-- Grain: one row: 1 when no area ever started, plus 1 when there is none to compare with, out of two.
-- Inputs: landing.areas; $not_yet, whether areas that start later may serve as a comparison.
with starts as (
    select coalesce(adopted_on::varchar, adopted_period::varchar) as start
    from landing.areas
)
select
    (
        (count(start) = 0)::bigint
        + (count(*) filter (where start is null) = 0 and not ($not_yet::boolean and count(distinct start) > 1))::bigint
    ) as violations,
    2::bigint as checked
from starts
