-- Grain: one row: persons and outcomes with a count in one period only, out of all persons and outcomes.
-- Inputs: landing.person_counts.
with per_person as (
    select person_id, outcome, count(distinct period) as n_periods
    from landing.person_counts
    where period in ('before', 'after') and person_id is not null and outcome is not null
    group by person_id, outcome
)
select count(*) filter (where n_periods < 2)::bigint as violations, count(*)::bigint as checked
from per_person
