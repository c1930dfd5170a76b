-- What happened to how many persons of a profile, of those who can be counted in a window.
--
-- Grain:    one row per profile, outcome, window and everything that is counted; in that order.
-- Inputs:   temp counted (alike/counted.sql), asked (alike/asked.sql).
-- Fills in: size: the name of the column with the number of persons, a quoted identifier.
with summed as (
    select
        counted.profile,
        counted.asked,
        counted.is_complete,
        counted.n_events,
        counted.first_event_day,
        counted.days_observed,
        counted.days_calendar,
        counted.days_free,
        sum(counted.n)::bigint as {size}
    from counted
    join asked on asked.asked = counted.asked
    where counted.is_complete or (asked.window_days is null and counted.days_observed > 0)
    group by all
)

select
    summed.profile as person_id,
    asked.outcome,
    asked.period,
    asked.window_days,
    summed.* exclude (profile, asked)
from summed
join asked on asked.asked = summed.asked
order by
    summed.profile,
    summed.asked,
    summed.is_complete,
    summed.n_events,
    summed.first_event_day,
    summed.days_observed,
    summed.days_calendar,
    summed.days_free
