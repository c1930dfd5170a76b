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

-- a yes or no that a program wrote as a truth value, where a number is asked for
create or replace temp macro as_truth(t) as
    case lower(t) when 'true' then 1.0 when 'false' then 0.0 end;

create or replace temp macro as_finite(x) as
    case when isfinite(x) then x end;

create or replace temp macro as_whole(x) as
    case when x = floor(x) and abs(x) < 9007199254740992 then x::bigint end;

create or replace temp macro as_yes_no(t) as
    case
        when lower(t) in ('true', 't', '1', 'j', 'ja', 'y', 'yes', 'waar') then true
        when lower(t) in ('false', 'f', '0', 'n', 'nee', 'no', 'onwaar') then false
    end;

-- the number of a month from its Dutch or English name, whole or its first three letters
create or replace temp macro month_number(word) as
    case
        when regexp_full_match(lower(word), 'jan(uari|uary)?') then 1
        when regexp_full_match(lower(word), 'feb(ruari|ruary)?') then 2
        when regexp_full_match(lower(word), '(mrt|maa|mar|maart|march)') then 3
        when regexp_full_match(lower(word), 'apr(il)?') then 4
        when regexp_full_match(lower(word), '(mei|may)') then 5
        when regexp_full_match(lower(word), 'jun[ie]?') then 6
        when regexp_full_match(lower(word), 'jul[iy]?') then 7
        when regexp_full_match(lower(word), 'aug(ustus|ust)?') then 8
        when regexp_full_match(lower(word), 'sept?(ember)?') then 9
        when regexp_full_match(lower(word), '(okt|oct)(ober)?') then 10
        when regexp_full_match(lower(word), 'nov(ember)?') then 11
        when regexp_full_match(lower(word), 'dec(ember)?') then 12
    end;

create or replace temp macro year_and_month(year, month) as
    case when month between 1 and 12 then year || '-' || lpad(month::varchar, 2, '0') end;

-- a period as an integer, yyyy, yyyy-Qn, yyyy-mm or a day in iso form. Read as well: StatLine's codes (2024JJ00, 2024KW01,
-- 2024MM01) and words (2024 1e kwartaal, 2024 januari), with or without the star of a provisional figure; 2024K1, Q1 2024;
-- 202401 and 01-2024. Nothing is guessed: 2023/24 is no period.
create or replace temp macro period_of(t) as
    case
        when regexp_full_match(t, '(19|20)[0-9]{2}(0[1-9]|1[0-2])') then left(t, 4) || '-' || right(t, 2)
        when regexp_full_match(t, '-?[0-9]{1,7}') then t::bigint::varchar
        when regexp_full_match(t, '[0-9]{4}-(0[1-9]|1[0-2])') then t
        when regexp_full_match(t, '(0[1-9]|1[0-2])-[0-9]{4}') then right(t, 4) || '-' || left(t, 2)
        when regexp_full_match(t, '(?i)[0-9]{4}JJ00') then left(t, 4)
        when regexp_full_match(t, '(?i)[0-9]{4}KW0[1-4]') then left(t, 4) || '-Q' || right(t, 1)
        when regexp_full_match(t, '(?i)[0-9]{4}MM(0[1-9]|1[0-2])') then left(t, 4) || '-' || right(t, 2)
        when regexp_full_match(t, '(?i)[0-9]{4}[- ]?[QK][1-4]') then left(t, 4) || '-Q' || right(t, 1)
        when regexp_full_match(t, '(?i)[QK][1-4][- ]?[0-9]{4}') then right(t, 4) || '-Q' || substr(t, 2, 1)
        when regexp_full_match(t, '(?i)[0-9]{4} +[1-4]e +kwartaal')
            then left(t, 4) || '-Q' || regexp_extract(t, ' +([1-4])e', 1)
        when regexp_full_match(t, '(?i)[1-4]e +kwartaal +[0-9]{4}') then right(t, 4) || '-Q' || left(t, 1)
        when regexp_full_match(t, '(?i)[0-9]{4}[ -]+[a-z]{3,9}')
            then year_and_month(left(t, 4), month_number(regexp_extract(t, '([A-Za-z]+)$', 1)))
        when regexp_full_match(t, '(?i)[a-z]{3,9}[ -]+[0-9]{4}')
            then year_and_month(right(t, 4), month_number(regexp_extract(t, '^([A-Za-z]+)', 1)))
        else plausible_day(as_day(t))::varchar
    end;

create or replace temp macro as_period(t) as period_of(rtrim(t, '* '));

-- what a period says, as it is written after as_period
create or replace temp macro period_kind(p) as
    case
        when regexp_full_match(p, '[0-9]{4}-Q[1-4]') then 'quarters'
        when regexp_full_match(p, '[0-9]{4}-[0-9]{2}') then 'months'
        when regexp_full_match(p, '[0-9]{4}-[0-9]{2}-[0-9]{2}') then 'days'
        when regexp_full_match(p, '(19|20)[0-9]{2}') then 'years'
        when p is not null then 'numbers'
    end;
