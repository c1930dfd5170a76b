-- Events and time at risk per person, outcome and window where only counts were delivered.
--
-- Grain:   one row per person of the cohort, counted outcome and window; `person` is the number of the
--          person's row in the table of persons, of use as long as outcomes are being built.
-- Inputs:  landing.person_counts; temp persons_in_view; temp plan_counted_outcomes (outcome, counted_as);
--          temp plan_count_windows (delivered_period, period, window_days, is_any_length).
-- Assumes: several rows per person and period add up. Delivered days are net of absences. Days that were not delivered
--          are the window's, or else the person's own follow-up. Around time zero, and to the end of one's own
--          follow-up, periods may differ from person to person; any other window must be exactly as long as delivered:
--          a shorter count is an incomplete window, and a longer one cannot be cut. Nothing is known of who has no row.
with delivered as (
    select
        person_id,
        period,
        outcome,
        sum("count") as n_events,
        sum("days") as n_days
    from landing.person_counts
    group by person_id, period, outcome
),

delivered_windows as (
    select
        persons.person_id,
        persons.person,
        plan_counted_outcomes.outcome,
        plan_count_windows.period,
        plan_count_windows.window_days,
        plan_count_windows.is_any_length,
        delivered.n_events,
        coalesce(delivered.n_days, plan_count_windows.window_days, persons.potential_follow_up_days, 0) as n_days
    from persons_in_view as persons
    cross join plan_counted_outcomes
    cross join plan_count_windows
    left join delivered
        on delivered.person_id = persons.person_id
        and delivered.period = plan_count_windows.delivered_period
        and delivered.outcome = plan_counted_outcomes.counted_as
),

usable_windows as (
    select
        *,
        n_events is not null and n_days > 0 and (is_any_length or n_days <= window_days) as is_usable
    from delivered_windows
)

select
    person_id,
    person,
    outcome,
    period,
    window_days,
    is_usable and (is_any_length or n_days = window_days) as is_complete,
    if(is_usable, n_events, 0)::bigint as n_events,
    null::bigint as first_event_day,
    if(is_usable, n_days, 0)::bigint as days_observed,
    if(is_usable, n_days, 0)::bigint as days_calendar,
    if(is_usable, n_days, 0)::bigint as days_free
from usable_windows
