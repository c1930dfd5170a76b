-- The cohort as an analysis would have it that counts from the first day of actual participation: the immortal time
-- between time zero and start is left out, and so is whoever never started.
--
-- Grain:   one row per person of cohort.persons who is in the comparison arm or started.
-- Inputs:  temp candidates (built with time zero moved to the start), temp losses (of the true time zero).
-- Binds:   $comparison, the comparison arm.
from candidates
anti join losses using (person_id)
where arm = $comparison or start_delay_days is not null
