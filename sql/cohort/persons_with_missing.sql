-- The cohort together with those who were left out only because a background characteristic is missing.
--
-- Grain:   one row per person.
-- Inputs:  temp candidates, losses; temp plan_steps (step, name).
from candidates
anti join (
    from losses
    join plan_steps using (step)
    where plan_steps.name <> 'covariates_complete'
) as lost using (person_id)
