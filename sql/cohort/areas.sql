-- The areas, with the period in which the programme started there.
--
-- Grain:    one row per area of landing.areas.
-- Inputs:   landing.areas; temp plan_starts (start, period): every start that was delivered, counted on the calendar.
-- Fills in: ring, cluster: a delivered column or null; named_columns: what the plan names. Quoted identifiers only.
-- Assumes:  area_id is unique (a blocking expectation). An area without a start never takes part.
select
    areas.area_id,
    plan_starts.period as adopted,
    {ring}::bigint as ring,
    {cluster}::varchar as cluster{named_columns}
from landing.areas as areas
left join plan_starts on plan_starts.start = coalesce(areas.adopted_on::varchar, areas.adopted_period)
order by areas.area_id
