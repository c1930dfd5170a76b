"""Small vaults for the tests of expectations: one that satisfies every check, and per check the defect that breaks it.

Every statement here plants exactly one fault. What else must fail with it, since it cannot be planted alone, is named.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from effectmeter.plan import Plan
from effectmeter.quarters import Quarter

QUARTER = Quarter.parse("2026-Q3")

EVENTS_PLAN = Plan.model_validate(
    {
        "programme": "proef",
        "title": "Proef",
        "design": "comparison_cohort",
        "programme_life": {"from": "2019-01-01"},
        "source": {
            "persons": {"file": "p.csv", "columns": {"sex": {"column": "s", "values": {"man": "m", "vrouw": "f"}}}},
            "events": "e.csv",
            "absences": "a.csv",
        },
        "adjust_for": {"age_at_index": "numeric", "sex": "categorical", "prior_police_contact_24m": "numeric"},
        "outcomes": {
            "police_contact": {},
            "serious": {"event": "conviction", "where": {"severity": ["serious"]}},
        },
        "negative_controls": ["victim_registration"],
        "subgroups": ["sex"],
        "cluster": "site_id",
        "strata": "block_id",
        "expectations": {"event_rate_per_year": {"police_contact": [0.1, 1.2]}},
    }
)
COUNTS_PLAN = Plan.model_validate(
    {
        "programme": "gezinnen",
        "title": "Gezinnen",
        "design": "before_after",
        "source": {"persons": "p.csv", "person_counts": "c.csv"},
        "outcomes": {"contact": {}},
        "expectations": {"event_rate_per_year": {"contact": [0.1, 3.0]}},
    }
)

_LANDING = """
create schema landing;
create table landing.adjustments (table_name varchar, n_read bigint, n_rejected bigint);
create table landing.persons as
select
    'p' || lpad(i::varchar, 2, '0') as person_id,
    if(i % 2 = 0, 'treated', 'comparison') as arm,
    date '2024-01-10' + i::integer as index_date,
    date '2024-02-10' + i::integer as start_date,
    date '2024-08-10' + i::integer as exit_date,
    365::bigint as follow_up_days,
    true as linked,
    's' || (i % 5) as site_id,
    null::varchar as family_id,
    'b' || (i % 3) as block_id,
    null::varchar as pair_id,
    (2000 + i % 5)::integer as birth_year,
    if(i % 4 < 2, 'm', 'f') as sex
from range(1, 41) as numbers(i);
"""
# Persons 39 and 40 have no events and no absences, so that a fault of theirs stays theirs.
_EVENTS = """
create table landing.events as
select
    persons.person_id,
    kinds.event_type,
    persons.index_date + kinds.event_day::integer as event_date,
    kinds.event_day::bigint as event_day,
    if(kinds.event_type = 'conviction', persons.index_date + kinds.event_day::integer + 60, null) as decided_on,
    if(kinds.event_type = 'conviction', 'serious', null) as severity
from landing.persons as persons
cross join (values ('police_contact', 30), ('conviction', 90), ('victim_registration', 100))
    as kinds(event_type, event_day)
where person_id not in ('p39', 'p40');
create table landing.absences as
select
    person_id, index_date + 40 as start_date, (index_date + 50)::date as end_date, 'detention' as reason
from landing.persons
where person_id between 'p10' and 'p20';
create table landing.rejects (table_name varchar, reason varchar);
create view landing.files as
with kept as (
    select 'persons' as table_name, count(*) as n from landing.persons
    union all select 'events', count(*) from landing.events
    union all select 'absences', count(*) from landing.absences
)
select
    table_name, table_name || '.csv' as file, '' as sha256, 1 as n_bytes,
    n + coalesce(n_read, 0) as n_rows_read, n as n_rows_kept, coalesce(n_rejected, 0) as n_rejected,
    n as n_rows_stored
