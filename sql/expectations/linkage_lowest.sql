-- Grain: one row: the lowest share of persons found in the outcome source over $arms; empty when it was not delivered.
-- Inputs: landing.persons.
with per_arm as (
    select arm, avg(linked::integer) as share
    from landing.persons
    where list_contains($arms::varchar[], arm)
    group by arm
)
select min(share) as figure
from per_arm
