-- Grain: one column that holds anything: how many of its distinct values have the shape of which direct identifier.
-- Inputs: {table}, {columns} (quoted identifiers, text); patterns and weights of effectmeter.identifiers, bound.
-- After the column's name, order and names of the result are those of effectmeter.identifiers.ShapeCounts.
-- The cheap test stands before each pattern: most columns hold nothing of the kind.
with filled as (
    select distinct column_name, trim(value) as value
    from (unpivot {table} on {columns} into name column_name value value)
    where trim(value) <> ''
),

shaped as (
    select
        column_name,
        value,
        length(value) between 8 and 11
        and regexp_full_match(value, $bsn)
        and not regexp_full_match(value, $compact_date) as is_bsn_shaped,
        lpad(regexp_replace(value, '[ .-]', '', 'g'), 9, '0') as digits
    from filled
),

tested as (
    select
        *,
        case
            when is_bsn_shaped and digits <> '000000000' then
                list_sum([
                    weight * (ascii(substr(digits, position, 1)) - 48)
                    for weight, position in $weights
                ]) % 11 = 0
            else false
        end as passes
    from shaped
)

select
    column_name,
    count(*) as n_values,
    count(*) filter (where regexp_matches(value, '[A-Za-z]')) as n_with_letter,
    count(*) filter (where length(value) between 6 and 40 and regexp_full_match(value, $full_date)) as n_full_date,
    count(*) filter (where is_bsn_shaped) as n_bsn_shaped,
    count(*) filter (where passes) as n_bsn_passed,
    count(*) filter (where length(value) > 10 and regexp_matches(value, $bsn_labelled)) as n_bsn_labelled,
    count(*) filter (where contains(value, '@') and regexp_matches(value, $email)) as n_email,
    count(*) filter (where length(value) >= 16 and regexp_matches(value, $iban)) as n_iban,
    count(*) filter (where length(value) >= 11 and regexp_matches(value, $phone_sure)) as n_phone_sure,
    count(*) filter (where length(value) between 10 and 14 and regexp_full_match(value, $phone)) as n_phone,
    count(*) filter (where length(value) >= 6 and regexp_full_match(value, $postcode)) as n_postcode
from tested
group by column_name
