-- Profiles: the combinations of what persons are that occur, with how many persons have each.
--
-- Grain:    one row per combination of the columns in `keys`.
-- Inputs:   the table of persons that is filled in.
-- Fills in: people, a table of `cohort`; keys: arm, and the cluster, block and covariates that the plan names; size: the
--           name of the column with the number of persons. Quoted identifiers only.
-- Note:     `person_id` is the profile's number. Of what differs from person to person, alike/follow_up.sql has what is
--           needed.
select
    row_number() over (order by {keys}) as person_id,
    {keys},
    count(*) as {size}
from {people}
group by {keys}
order by person_id
