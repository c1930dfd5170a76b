-- The cohort as an analysis would have it that counts from the first day of actual participation: the immortal time
-- between time zero and start is left out, and so is whoever never started.
--
-- Grain:   one row per person of cohort.persons who is in the comparison arm or started.
-- Inputs:  temp candidates (built with time zero moved to the start), cohort.persons.
-- Binds:   $comparison, the comparison arm.
from candidates
semi join cohort.persons using (person_id)
where arm = $comparison or start_delay_days is not null
order by person_id
