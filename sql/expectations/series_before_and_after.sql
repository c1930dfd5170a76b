-- Grain: one row: outcomes of the plan without a period before the start or without one from the start on, out of those
-- that were delivered.
-- Inputs: landing.series; $words, all that the plan's outcomes go by. Fills in: periods, the fragment over its labels;
-- start, the fragment over the plan's start.
-- Assumes: a start that lies within a period begins that period, and one between two periods the later one.
with periods as (
{periods}
),

start as (
{start}
),

judged as (
    select
        series.outcome,
        case
            when start.kind = 'number' then periods.ordinal >= start.ordinal
            else periods.last_day >= start.first_day
        end as is_after
    from landing.series as series
    join periods on periods.label = series.period
    left join start on true
    where not coalesce(series.is_control, false) and list_contains($words::varchar[], series.outcome)
),

per_outcome as (
    select outcome, count(*) filter (where is_after) > 0 and count(*) filter (where not is_after) > 0 as has_both
    from judged
    group by outcome
)
select count(*) filter (where not has_both)::bigint as violations, count(*)::bigint as checked
from per_outcome
