-- Grain: one row: how the numbers of one column write their decimals.
-- Inputs: {table}, {column} (quoted identifiers). Assumes the macros of landing/macros.sql.
with numbers as (
    select cleaned({column}) as value from {table}
)

select
    count(*) filter (where regexp_full_match(value, '[+-]?([0-9]+|[0-9]{1,3}(\.[0-9]{3})+),[0-9]+')) as n_comma,
    count(*) filter (where regexp_full_match(value, '[+-]?[1-9][0-9]{0,2},[0-9]{3}')) as n_comma_maybe_thousands,
    count(*) filter (where regexp_full_match(value, '[+-]?[0-9]*\.[0-9]+')) as n_dot,
    count(*) filter (where regexp_full_match(value, '[+-]?[1-9][0-9]{0,2}\.[0-9]{3}')) as n_dot_maybe_thousands
from numbers
