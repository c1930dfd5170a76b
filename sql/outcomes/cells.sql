-- Persons who are alike, added up: the sums that a model of risks or rates needs, and nobody's row.
--
-- Grain:    one row per combination of arm and the columns in `keys`.
-- Inputs:   cohort.persons, outcomes.person_windows.
-- Binds:    $arms, the arms compared; $outcome; $window_days (null: to the end of one's own follow-up).
-- Fills in: keys: the covariates, cluster and stratum that the plan names; events, days: what is added up;
--           is_counted: who can be counted. Quoted identifiers only.
-- Assumes:  a person has one row per outcome and window. Sums are of whole numbers, so their order does not matter.
select
    persons.arm{keys},
    count(*)::double as n,
    sum({events})::double as y,
    sum({days})::double as t,
    sum({events} * {events})::double as yy,
    sum({events} * {days})::double as yt,
    sum({days} * {days})::double as tt
from cohort.persons as persons
join outcomes.person_windows as windows on windows.person_id = persons.person_id
where
    windows.outcome = $outcome
    and windows.period = 'follow_up'
    and windows.window_days is not distinct from $window_days
    and list_contains($arms::varchar[], persons.arm)
    and {is_counted}
group by all
order by all
