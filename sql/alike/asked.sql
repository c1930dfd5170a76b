-- The outcomes and windows that were counted, numbered: a number is cheaper to group persons by than three texts.
--
-- Grain:    one row per outcome, period and window.
-- Inputs:   the table of windows that is filled in.
-- Fills in: windows, a table of `outcomes`.
select
    row_number() over (order by outcome, period, window_days) as asked,
    outcome,
    period,
    window_days
from (select distinct outcome, period, window_days from {windows})
