-- What happened to how many persons of a profile, also of those who cannot be counted in a window.
--
-- Grain:    one row per profile, outcome, window, everything that is counted, and how long one could be followed.
-- Inputs:   the tables of persons, profiles and windows that are filled in; temp asked (alike/asked.sql).
-- Fills in: people, profiles, windows: tables; same: when a person has a profile. Quoted identifiers only.
-- Assumes:  a person has one row per outcome and window; `person` is the number of a row of `people`, which has not changed.
-- Speed:    persons meet their windows, and are grouped, by numbers only; by names and texts it takes twice as long.
-- Note:     potential follow-up and a late start that lie beyond the window's end are cut off there: nothing asks how far.
select
    profiles.person_id as profile,
    asked.asked,
    windows.is_complete,
    windows.n_events,
    windows.first_event_day,
    windows.days_observed,
    windows.days_calendar,
    windows.days_free,
    case
        when persons.potential_follow_up_days > windows.window_days then windows.window_days
        else persons.potential_follow_up_days
    end as potential_follow_up_days,
    case
        when persons.start_delay_days > windows.window_days then windows.window_days
        else persons.start_delay_days
    end as start_delay_days,
    count(*) as n
from {people} as persons
join {profiles} as profiles on {same}
join {windows} as windows on windows.person = persons.rowid
join asked
    on asked.outcome = windows.outcome
    and asked.period = windows.period
    and asked.window_days is not distinct from windows.window_days
group by all
