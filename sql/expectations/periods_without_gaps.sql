-- Grain: one row: periods that are missing between the first and the last of a table, out of those that there should be.
-- Inputs: $excluded, labels that the plan leaves out. Fills in: periods, the fragment over its labels.
-- Assumes: the smallest step between two periods is the step of the calendar; other steps are gaps.
with periods as (
{periods}
),

steps as (
    select ordinal, ordinal - lag(ordinal) over (order by ordinal) as step
    from (select distinct ordinal from periods where ordinal is not null and not list_contains($excluded::varchar[], label))
),

counted as (
    select min(step) as smallest, max(ordinal) - min(ordinal) as reach, count(*) as n_periods
    from steps
)
select
    coalesce((select sum(ceil(step / smallest) - 1) from steps), 0)::bigint as violations,
    coalesce(ceil(reach / smallest) + 1, n_periods)::bigint as checked
from counted
