-- Grain: one row: how many trials are short of two, out of two.
-- Inputs: landing.trials.
select greatest(2 - count(distinct trial_id), 0)::bigint as violations, 2::bigint as checked
from landing.trials
