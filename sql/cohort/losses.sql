-- At which step a delivered person is lost: the first one that they do not pass.
--
-- Grain:    one row per person who is lost.
-- Inputs:   temp candidates; temp plan_arms (arm); temp plan_steps (step, name, criterion); temp plan_eligibility
--           (criterion, kind, low_number, high_number, low_date, high_date, words, numbers).
-- Binds:    $reference_date; $life_from, $life_until (null: no bound).
-- Fills in: eligibility_values: the columns of plan_eligibility as text, in its order;
--           covariate_is_missing: a condition.
-- Assumes:  bounds are inclusive. An unknown eligibility value is not eligible; an unknown date or linkage is no
--           reason to lose anyone here (expectations and completeness look after those).
with outside_the_arms as (
    select person_id, 'arm_in_plan' as name, 0 as criterion
    from candidates
    where arm is null or arm not in (select arm from plan_arms)
),

time_zero_outside_the_programme as (
    select person_id, 'time_zero_in_programme_life' as name, 0 as criterion
    from candidates
    where index_date < $life_from::date or index_date > $life_until::date
),

time_zero_in_the_future as (
    select person_id, 'time_zero_by_reference_date' as name, 0 as criterion
    from candidates
    where index_date > $reference_date::date
),

values_to_judge as (
    select person_id, {eligibility_values}::varchar[] as eligibility_values
    from candidates
),

criteria_to_judge as (
    select
        values_to_judge.person_id,
        plan_eligibility.*,
        values_to_judge.eligibility_values[plan_eligibility.criterion] as delivered,
        try_cast(delivered as double) as delivered_number,
        try_cast(delivered as date) as delivered_date
    from values_to_judge
    cross join plan_eligibility
),

not_eligible as (
    select person_id, 'eligible' as name, criterion
    from criteria_to_judge
    where not coalesce(
        case kind
            when 'number' then delivered_number between low_number and high_number
            when 'date' then delivered_date between low_date and high_date
            else list_contains(words, delivered) or list_contains(numbers, delivered_number)
        end,
        false
    )
),

not_linked as (
    select person_id, 'linked' as name, 0 as criterion
    from candidates
    where not linked
),

covariates_missing as (
    select person_id, 'covariates_complete' as name, 0 as criterion
    from candidates
    where {covariate_is_missing}
),

failures as (
    from outside_the_arms
    union all from time_zero_outside_the_programme
    union all from time_zero_in_the_future
    union all from not_eligible
    union all from not_linked
    union all from covariates_missing
)

select failures.person_id, min(plan_steps.step) as step
from failures
join plan_steps on plan_steps.name = failures.name and plan_steps.criterion = failures.criterion
group by failures.person_id
