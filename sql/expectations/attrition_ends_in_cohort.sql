-- Grain: one row: difference between the persons left after the last step that takes anybody out of the cohort and the
-- persons of the cohort, out of the latter.
-- Inputs: cohort.attrition, cohort.persons. Assumes: the step $informational stands last and takes nobody out.
with deciding as (select step, n_after from cohort.attrition where name <> $informational),

ended as (
    select coalesce(sum(n_after), 0) as n
    from deciding
    where step = (select max(step) from deciding)
)

select
    abs(n - (select count(*) from cohort.persons))::bigint as violations,
    (select count(*) from cohort.persons)::bigint as checked
from ended
