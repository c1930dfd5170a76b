-- Grain: one row: 1 when not one area has periods of an outcome both before and after its start, plus 1 when no area has a
-- period without the programme to compare with, out of two.
-- Inputs: cohort.areas, outcomes.area_periods; $outcome, the primary one.
with used as (
    select areas.area_id, areas.adopted, area_periods.period
    from cohort.areas as areas
    join outcomes.area_periods as area_periods on area_periods.area_id = areas.area_id
    where area_periods.outcome = $outcome
),

per_area as (
    select
        adopted,
        coalesce(bool_or(period < adopted), false) and coalesce(bool_or(period >= adopted), false) as is_around,
        max(period) as last_period
    from used
    group by area_id, adopted
)
select
    (
        (count(*) filter (where is_around) = 0)::bigint
        + (
            count(*) filter (
                where adopted is null or adopted > (select min(adopted) from per_area where is_around)
            ) = 0
        )::bigint
    ) as violations,
    2::bigint as checked
from per_area
