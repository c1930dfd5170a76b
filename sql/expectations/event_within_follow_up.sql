-- Grain: one row: events on a day after the person's follow-up, out of those where both are known.
-- Inputs: landing.events, landing.persons. A person that occurs twice is another check's business.
with followed as (
    select person_id, max(follow_up_days) as follow_up_days
    from landing.persons
    where follow_up_days is not null
    group by person_id
)
select
    count(*) filter (where events.event_day > followed.follow_up_days)::bigint as violations,
    count(*)::bigint as checked
from landing.events as events
inner join followed on followed.person_id = events.person_id
where events.event_day is not null
