-- Grain: one row: persons that occur in more than one arm, out of all persons.
-- Inputs: landing.persons.
with per_person as (
    select person_id, count(distinct arm) as n_arms
    from landing.persons
    where person_id is not null
    group by person_id
)
select count(*) filter (where n_arms > 1)::bigint as violations, count(*)::bigint as checked
from per_person
