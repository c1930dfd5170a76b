-- The cohort as it stood one window earlier: the same persons, described at the placebo's time zero.
--
-- Grain:   one row per person of cohort.persons.
-- Inputs:  temp candidates (built with time zero moved back), cohort.persons.
from candidates
semi join cohort.persons using (person_id)
order by person_id
