-- Grain: one row: outcomes of $outcomes without a window, out of those outcomes.
-- Inputs: outcomes.person_windows.
with needed as (select unnest($outcomes::varchar[]) as outcome)
select
    count(*) filter (
        where not exists (select 1 from outcomes.person_windows as windows where windows.outcome = needed.outcome)
    )::bigint as violations,
    count(*)::bigint as checked
from needed
