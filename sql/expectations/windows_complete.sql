-- Grain: one row: rows missing from the grid of every person by every outcome, period and window, out of that grid.
-- Inputs: outcomes.person_windows, cohort.persons. Assumes: no row twice (another check); persons outside the cohort are
-- another check's business.
with grid as (select distinct outcome, period, window_days from outcomes.person_windows),

wanted as (select (select count(*) from grid) * (select count(*) from cohort.persons) as n),

found as (
    select count(*) as n
    from (
        select distinct windows.person_id, windows.outcome, windows.period, windows.window_days
        from outcomes.person_windows as windows
        inner join cohort.persons as persons on persons.person_id = windows.person_id
    )
)
select greatest(wanted.n - found.n, 0)::bigint as violations, wanted.n::bigint as checked
from wanted, found
