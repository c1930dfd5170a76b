-- Grain: one row: periods that either the series or its control series lacks, out of the periods of both, over outcomes
-- with a control series.
-- Inputs: landing.series.
with per_period as (
    select
        outcome,
        period,
        bool_or(not coalesce(is_control, false)) as is_in_series,
        bool_or(coalesce(is_control, false)) as is_in_control
    from landing.series
    where outcome is not null and period is not null
    group by outcome, period
),

with_control as (
    select *, bool_or(is_in_control) over (partition by outcome) as has_control from per_period
)
select count(*) filter (where not (is_in_series and is_in_control))::bigint as violations, count(*)::bigint as checked
from with_control
where has_control
