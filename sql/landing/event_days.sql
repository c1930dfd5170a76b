-- Grain: one typed event, kept or rejected, with event_day from the calendar where both dates are there: day 1 is the day
-- after time zero. A delivered event_day stays where they are not.
-- Inputs: typed_events, typed_persons (temporary). An event of an unknown person keeps its null: an expectation reports it.
create or replace temp view dated_events as
with time_zero as (
    select person_id, min(index_date) as index_date
    from typed_persons
    where reject_reason is null and index_date is not null
    group by person_id
)

select
    events.* replace (
        coalesce(date_diff('day', time_zero.index_date, events.event_date), events.event_day) as event_day
    )
from typed_events as events
left join time_zero on time_zero.person_id = events.person_id
