-- Fills event_day from the calendar: day 1 is the day after time zero. A delivered event_day stays where dates are wanting.
-- Inputs: landing.events, landing.persons. An event of an unknown person keeps its null: an expectation reports it.
update landing.events as events
set event_day = date_diff('day', time_zero.index_date, events.event_date)
from (
    select person_id, min(index_date) as index_date
    from landing.persons
    where index_date is not null
    group by person_id
) as time_zero
where events.person_id = time_zero.person_id
    and events.event_date is not null
