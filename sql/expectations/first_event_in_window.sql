-- Grain: one row: windows whose first event lies outside the window, or disagrees with the count, out of all windows.
-- Inputs: outcomes.person_windows. Assumes: in `follow_up` the window runs from day 1; other periods have their own origin.
-- Where only counts were delivered ($has_days is false) a count has no first day.
select
    count(*) filter (
        where (n_events = 0 and first_event_day is not null)
        or (
            period = 'follow_up'
            and (
                first_event_day < 1
                or first_event_day > window_days
                or ($has_days::boolean and n_events > 0 and first_event_day is null)
            )
        )
    )::bigint as violations,
    count(*)::bigint as checked
from outcomes.person_windows
