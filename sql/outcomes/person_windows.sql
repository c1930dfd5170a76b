-- Events and time at risk per person, outcome and window.
--
-- Grain:    one row per person of the cohort, outcome and window; `person` is the number of the
--           person's row in the table of persons, of use as long as outcomes are being built.
-- Inputs:   landing.events, landing.absences; temp persons_in_view (the cohort, or the placebo's; `person` numbers its
--           rows); temp plan_outcomes (outcome, event_type); temp plan_filters (for_outcome, one list of values per
--           filter); temp plan_windows (position, period, window_days, first_day, last_day; no last day: to the end of
--           one's own follow-up).
-- Binds:    $reference_date; $waiting_days; $earliest_day, $latest_day: no window of anybody reaches outside them, in days
--           since the delivered time zero.
-- Fills in: filters: a condition on the events columns that the plan's `where` names; counts: per window the number of
--           events and the first day among `events_of_persons`, as events_<position> and first_day_<position>;
--           n_events, first_event_day: those of the row's own window.
-- Assumes:  shift_days says by how much time zero was moved back. Day d is the date index_date + d; day 1 is the first
--           at risk. An outcome waits for decisions when any event of its type was delivered with one. Absences count
--           both their ends; without end they go on; those that overlap count once; without calendar dates they cannot
--           be placed and are left out. Nobody is under observation from the day of death on. Death does not make a window incomplete.
-- Speed:    an event whose day lies in nobody's window is passed over before it meets its person; the others meet theirs
--           once, by name; from there on persons and outcomes are numbers, and all windows are counted in one pass.
with event_types_with_decisions as (
    select distinct event_type
    from landing.events
    where decided_on is not null
),

outcomes_to_count as (
    select
        plan_outcomes.rowid as outcome_number,
        outcome,
        event_type,
        event_type in (select event_type from event_types_with_decisions) as awaits_decision,
        plan_filters.* exclude (for_outcome)
    from plan_outcomes
    join plan_filters on plan_filters.for_outcome = plan_outcomes.outcome
),

deaths as (
    select person_id, min(start_date) as died_on
    from landing.absences
    where reason = 'deceased'
    group by person_id
),

-- How long one could be followed differs between outcomes that wait for decisions and those that do not.
people as (
    select
        persons.person,
        persons.person_id,
        persons.index_date,
        persons.shift_days,
        least(persons.follow_up_days, $reference_date::date - persons.index_date) as known_until_day,
        least(persons.follow_up_days, $reference_date::date - persons.index_date - $waiting_days)
            as decided_until_day,
        deaths.died_on - persons.index_date - 1 as last_day_alive
    from persons_in_view as persons
    left join deaths on deaths.person_id = persons.person_id
),

knowledge as (
    select
        people.* exclude (known_until_day, decided_until_day),
        waits.awaits_decision,
        if(waits.awaits_decision, decided_until_day, known_until_day) as known_until_day
    from people
    cross join (select distinct awaits_decision from outcomes_to_count) as waits
),

observations as (
    select
        knowledge.person,
        knowledge.person_id,
        knowledge.awaits_decision,
        knowledge.index_date,
        plan_windows.position,
        plan_windows.period,
        plan_windows.window_days,
        plan_windows.first_day,
        coalesce(knowledge.known_until_day >= coalesce(plan_windows.last_day, 1), false) as is_complete,
        case
            when knowledge.known_until_day is null then plan_windows.first_day - 1
            else greatest(
                least(plan_windows.last_day, knowledge.known_until_day, knowledge.last_day_alive),
                plan_windows.first_day - 1
            )
        end as end_day
    from knowledge
    cross join plan_windows
),

absences_in_order as (
    select
        person_id,
        start_date,
        coalesce(end_date, date '9999-12-31') as end_date,
        max(coalesce(end_date, date '9999-12-31')) over (
            partition by person_id
            order by start_date, end_date
            rows between unbounded preceding and 1 preceding
        ) as covered_until
    from landing.absences
    where start_date is not null and (end_date is null or end_date >= start_date)
),

-- What each absence adds to those that began before it, so that no day is taken away twice.
absences_without_overlap as (
    select person_id, greatest(start_date, covered_until + 1) as start_date, end_date
    from absences_in_order
    where covered_until is null or end_date > covered_until
),

days_absent as (
    select
        observations.person,
        observations.awaits_decision,
        observations.position,
        sum(
            least(absences.end_date - observations.index_date, observations.end_day)
            - greatest(absences.start_date - observations.index_date, observations.first_day)
            + 1
        ) as n_days
    from observations
    join absences_without_overlap as absences on absences.person_id = observations.person_id
    where
        absences.start_date - observations.index_date <= observations.end_day
        and absences.end_date - observations.index_date >= observations.first_day
    group by observations.person, observations.awaits_decision, observations.position
),

-- The events that anybody could know of by the reference date, on their days since time zero.
events_of_persons as (
    select
        people.person,
        outcomes_to_count.outcome_number,
        coalesce(events.event_day + people.shift_days, events.event_date - people.index_date) as event_day,
        if(outcomes_to_count.awaits_decision, events.decided_on - people.index_date - $waiting_days, null)
            as decided_in_time_for_day,
        if(outcomes_to_count.awaits_decision, people.decided_until_day, people.known_until_day) as known_until_day
    from landing.events as events
    join outcomes_to_count on outcomes_to_count.event_type = events.event_type
    join people on people.person_id = events.person_id
    where
        {filters}
        and (events.event_day is null or events.event_day between $earliest_day and $latest_day)
        and coalesce(events.event_day + people.shift_days, events.event_date - people.index_date)
        <= least(
            if(outcomes_to_count.awaits_decision, people.decided_until_day, people.known_until_day),
            people.last_day_alive
        )
        and (not outcomes_to_count.awaits_decision or events.decided_on <= $reference_date::date)
),

events_in_windows as (
    select
        person,
        outcome_number{counts}
    from events_of_persons
    where known_until_day is not null
    group by person, outcome_number
)

select
    observations.person_id,
    observations.person,
    outcomes_to_count.outcome,
    observations.period,
    observations.window_days,
    observations.is_complete,
    coalesce({n_events}, 0)::bigint as n_events,
    ({first_event_day})::bigint as first_event_day,
    (coalesce({first_event_day}, observations.end_day) - observations.first_day + 1)::bigint as days_observed,
    (observations.end_day - observations.first_day + 1)::bigint as days_calendar,
    (observations.end_day - observations.first_day + 1 - coalesce(days_absent.n_days, 0))::bigint as days_free
from observations
join outcomes_to_count on outcomes_to_count.awaits_decision = observations.awaits_decision
left join days_absent
    on days_absent.person = observations.person
    and days_absent.awaits_decision = observations.awaits_decision
    and days_absent.position = observations.position
left join events_in_windows
    on events_in_windows.person = observations.person
    and events_in_windows.outcome_number = outcomes_to_count.outcome_number
