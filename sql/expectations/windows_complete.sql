-- Grain: one row: rows missing from the grid of every person by every outcome, period and window, out of that grid.
-- Inputs: outcomes.person_windows, cohort.persons. Assumes: rows twice, persons outside the cohort and empty keys are other
-- checks' business.
with filled as (
    select person_id, outcome, period, window_days
    from outcomes.person_windows
    where outcome is not null and period is not null
),

grid as (select distinct outcome, period, window_days from filled),

wanted as (select (select count(*) from grid) * (select count(distinct person_id) from cohort.persons) as n),

found as (
    select count(*) as n
    from (
        select distinct windows.person_id, windows.outcome, windows.period, windows.window_days
        from filled as windows
        semi join cohort.persons as persons on persons.person_id = windows.person_id
    )
)
select greatest(wanted.n - found.n, 0)::bigint as violations, wanted.n::bigint as checked
from wanted, found
