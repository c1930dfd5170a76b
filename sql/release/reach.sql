-- Grain: one number. Distinct persons delivered in the treated arms, before any eligibility.
-- Inputs: landing.persons; $treated, the plan's treated arms.
select count(distinct person_id)::bigint as n_reached
from landing.persons
where list_contains($treated, arm)
