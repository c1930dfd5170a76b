-- The cohort: the candidates who passed every step.
--
-- Grain:   one row per person analysed.
-- Inputs:  temp candidates, temp losses.
-- Note:    in the order of the delivery. Sorting millions takes as long as all else here, and who reads sorts anyway.
from candidates
anti join losses using (person_id)
