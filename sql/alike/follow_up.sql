-- Everybody's follow-up and first events per arm: what the gates on follow-up and on time zero read.
--
-- Grain:    one row per arm, outcome, window and combination of what follows.
-- Inputs:   temp counted (alike/counted.sql), asked (alike/asked.sql); the table of profiles that is filled in.
-- Fills in: profiles, a table; size: the name of the column with the number of persons. Quoted identifiers only.
select
    profiles.arm,
    counted.potential_follow_up_days,
    counted.start_delay_days,
    asked.outcome,
    asked.period,
    asked.window_days,
    counted.is_complete,
    (counted.n_events > 0)::bigint as n_events,
    counted.first_event_day,
    case when counted.days_observed > 1 then 1 else counted.days_observed end as days_observed,
    sum(counted.n)::bigint as {size}
from counted
join asked on asked.asked = counted.asked
join {profiles} as profiles on profiles.person_id = counted.profile
group by all
order by all
