-- Persons and families delivered per arm: how many people the report is about, before anybody is lost.
--
-- Grain:   one row per arm.
-- Inputs:  landing.persons.
select
    arm,
    count(distinct person_id)::bigint as n_persons,
    nullif(count(distinct family_id), 0)::bigint as n_families
from landing.persons
group by arm
order by arm
