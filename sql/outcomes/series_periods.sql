-- What was counted per period, in the series itself and in its control series.
--
-- Grain:   one row per period, outcome and series.
-- Inputs:  landing.series; temp plan_periods (label, period, season, is_used); temp plan_unit_outcomes (outcome,
--          delivered_as).
-- Binds:   $start, the first period with the programme; null when the plan names none.
-- Assumes: period, outcome and series are a key (a blocking expectation).
select
    plan_periods.period,
    series.period as label,
    plan_unit_outcomes.outcome,
    coalesce(series.is_control, false) as is_control,
    series.count::double as count,
    series.population::double as population,
    coalesce(plan_periods.period >= $start::bigint, false) as after,
    plan_periods.season
from landing.series as series
join plan_periods on plan_periods.label = series.period and plan_periods.is_used
join plan_unit_outcomes on plan_unit_outcomes.delivered_as = series.outcome
order by plan_unit_outcomes.outcome, is_control, plan_periods.period
