-- Areas per arm: those where the programme started, and those to compare them with.
--
-- Grain:   one row per arm.
-- Inputs:  cohort.areas; $treated, $comparison: the plan's names for the arms.
-- Assumes: areas in a ring around treated ones (ring 1 and further) are neither.
select
    case when adopted is not null then $treated else $comparison end as arm,
    count(*)::bigint as n_units,
    null::bigint as n_persons
from cohort.areas
where adopted is not null or coalesce(ring, 0) = 0
group by arm
order by arm
