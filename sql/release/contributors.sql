-- Who stands behind the events that effects rest on: rates count events, the smallest cell counts persons and families.
--
-- Grain:   one row per arm, outcome, period and window; `largest` holds the events of the two who bring most.
-- Inputs:  cohort.persons, outcomes.person_windows, landing.persons (families).
-- Assumes: incomplete windows are not analysed. Who brings events is a family where families were delivered, since one
--          family knows of its members; else a person.
with entities as (
    select
        persons.arm,
        windows.outcome,
        windows.period,
        windows.window_days,
        delivered.family_id,
        coalesce(delivered.family_id, '- ' || persons.person_id) as entity,
        count(distinct windows.person_id) as n_persons,
        sum(windows.n_events) as n_events
    from outcomes.person_windows as windows
    join cohort.persons as persons on persons.person_id = windows.person_id
    left join landing.persons as delivered on delivered.person_id = windows.person_id
    where windows.is_complete and windows.n_events > 0
    group by all
),

asked as (
    select distinct
        persons.arm,
        windows.outcome,
        windows.period,
        windows.window_days
    from outcomes.person_windows as windows
    join cohort.persons as persons on persons.person_id = windows.person_id
    where windows.is_complete
)

select
    asked.arm,
    asked.outcome,
    asked.period,
    asked.window_days,
    coalesce(sum(entities.n_persons), 0)::bigint as n_persons,
    case
        when (select count(family_id) from landing.persons) > 0 then count(distinct entities.entity)::bigint
    end as n_families,
    coalesce(sum(entities.n_events), 0)::double as n_events,
    list_slice(list_sort(list(entities.n_events::double) filter (where entities.n_events is not null), 'desc'), 1, 2)
        as largest
from asked
left join entities
    on entities.arm = asked.arm
    and entities.outcome = asked.outcome
    and entities.period = asked.period
    and entities.window_days is not distinct from asked.window_days
group by asked.arm, asked.outcome, asked.period, asked.window_days
order by asked.arm, asked.outcome, asked.period, asked.window_days
