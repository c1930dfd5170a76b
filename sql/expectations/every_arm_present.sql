-- Grain: one row: arms of $arms without a person in {table}, out of those arms.
with needed as (select unnest($arms::varchar[]) as arm)
select
    count(*) filter (where not exists (select 1 from {table} as persons where persons.arm = needed.arm))::bigint
        as violations,
    count(*)::bigint as checked
from needed
