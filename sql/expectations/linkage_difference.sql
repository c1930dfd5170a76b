-- Grain: one row: the largest difference between $arms in the share of persons found in the outcome source; empty when it
-- was not delivered.
-- Inputs: landing.persons.
with per_arm as (
    select arm, avg(linked::integer) as share
    from landing.persons
    where list_contains($arms::varchar[], arm)
    group by arm
)
select max(share) - min(share) as figure
from per_arm
