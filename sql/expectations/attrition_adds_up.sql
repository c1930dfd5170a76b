-- Grain: one row: lines of the attrition table that do not add up (before - lost = after) or do not start where the same
-- arm's line before ended, and steps that do not start where the step before ended over all arms; out of all lines.
-- Inputs: cohort.attrition. Steps whose arm is not known yet have arm ''.
with lines as (
    select
        step,
        n_before,
        n_after,
        n_before - n_lost = n_after as adds_up,
        lag(n_after) over (partition by arm order by step) as ended_at
    from cohort.attrition
),

steps as (
    select step, sum(n_before) as n_before, sum(n_after) as n_after
    from cohort.attrition
    group by step
),

chained_steps as (
    select n_before, lag(n_after) over (order by step) as ended_at
    from steps
)

select
    (
        (select count(*) from lines where not adds_up or n_before <> ended_at)
        + (select count(*) from chained_steps where n_before <> ended_at)
    )::bigint as violations,
    (select count(*) from lines)::bigint as checked
