-- Event types that were also delivered from before time zero, so that a placebo period can be counted.
--
-- Grain:   one row per event type.
-- Inputs:  landing.events, landing.persons.
-- Binds:   $event_types, the ones asked about; $latest_day, the day that history must reach back to (-1 or earlier).
select distinct events.event_type
from landing.events as events
join landing.persons as persons on persons.person_id = events.person_id
where
    list_contains($event_types::varchar[], events.event_type)
    and coalesce(events.event_day, events.event_date - persons.index_date) <= $latest_day
order by events.event_type
