-- Grain: one row: persons whose time zero lies in a year before their birth, out of those with both known.
-- Inputs: landing.persons.
select count(*) filter (where year(index_date) < birth_year)::bigint as violations, count(*)::bigint as checked
from landing.persons
where index_date is not null and birth_year is not null
