-- Whether an event type was also delivered from before time zero, so that a placebo period can be counted.
--
-- Grain:   one row if so, none if not.
-- Inputs:  landing.events, landing.persons.
-- Binds:   $event_type, the one asked about; $latest_day, the day that history must reach back to (-1 or earlier).
-- Assumes: an event that has its day belongs to somebody (events of strangers are refused: a blocking expectation).
-- Speed:   reads events until the first that will do. The landing gives every event its day where both dates are known,
--          so that the second part costs nothing.
select 1
from landing.events
where event_type = $event_type and event_day <= $latest_day

union all

select 1
from landing.events as events
join landing.persons as persons on persons.person_id = events.person_id
where
    events.event_type = $event_type
    and events.event_day is null
    and events.event_date - persons.index_date <= $latest_day
limit 1
