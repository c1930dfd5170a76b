-- Persons who are alike, also in the day and in how it ended, counted: what a model of hazards needs, and nobody's row.
--
-- Grain:    one row per profile, last day at risk and how it ended.
-- Inputs:   cohort.persons, outcomes.person_windows.
-- Binds:    $arms; $outcome; $window_days (null: to the end of one's own follow-up).
-- Fills in: profiles: the statement of that name; same: equality of a person's keys with a profile's; is_counted: who can
--           be counted. Quoted identifiers only.
-- Speed:    a profile is a number from the first join on, so that neither grouping nor what comes out carries texts.
with profiles as materialized (
{profiles}
)

select
    profiles.profile,
    windows.days_observed as day,
    windows.n_events > 0 as ended,
    count(*) as n
from cohort.persons as persons
join profiles on {same}
join outcomes.person_windows as windows on windows.person_id = persons.person_id
where
    windows.outcome = $outcome
    and windows.period = 'follow_up'
    and windows.window_days is not distinct from $window_days
    and {is_counted}
group by all
order by all