from kept left join landing.adjustments using (table_name);
"""
_COUNTS = """
create table landing.person_counts as
select person_id, period, 'contact' as outcome, 1::bigint as "count", 365::bigint as days
from landing.persons cross join (values ('before'), ('after')) as periods(period);
create table landing.rejects (table_name varchar, reason varchar);
create view landing.files as
with kept as (
    select 'persons' as table_name, count(*) as n from landing.persons
    union all select 'person_counts', count(*) from landing.person_counts
)
select
    table_name, table_name || '.csv' as file, '' as sha256, 1 as n_bytes,
    n + coalesce(n_read, 0) as n_rows_read, n as n_rows_kept, coalesce(n_rejected, 0) as n_rejected,
    n as n_rows_stored
from kept left join landing.adjustments using (table_name);
"""
_ANALYSIS = """
create schema cohort;
create schema outcomes;
create table cohort.persons as
select
    person_id, arm, site_id as "cluster", 365::bigint as potential_follow_up_days,
    24.0::double as age_at_index, sex, 1.0::double as prior_police_contact_24m
from landing.persons;
create table cohort.attrition as
select step, name, arm, n_before, n_lost, n_after
from (values
    (1, 'delivered', 'treated', 20, 0, 20), (1, 'delivered', 'comparison', 25, 0, 25),
    (2, 'eligible', 'treated', 20, 0, 20), (2, 'eligible', 'comparison', 25, 5, 20),
    (3, 'complete_follow_up', 'treated', 20, 3, 17), (3, 'complete_follow_up', 'comparison', 20, 0, 20)
) as steps(step, name, arm, n_before, n_lost, n_after);
create table outcomes.person_windows as
select
    person_id, outcome, 'follow_up' as period, window_days::bigint as window_days, true as is_complete,
    if(person_id < 'p20', 1, 0)::bigint as n_events, if(person_id < 'p20', 30, null)::bigint as first_event_day,
    window_days::bigint as days_observed, window_days::bigint as days_calendar, (window_days - 5)::bigint as days_free
