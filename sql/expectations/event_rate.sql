-- Grain: one row: events of one outcome per person-year of follow-up (days 1 to the end of it); empty without follow-up.
-- Inputs: landing.events, landing.persons. Calendar time: absences are not taken off, so that a change in how absences
-- are delivered does not look like a change in events.
with followed as (
    select
        person_id,
        min(index_date) as index_date,
        greatest(min(least(follow_up_days, $reference_date::date - index_date)), 0) as days
    from landing.persons
    where person_id is not null
    group by person_id
),

placed as (
    select followed.days, coalesce(events.event_day, events.event_date - followed.index_date) as event_day
    from landing.events as events
    inner join followed on followed.person_id = events.person_id
    where events.event_type = $event_type{condition}
)
select
    (select count(*) from placed where event_day between 1 and days)
    / nullif((select sum(days) from followed) / 365.25, 0) as figure
