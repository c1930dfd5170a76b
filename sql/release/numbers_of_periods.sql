-- Periods of the programme's own series per side of the start: after it as treated, before it as comparison.
--
-- Grain:  one row per side.
-- Inputs: outcomes.series_periods; $treated, $comparison: the plan's names for the arms; $outcome, the primary one.
select
    case when after then $treated else $comparison end as arm,
    count(distinct period)::bigint as n_units,
    null::bigint as n_persons
from outcomes.series_periods
where not is_control and outcome = $outcome and count is not null
group by arm
order by arm
