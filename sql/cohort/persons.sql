-- The cohort: the candidates who passed every step.
--
-- Grain:   one row per person analysed.
-- Inputs:  temp candidates, temp losses.
from candidates
anti join losses using (person_id)
order by person_id
