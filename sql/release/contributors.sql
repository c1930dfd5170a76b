-- The distinct persons behind the events that effects rest on: rates count events, the smallest cell counts persons.
--
-- Grain:   one row per arm, outcome, period and window.
-- Inputs:  cohort.persons, outcomes.person_windows.
-- Assumes: incomplete windows are not analysed.
select
    persons.arm,
    windows.outcome,
    windows.period,
    windows.window_days,
    (count(distinct windows.person_id) filter (where windows.n_events > 0))::bigint as n_persons
from outcomes.person_windows as windows
join cohort.persons as persons on persons.person_id = windows.person_id
where windows.is_complete
group by all
order by all
