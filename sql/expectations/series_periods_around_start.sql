-- Grain: one row: 1 when the series of an outcome has no period before the start, plus 1 when it has none after it, out of two.
-- Inputs: outcomes.series_periods; $outcome, the primary one.
select
    (
        (count(*) filter (where not after and not is_control and "count" is not null) = 0)::bigint
        + (count(*) filter (where after and not is_control and "count" is not null) = 0)::bigint
    ) as violations,
    2::bigint as checked
from outcomes.series_periods
where outcome = $outcome
