-- Grain: one row: areas without a count or value in a period in which their outcome was delivered for another, out of all that there
-- should be.
-- Inputs: landing.areas, landing.area_counts.
with expected as (
    select areas.area_id, periods.outcome, periods.period
    from (select distinct area_id from landing.areas where area_id is not null) as areas
    cross join (
        select distinct outcome, period from landing.area_counts where outcome is not null and period is not null
    ) as periods
),

delivered as (
    select distinct area_id, outcome, period from landing.area_counts where coalesce(count, value) is not null
)
select count(*) filter (where delivered.area_id is null)::bigint as violations, count(*)::bigint as checked
from expected
left join delivered using (area_id, outcome, period)
