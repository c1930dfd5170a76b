-- Everyone who was delivered, with time zero and what was known of them then.
--
-- Grain:    one row per person of landing.persons.
-- Inputs:   landing.persons, landing.events; temp plan_priors (position, event_type, days).
-- Binds:    $reference_date; $shift_days, by which time zero is moved back (0, or the placebo's window); $from_start,
--           to move it to each person's own start instead.
-- Fills in: cluster, stratum, pair: a delivered column or null; prior_columns: one count per row of plan_priors;
--           named_columns: the covariates, subgroups and values that the plan names. Quoted identifiers only.
-- Assumes:  person_id is unique (a blocking expectation). A person without dated events before time zero has none.
--           Moved back, a person is followed up to the true time zero and not beyond.
with persons_and_shift as (
    select
        *,
        case when $from_start then coalesce(index_date - start_date, 0) else $shift_days end::integer as shift_days
    from landing.persons
),

persons_at_time_zero as (
    select
        * replace (
            index_date - shift_days as index_date,
            case when $shift_days > 0 then $shift_days::bigint else follow_up_days + shift_days end as follow_up_days
        )
    from persons_and_shift
),

prior_counts as (
    select events.person_id, plan_priors.position, count(*) as n_events
    from landing.events as events
    join plan_priors on plan_priors.event_type = events.event_type
    join persons_at_time_zero as persons on persons.person_id = events.person_id
    where
        coalesce(events.event_day + persons.shift_days, events.event_date - persons.index_date)
        between 1 - plan_priors.days and 0
    group by events.person_id, plan_priors.position
),

priors_side_by_side as (
    select person_id{prior_columns}
    from prior_counts
    group by person_id
)

select
    persons.person_id,
    persons.arm,
    {cluster} as cluster,
    {stratum} as stratum,
    {pair} as pair,
    persons.family_id as family,
    persons.linked,
    least(persons.follow_up_days, $reference_date::date - persons.index_date) as potential_follow_up_days,
    -- from the true time zero, also in the placebo: what is asked is whether starting took surviving
    persons.start_date - (persons.index_date + persons.shift_days) as start_delay_days,
    persons.shift_days,
    persons.index_date,
    persons.follow_up_days{named_columns}
from persons_at_time_zero as persons
left join priors_side_by_side as priors on priors.person_id = persons.person_id
