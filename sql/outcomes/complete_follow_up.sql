-- The last, informational line of the attrition table: who of the cohort has the whole primary window.
--
-- Grain:    one row per arm of the plan.
-- Inputs:   cohort.persons, cohort.attrition, outcomes.person_windows; temp plan_arms (arm).
-- Binds:    $outcome, $window_days (null: the end of one's own follow-up); $name, $reason, $reason_nl.
-- Fills in: is_complete: whether the primary outcome is known: all of its window, or that a delivered value is there.
-- Assumes:  before and after time zero count as one window: both must be complete.
with completeness as (
    select persons.arm, coalesce(bool_and({is_complete}), false) as is_complete
    from cohort.persons as persons
    left join outcomes.person_windows as windows
        on windows.person = persons.rowid
        and windows.outcome = $outcome
        and (windows.period <> 'follow_up' or windows.window_days is not distinct from $window_days)
    group by persons.rowid, persons.arm
),

last_step as (
    select max(step) as step from cohort.attrition
)

select
    last_step.step + 1 as step,
    $name as name,
    plan_arms.arm,
    count(completeness.arm) as n_before,
    count(completeness.arm) filter (where not completeness.is_complete) as n_lost,
    count(completeness.arm) filter (where completeness.is_complete) as n_after,
    $reason as reason,
    $reason_nl as reason_nl
from plan_arms
cross join last_step
left join completeness on completeness.arm = plan_arms.arm
group by last_step.step, plan_arms.arm
order by plan_arms.arm
