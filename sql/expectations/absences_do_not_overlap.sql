-- Grain: one row: absences that start before the last day of an earlier one of the same person, out of all.
-- Inputs: landing.absences. Assumes: an open end lasts for ever. A transfer leaves one day that ends one spell and begins
-- the next: that is no overlap, and time at risk counts the day once. A spell that ends before it starts covers no day
-- and is another check's business.
with spells as (
    select person_id, start_date, coalesce(end_date, 'infinity'::date) as last_day
    from landing.absences
    where start_date is not null and (end_date is null or end_date >= start_date)
),

with_earlier as (
    select
        start_date,
        max(last_day) over (
            partition by person_id
            order by start_date, last_day
            rows between unbounded preceding and 1 preceding
        ) as earlier_last_day
    from spells
)
select count(*) filter (where start_date < earlier_last_day)::bigint as violations, count(*)::bigint as checked
from with_earlier
