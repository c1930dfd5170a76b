-- Reading delivered texts. Every macro takes one text and gives null when it cannot be read as what it is named for.
-- No inputs. Temporary: they live as long as the connection and never in the vault.

-- without spaces of any kind around it; a whole number that some program wrote as 12.0 is 12
create or replace temp macro cleaned(t) as
    case
        when suffix(trim(t, ' 	' || chr(10) || chr(13) || chr(160) || chr(65279)), '.0')
            and regexp_full_match(trim(t, ' 	' || chr(10) || chr(13) || chr(160) || chr(65279)), '-?[0-9]+\.0')
            then left(trim(t, ' 	' || chr(10) || chr(13) || chr(160) || chr(65279)), -2)
        else trim(t, ' 	' || chr(10) || chr(13) || chr(160) || chr(65279))
    end;

-- a calendar day: yyyy-mm-dd, dd-mm-yyyy (also / and .), yyyymmdd, with or without a time of day
create or replace temp macro as_day(t) as
    case
        when regexp_full_match(t, '[0-9]{4}-[0-9]{2}-[0-9]{2}') then try_cast(t as date)
        when regexp_full_match(t, '[0-9]{8}')
            then try_cast(left(t, 4) || '-' || substr(t, 5, 2) || '-' || right(t, 2) as date)
        when regexp_full_match(
            t,
            '[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}([T ]+[0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?( ?(Z|[+-][0-9]{2}(:?[0-9]{2})?))?)?'
        )
            then try_cast(
                regexp_replace(t, '^([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2}).*$', '\1-\2-\3') as date
            )
        when regexp_full_match(
            t, '[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{4}([T ]+[0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?)?'
        )
            then try_cast(
                regexp_replace(t, '^([0-9]{1,2})[-/.]([0-9]{1,2})[-/.]([0-9]{4}).*$', '\3-\2-\1') as date
            )
    end;

-- a calendar day that can be meant: typing errors give years as 0026 and 2912
create or replace temp macro plausible_day(d) as
    case when d between date '1900-01-01' and date '2100-12-31' then d end;

-- a number; with a decimal comma, dots may group thousands
create or replace temp macro as_number(t, is_decimal_comma) as
    case
        when is_decimal_comma and regexp_full_match(t, '[+-]?([0-9]+|[0-9]{1,3}(\.[0-9]{3})+)(,[0-9]+)?([eE][+-]?[0-9]+)?')
            then try_cast(replace(replace(t, '.', ''), ',', '.') as double)
        when not is_decimal_comma and regexp_full_match(t, '[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?')
            then try_cast(t as double)
    end;

create or replace temp macro as_finite(x) as
    case when isfinite(x) then x end;

create or replace temp macro as_whole(x) as
    case when x = floor(x) and abs(x) < 9007199254740992 then x::bigint end;

create or replace temp macro as_yes_no(t) as
    case
        when lower(t) in ('true', 't', '1', 'j', 'ja', 'y', 'yes', 'waar') then true
        when lower(t) in ('false', 'f', '0', 'n', 'nee', 'no', 'onwaar') then false
    end;

-- a period: an integer, yyyy, yyyy-Qn, yyyy-mm or a day, which is written in iso form
create or replace temp macro as_period(t) as
    case
        when regexp_full_match(t, '-?[0-9]{1,7}') then t
        when regexp_full_match(t, '(?i)[0-9]{4}-?Q[1-4]') then left(t, 4) || '-Q' || right(t, 1)
        when regexp_full_match(t, '[0-9]{4}-(0[1-9]|1[0-2])') then t
        else plausible_day(as_day(t))::varchar
    end;
