-- How many areas with the programme, and how many events in them, stand behind each starting group and period.
--
-- Grain:   one row per outcome, starting group and period.
-- Inputs:  cohort.areas, outcomes.area_periods.
-- Assumes: a period has one label.
with labels as (
    select period, any_value(label) as label
    from outcomes.area_periods
    group by period
)

select
    periods.outcome,
    coalesce(starts.label, areas.adopted::varchar) as cohort,
    periods.label as period,
    (periods.period - areas.adopted)::bigint as event_time,
    list(distinct areas.area_id) as area_ids,
    sum(periods.count)::double as n_events
from outcomes.area_periods as periods
join cohort.areas as areas on areas.area_id = periods.area_id and areas.adopted is not null
left join labels as starts on starts.period = areas.adopted
group by periods.outcome, cohort, periods.label, event_time
order by periods.outcome, cohort, event_time
