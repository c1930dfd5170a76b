-- How much of the events the largest area brings, and the largest two: a sum that one area makes is that area's count.
--
-- Grain:   one row per arm and outcome.
-- Inputs:  cohort.areas, outcomes.area_periods; $treated, $comparison: the plan's names for the arms.
-- Assumes: treated are areas from their start on; comparison is every other area, and treated ones before their start.
with sums as (
    select
        case when areas.adopted <= periods.period then $treated else $comparison end as arm,
        periods.outcome,
        periods.area_id,
        sum(periods.count) as n_events
    from outcomes.area_periods as periods
    join cohort.areas as areas on areas.area_id = periods.area_id
    where periods.count is not null and (areas.adopted is not null or coalesce(areas.ring, 0) = 0)
    group by all
)

select
    arm,
    outcome,
    count(*)::bigint as n_areas,
    sum(n_events)::double as n_events,
    list_slice(list_sort(list(n_events), 'desc'), 1, 2) as largest
from sums
group by arm, outcome
order by arm, outcome
