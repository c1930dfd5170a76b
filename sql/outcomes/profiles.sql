-- The combinations of arm, covariates, cluster and block that occur in the cohort, numbered from 0.
--
-- Grain:    one row per combination.
-- Inputs:   cohort.persons.
-- Binds:    $arms, the arms compared.
-- Fills in: keys: the covariates, cluster and stratum that the plan names, each after a comma.
select persons.arm{keys}, row_number() over (order by persons.arm{keys}) - 1 as profile
from (select distinct persons.arm{keys} from cohort.persons as persons) as persons
where list_contains($arms::varchar[], persons.arm)
order by profile
