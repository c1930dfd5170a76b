-- Grain: one row: events of one outcome per person-year over all delivered periods; empty without days.
-- Inputs: landing.person_counts.
select (sum("count") / nullif(sum(days) / 365.25, 0))::double as figure
from landing.person_counts
where list_contains($outcomes::varchar[], outcome)
