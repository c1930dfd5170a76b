-- Grain: one row: do the dates of one column lie where birth dates lie, a childhood or more before the row's own time?
-- Inputs: {table}, {column}, {anchor} (quoted identifiers; the anchor is the row's time zero, or null); $reference_date.
-- Assumes: text columns and the macros of landing/macros.sql.
with dated as (
    select
        as_day(cleaned({column})) as day,
        coalesce(as_day(cleaned({anchor})), $reference_date::date) as anchor
    from {table}
)

select
    count(day) as n_dates,
    count(*) filter (where date_diff('day', day, anchor) between 8 * 365 and 90 * 366) as n_like_birth,
    count(distinct year(day)) as n_years
from dated
