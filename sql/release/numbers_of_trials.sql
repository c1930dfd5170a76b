-- Trials, and the persons in them per arm; persons are unknown where one trial does not tell.
--
-- Grain:  one row per arm.
-- Inputs: outcomes.trials; $treated, $comparison: the plan's names for the arms.
select
    arm,
    count(*)::bigint as n_units,
    case when count(persons) = count(*) then sum(persons)::bigint end as n_persons
from (
    select $treated as arm, n_treated as persons from outcomes.trials
    union all
    select $comparison, n_comparison from outcomes.trials
)
group by arm
order by arm
