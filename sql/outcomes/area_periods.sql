-- What was counted or measured per area and period.
--
-- Grain:   one row per area, period and outcome that the plan asks for.
-- Inputs:  landing.area_counts; temp plan_periods (label, period, season, is_used); temp plan_unit_outcomes
--          (outcome, delivered_as).
-- Note:    an area and period without count or value is a gap, as if it had not been delivered.
-- Assumes: area, period and outcome are a key (a blocking expectation). Periods that the plan excludes, or that are not
--          over at the reference date, are not used.
select
    counts.area_id,
    plan_periods.period,
    counts.period as label,
    plan_unit_outcomes.outcome,
    counts.count::double as count,
    counts.value::double as value,
    counts.population::double as population
from landing.area_counts as counts
join plan_periods on plan_periods.label = counts.period and plan_periods.is_used
join plan_unit_outcomes on plan_unit_outcomes.delivered_as = counts.outcome
where coalesce(counts.count, counts.value) is not null
order by counts.area_id, plan_unit_outcomes.outcome, plan_periods.period
