-- Grain: one row: persons who died before time zero, out of those with an absence and a time zero.
-- Inputs: landing.absences, landing.persons. A person that occurs twice is another check's business.
with started as (
    select person_id, max(index_date) as index_date
    from landing.persons
    where index_date is not null
    group by person_id
)
select
    count(distinct absences.person_id) filter (where absences.reason = 'deceased' and absences.start_date < index_date)
        ::bigint as violations,
    count(distinct absences.person_id)::bigint as checked
from landing.absences as absences
inner join started on started.person_id = absences.person_id
