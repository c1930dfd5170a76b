-- The cohort as it stood one window earlier: the same persons, described at the placebo's time zero.
--
-- Grain:   one row per person of cohort.persons.
-- Inputs:  temp candidates (built with time zero moved back), temp losses (of the true time zero).
from candidates
anti join losses using (person_id)
