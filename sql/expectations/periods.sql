    -- Part of other statements. Grain: one label of labels: where a period, as the intake writes it, stands in time.
    -- Bare numbers have no days; ordinal counts on an endless calendar of the label's kind.
    select
        label,
        first_day,
        case kind
            when 'year' then make_date(year, 12, 31)
            when 'quarter' then last_day(make_date(year, 3 * part, 1))
            when 'month' then last_day(first_day)
            else first_day
        end as last_day,
        case kind
            when 'year' then year
            when 'quarter' then 4 * year + part - 1
            when 'month' then 12 * year + part - 1
            when 'day' then date_diff('day', date '1900-01-01', first_day)
            else try_cast(label as bigint)
        end as ordinal,
        kind
    from (
        select
            *,
            case kind
                when 'year' then make_date(year, 1, 1)
                when 'quarter' then make_date(year, 3 * part - 2, 1)
                when 'month' then make_date(year, part, 1)
                when 'day' then try_cast(label as date)
            end as first_day
        from (
            select
                label,
                try_cast(left(label, 4) as bigint) as year,
                try_cast(right(label, if(label like '%Q%', 1, 2)) as bigint) as part,
                case
                    when regexp_full_match(label, '(19|20)[0-9]{2}') then 'year'
                    when regexp_full_match(label, '[0-9]{4}-Q[1-4]') then 'quarter'
                    when regexp_full_match(label, '[0-9]{4}-(0[1-9]|1[0-2])') then 'month'
                    when regexp_full_match(label, '[0-9]{4}-[0-9]{2}-[0-9]{2}') then 'day'
                    else 'number'
                end as kind
            from ({labels}) as labels(label)
        ) as read
    ) as dated