from cohort.persons
cross join (values ('police_contact'), ('serious'), ('victim_registration')) as outcomes(outcome)
cross join (values (182), (365)) as windows(window_days);
"""


def make_vault(kind: str, path: Path | str = ":memory:") -> duckdb.DuckDBPyConnection:
    """Return a vault that satisfies every check: ``events`` (with analysis tables) or ``counts``."""
    connection = duckdb.connect(str(path))
    connection.execute(_LANDING + (_EVENTS + _ANALYSIS if kind == "events" else _COUNTS))
    return connection


@dataclass(frozen=True)
class Defect:
    """A fault: the statements that plant it, what else it breaks, and whether it must be planted alone."""

    plant: str
    also: frozenset[str] = field(default_factory=frozenset)
    is_alone: bool = False


def _set(table: str, assignment: str, person: str) -> Defect:
    return Defect(f"update {table} set {assignment} where person_id = '{person}'")


def _row(table: str, replacement: str, where: str) -> Defect:
    return Defect(f"insert into {table} select * replace ({replacement}) from {table} where {where} limit 1")


def _adjust(table: str, n_read: int, n_rejected: int) -> Defect:
    return Defect(f"insert into landing.adjustments values ('{table}', {n_read}, {n_rejected})")


_MAIL = "'iemand@voorbeeld.nl'"
_P, _E, _A, _C = "landing.persons", "landing.events", "landing.absences", "landing.person_counts"

LANDING_DEFECTS: dict[str, Defect] = {
    "persons_rows_reconciled": _adjust("persons", 1, 0),
    "persons_rejected_share": _adjust("persons", 5, 5),
    "persons_person_id_complete": _row(_P, "null as person_id", "person_id = 'p01'"),
    "persons_arm_complete": _set(_P, "arm = null", "p05"),
    "persons_person_unique": _row(_P, "'b0' as block_id", "person_id = 'p03'"),
    "persons_one_arm_each": _row(_P, "'treated' as arm", "person_id = 'p07'"),
    "persons_arm_in_value_set": _set(_P, "arm = 'elsewhere'", "p09"),
    "persons_every_arm_present": Defect(f"update {_P} set arm = 'comparison'", is_alone=True),
    "persons_index_date_or_follow_up_days": _set(_P, "index_date = null, follow_up_days = null", "p11"),
    "persons_time_zero_in_programme_life": _set(_P, "index_date = '2018-12-31'", "p13"),
    "persons_time_zero_not_after_reference_date": _set(_P, "index_date = '2026-10-01'", "p15"),
    "persons_time_zero_not_before_birth": _set(_P, "birth_year = 2025", "p40"),
    "persons_follow_up_not_negative": _set(_P, "follow_up_days = -1", "p39"),
    "persons_participation_in_order": _set(_P, "exit_date = start_date - 1", "p17"),
    "persons_sex_in_value_set": _set(_P, "sex = 'x'", "p19"),
    "persons_sex_missing_share": Defect(f"update {_P} set sex = null where person_id < 'p10'"),
    "persons_birth_year_missing_share": Defect(f"update {_P} set birth_year = null where person_id < 'p10'"),
    "persons_site_id_complete": _set(_P, "site_id = null", "p21"),
    "persons_block_id_complete": _set(_P, "block_id = null", "p23"),
    "persons_linkage_per_arm": Defect(f"update {_P} set linked = false where person_id < 'p07'"),
    "persons_linkage_alike_between_arms": Defect(f"update {_P} set linked = false where person_id in ('p20', 'p22')"),
    "persons_person_id_no_direct_identifiers": _set(_P, "person_id = 'ander@voorbeeld.nl'", "p40"),
    "persons_site_id_no_direct_identifiers": _set(_P, f"site_id = {_MAIL}", "p25"),
    "persons_family_id_no_direct_identifiers": _set(_P, "family_id = '+31 6 12345678'", "p25"),
    "persons_block_id_no_direct_identifiers": _set(_P, "block_id = 'NL91 ABNA 0417 1643 00'", "p25"),
    "persons_pair_id_no_direct_identifiers": _set(_P, "pair_id = '111222333'", "p25"),
    # Without breaking the value set: the plan maps two values, both without a person's postcode in them.
    "persons_sex_no_direct_identifiers": Defect(
        f"update {_P} set sex = '9711 AB'", frozenset({"persons_sex_in_value_set"}), is_alone=True
    ),
    "events_rows_reconciled": _adjust("events", 1, 0),
    "events_rejected_share": _adjust("events", 5, 5),
    "events_person_id_complete": _row(_E, "null as person_id", "person_id = 'p01'"),
    "events_event_type_complete": _row(_E, "null as event_type", "person_id = 'p02'"),
    "events_event_date_or_event_day": _row(_E, "null as event_date, null as event_day", "person_id = 'p03'"),
    "events_person_id_exists": _row(_E, "'p99' as person_id", "person_id = 'p04'"),
    "events_not_after_reference_date": _row(_E, "date '2026-10-01' as event_date", "person_id = 'p05'"),
    "events_not_before_birth": _row(_E, "date '1999-12-31' as event_date", "person_id = 'p06'"),
    "events_decided_not_before_event": _row(
        _E, "event_date - 1 as decided_on", "event_type = 'conviction' and person_id = 'p07'"
    ),
    "events_within_follow_up": _row(_E, "366 as event_day", "person_id = 'p08'"),
    "events_not_duplicated": _row(_E, "person_id as person_id", "person_id = 'p09'"),
    "events_not_delivered_twice": Defect(
        f"insert into {_E} select * from {_E}",
        frozenset(
            {
                "events_not_duplicated",
                "rate_police_contact_within_bounds",
                "rate_police_contact_not_drifting",
                "rate_serious_not_drifting",
                "rate_victim_registration_not_drifting",
            }
        ),
        is_alone=True,
    ),
    "events_person_id_no_direct_identifiers": Defect(
        f"insert into {_E} select * replace ({_MAIL} as person_id) from {_E} where person_id = 'p10' limit 1",
        frozenset({"events_person_id_exists"}),
    ),
    "events_event_type_no_direct_identifiers": _row(_E, f"{_MAIL} as event_type", "person_id = 'p11'"),
    "events_severity_no_direct_identifiers": _row(_E, f"{_MAIL} as severity", "person_id = 'p12'"),
    "absences_rows_reconciled": _adjust("absences", 1, 0),
    "absences_rejected_share": _adjust("absences", 5, 5),
    "absences_person_id_complete": _row(_A, "null as person_id", "person_id = 'p10'"),
    "absences_start_date_complete": _row(_A, "null as start_date", "person_id = 'p10'"),
    "absences_reason_complete": _set(_A, "reason = null", "p11"),
    "absences_reason_in_value_set": _set(_A, "reason = 'holiday'", "p12"),
    "absences_person_id_exists": _row(_A, "'p99' as person_id", "person_id = 'p10'"),
    "absences_end_after_start": _set(_A, "end_date = start_date - 1", "p13"),
    "absences_do_not_overlap": _row(_A, "end_date - 1 as start_date, null as end_date", "person_id = 'p14'"),
    "absences_alive_at_time_zero": _set(_A, "reason = 'deceased', start_date = date '1999-12-31'", "p14"),
    "absences_person_id_no_direct_identifiers": Defect(
        f"insert into {_A} select * replace ({_MAIL} as person_id) from {_A} limit 1",
        frozenset({"absences_person_id_exists"}),
    ),
    "rate_police_contact_within_bounds": Defect(
        f"insert into {_E} select * replace (date '2024-06-01' as event_date, 120 as event_day) from {_E}"
        " where event_type = 'police_contact' and person_id between 'p21' and 'p34'"
    ),
    "rate_police_contact_not_drifting": Defect(
        f"delete from {_E} where event_type = 'police_contact' and person_id > 'p15'"
    ),
    "rate_serious_not_drifting": Defect(f"delete from {_E} where event_type = 'conviction' and person_id > 'p15'"),
    "rate_victim_registration_not_drifting": Defect(
        f"delete from {_E} where event_type = 'victim_registration' and person_id > 'p15'"
    ),
    "rate_police_contact_above_zero": Defect(
        f"delete from {_E} where event_type = 'police_contact'",
        frozenset({"rate_police_contact_not_drifting", "rate_police_contact_within_bounds"}),
        is_alone=True,
    ),
    "rate_serious_above_zero": Defect(
        f"delete from {_E} where event_type = 'conviction'", frozenset({"rate_serious_not_drifting"}), is_alone=True
    ),
    "rate_victim_registration_above_zero": Defect(
        f"delete from {_E} where event_type = 'victim_registration'",
        frozenset({"rate_victim_registration_not_drifting"}),
        is_alone=True,
    ),
    "persons_not_empty": Defect(
        f"delete from {_P}; delete from {_E}; delete from {_A}",
        frozenset({"persons_every_arm_present"}),
        is_alone=True,
    ),
}
COUNTS_DEFECTS: dict[str, Defect] = {
    "person_counts_rows_reconciled": _adjust("person_counts", 1, 0),
    "person_counts_rejected_share": _adjust("person_counts", 5, 5),
    "person_counts_person_id_complete": Defect(
        f"insert into {_C} values (null, 'before', 'contact', 1, 365), (null, 'after', 'contact', 1, 365)"
    ),
    "person_counts_period_complete": _row(_C, "null as period", "person_id = 'p01'"),
    "person_counts_outcome_complete": _row(_C, "null as outcome", "person_id = 'p02' and period = 'before'"),
    "person_counts_count_complete": _set(_C, '"count" = null', "p03"),
    "person_counts_days_complete": _set(_C, "days = null", "p04"),
    "person_counts_period_in_value_set": _row(_C, "'during' as period", "person_id = 'p05'"),
    "person_counts_person_id_exists": _set(_C, "person_id = 'p99'", "p06"),
    "person_counts_count_at_least_0": _set(_C, '"count" = -1', "p07"),
    "person_counts_days_at_least_1": _set(_C, "days = 0", "p08"),
    "person_counts_both_periods": Defect(f"delete from {_C} where person_id = 'p09' and period = 'after'"),
    "person_counts_not_duplicated": _row(_C, "person_id as person_id", "person_id = 'p12'"),
    "person_counts_not_delivered_twice": Defect(
        f"insert into {_C} select * from {_C}",
        frozenset({"person_counts_not_duplicated"}),
        is_alone=True,
    ),
    "person_counts_outcome_no_direct_identifiers": Defect(
        f"insert into {_C} values ('p10', 'before', {_MAIL}, 1, 1), ('p10', 'after', {_MAIL}, 1, 1)"
    ),
    "person_counts_person_id_no_direct_identifiers": Defect(
        f"insert into {_C} values ({_MAIL}, 'before', 'other', 1, 1), ({_MAIL}, 'after', 'other', 1, 1)",
        frozenset({"person_counts_person_id_exists"}),
    ),
    "rate_contact_within_bounds": Defect(
        f'update {_C} set "count" = 4', frozenset({"rate_contact_not_drifting"}), True
    ),
    "rate_contact_not_drifting": Defect(f'update {_C} set "count" = 2', is_alone=True),
    "rate_contact_above_zero": Defect(
        f'update {_C} set "count" = 0',
        frozenset({"rate_contact_not_drifting", "rate_contact_within_bounds"}),
        is_alone=True,
    ),
    "person_counts_not_empty": Defect(f"delete from {_C}", is_alone=True),
}
_K, _W = "cohort.persons", "outcomes.person_windows"
# One more person in the cohort is one more in the attrition, so that only the key is at fault.
_ONE_MORE = "; update cohort.attrition set n_before = n_before + 1, n_after = n_after + 1 where arm = 'treated'"
ANALYSIS_DEFECTS: dict[str, Defect] = {
    "cohort_persons_person_id_complete": Defect(
        f"insert into {_K} select * replace (null as person_id) from {_K} limit 1{_ONE_MORE}"
    ),
    "cohort_persons_person_id_unique": Defect(f"insert into {_K} select * from {_K} limit 1{_ONE_MORE}"),
    "cohort_persons_arm_complete": _set(_K, "arm = null", "p03"),
    "cohort_persons_arm_in_value_set": _set(_K, "arm = 'elsewhere'", "p05"),
    "cohort_persons_every_arm_present": Defect(f"update {_K} set arm = 'treated'", is_alone=True),
    "cohort_persons_age_at_index_present": Defect(f"update {_K} set age_at_index = null"),
    "cohort_persons_sex_present": Defect(f"update {_K} set sex = null"),
    "cohort_persons_prior_police_contact_24m_present": Defect(f"update {_K} set prior_police_contact_24m = null"),
    "cohort_persons_prior_police_contact_24m_history": Defect(f"update {_K} set prior_police_contact_24m = 0"),
    "cohort_attrition_adds_up": Defect("update cohort.attrition set n_lost = 4 where step = 2 and n_lost = 5"),
    "cohort_attrition_ends_in_cohort": Defect(
        "update cohort.attrition set n_before = n_before + 1, n_after = n_after + 1 where arm = 'treated'"
    ),
    "person_windows_person_id_complete": _row(_W, "null as person_id", "person_id = 'p01'"),
    "person_windows_outcome_complete": _row(_W, "null as outcome", "person_id = 'p02'"),
    "person_windows_period_complete": _row(_W, "null as period", "person_id = 'p02'"),
    "person_windows_n_events_complete": _set(_W, "n_events = null", "p30"),
    "person_windows_days_calendar_complete": _set(_W, "days_calendar = null", "p31"),
    "person_windows_days_free_complete": _set(_W, "days_free = null", "p32"),
    "person_windows_window_unique": _row(_W, "true as is_complete", "person_id = 'p04'"),
    "person_windows_person_id_exists": _row(_W, "'p99' as person_id", "person_id = 'p05'"),
    "person_windows_complete": Defect(
        f"delete from {_W} where person_id = 'p06' and outcome = 'serious' and window_days = 365"
    ),
    "person_windows_of_every_outcome": Defect(f"delete from {_W} where outcome = 'serious'", is_alone=True),
    "person_windows_n_events_not_negative": _set(_W, "n_events = -1", "p33"),
    "person_windows_days_free_not_negative": _set(_W, "days_free = -1", "p34"),
    "person_windows_free_within_calendar": _set(_W, "days_free = days_calendar + 1", "p35"),
    "person_windows_first_event_within": _set(_W, "first_event_day = 366", "p08"),
    "cohort_persons_not_empty": Defect(
        f"delete from {_K}; delete from {_W}; delete from cohort.attrition",
        frozenset(
            {
                "cohort_persons_every_arm_present",
                "person_windows_of_every_outcome",
            }
        ),
        is_alone=True,
    ),
}
