-- Grain: one row: rows of {table} whose {key} does not exist in {parent}, out of the rows that have one.
-- Assumes: an empty key is another check's business.
select
    count(*) filter (where not exists (select 1 from {parent} as parent where parent.{key} = child.{key}))::bigint
        as violations,
    count(*)::bigint as checked
from {table} as child
where child.{key} is not null
