-- Grain: one row: trials with some of the four counts and not all (numbers of persons may stand beside an estimate), or an
-- estimate without its error, or the other way round; out of all rows.
-- Inputs: landing.trials.
select
    count(*) filter (
        where (n_nulls between 1 and 3 and estimate is null) or (estimate is null) <> (std_error is null)
    )::bigint as violations,
    count(*)::bigint as checked
from (
    select
        *,
        (events_treated is null)::int + (n_treated is null)::int + (events_comparison is null)::int
        + (n_comparison is null)::int as n_nulls
    from landing.trials
) as trials
