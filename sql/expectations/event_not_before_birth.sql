-- Grain: one row: dated events in a year before the person's birth, out of those where both are known.
-- Inputs: landing.events, landing.persons. A person that occurs twice is another check's business.
with born as (
    select person_id, max(birth_year) as birth_year
    from landing.persons
    where birth_year is not null
    group by person_id
)
select
    count(*) filter (where year(events.event_date) < born.birth_year)::bigint as violations,
    count(*)::bigint as checked
from landing.events as events
inner join born on born.person_id = events.person_id
where events.event_date is not null
