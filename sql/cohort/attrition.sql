-- From delivered to analysed, step by step.
--
-- Grain:   one row per step and arm; arm '' holds everyone whose arm the plan does not know.
-- Inputs:  temp candidates, losses; temp plan_steps (step, name, label, reason, reason_nl); temp plan_arms (arm).
-- Assumes: losses name the first step that a person does not pass, so n_after of a step is n_before of the next.
with arms as (
    select arm from plan_arms
    union all
    select '' where exists (from losses join plan_steps using (step) where plan_steps.name = 'arm_in_plan')
),

persons_by_fate as (
    select
        coalesce(plan_arms.arm, '') as arm,
        losses.step as lost_at,
        count(*) as n_persons
    from candidates
    left join plan_arms on plan_arms.arm = candidates.arm
    left join losses on losses.person_id = candidates.person_id
    group by all
),

counted_steps as (
    select
        plan_steps.step,
        arms.arm,
        coalesce(sum(n_persons) filter (where lost_at is null or lost_at >= plan_steps.step), 0)::bigint as n_before,
        coalesce(sum(n_persons) filter (where lost_at = plan_steps.step), 0)::bigint as n_lost
    from plan_steps
    cross join arms
    left join persons_by_fate on persons_by_fate.arm = arms.arm
    group by plan_steps.step, arms.arm
)

select
    counted_steps.step,
    plan_steps.label as name,
    counted_steps.arm,
    counted_steps.n_before,
    counted_steps.n_lost,
    counted_steps.n_before - counted_steps.n_lost as n_after,
    plan_steps.reason,
    plan_steps.reason_nl
from counted_steps
join plan_steps on plan_steps.step = counted_steps.step
where counted_steps.arm <> '' or counted_steps.n_before > 0
order by counted_steps.arm, counted_steps.step
