-- Who stands behind each question, as a fingerprint: two groups of one size are the same people when it is the same.
--
-- Grain:    one row per arm, question and part; outcome and window null: the whole cohort; part null: everyone.
-- Inputs:   cohort.persons, outcomes.person_windows.
-- Fills in: parts: the cohort's subgroup columns, each as the rows of the effects table name its values.
-- Assumes:  the last sixteen digits of a pseudonym are a keyed hash of the person, the same in every quarter; a
--           fingerprint tells nobody without the key who is in it. Incomplete windows are not analysed.
with members as (
    select
        arm,
        null::varchar as outcome,
        null::bigint as window_days,
        person_id
    from cohort.persons
    union
    select
        persons.arm,
        windows.outcome,
        windows.window_days,
        windows.person_id
    from outcomes.person_windows as windows
    join cohort.persons as persons on persons.person_id = windows.person_id
    where windows.is_complete
),

parts as (
    select person_id, null::varchar as part
    from cohort.persons{parts}
)

select
    members.arm,
    members.outcome,
    members.window_days,
    parts.part,
    sha256(string_agg(right(members.person_id, 16), '' order by right(members.person_id, 16))) as fingerprint
from members
join parts on parts.person_id = members.person_id
group by members.arm, members.outcome, members.window_days, parts.part
order by members.arm, members.outcome nulls first, members.window_days nulls first, parts.part nulls first
