-- What happened to how many persons of a profile, of those who can be counted in a window.
--
-- Grain:    one row per profile, outcome, window and everything that is counted.
-- Inputs:   temp counted (alike/counted.sql).
-- Fills in: size: the name of the column with the number of persons, a quoted identifier.
select
    profile as person_id,
    outcome,
    period,
    window_days,
    is_complete,
    n_events,
    first_event_day,
    days_observed,
    days_calendar,
    days_free,
    sum(n)::bigint as {size}
from counted
where is_complete or (window_days is null and days_observed > 0)
group by all
order by all
