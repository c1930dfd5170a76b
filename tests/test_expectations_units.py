"""Checks on areas, series and trials: a sound vault passes all of them, and each planted fault fails its own check."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import duckdb
import pytest

from effectmeter.plan import Plan
from effectmeter.quarters import Quarter
from expectations import analysis_check_specs, landing_check_specs
from expectations.analysis import analysis_rules
from expectations.evaluation import evaluate
from expectations.landing import landing_rules
from expectations.rules import Rule

QUARTER = Quarter(2026, 3)


def make_plan(design: str, tables: list[str], **more: object) -> Plan:
    content = {"programme": "p", "title": "p", "design": design, "source": {name: f"{name}.csv" for name in tables}}
    return Plan.model_validate({**content, "outcomes": {"theft": {"event": "diefstal"}, "score": {}}, **more})


AREAS = make_plan(
    "staggered_areas",
    ["areas", "area_counts"],
    programme_life={"from": "2022-01-01"},
    adjust_for={"rich": "numeric"},
    areas={"match_on": ["dense"]},
)
SERIES = make_plan("interrupted_series", ["series"], series={"start": "2024-06"})
TRIALS = make_plan("pooled_trials", ["trials"], outcomes={"theft": {}})
PLANS = {"areas": AREAS, "series": SERIES, "trials": TRIALS}

_FILES = """
create table landing.rejects (table_name varchar, reason varchar);
create view landing.files as
select table_name, n as n_rows_read, n as n_rows_kept, 0 as n_rejected, n as n_rows_stored from ({});
"""
VAULTS = {
    "areas": """
        create table landing.areas as
        select
            'A' || i as area_id,
            case when i <= 3 then date '2024-04-15' when i <= 5 then date '2025-01-01' end as adopted_on,
            null::varchar as adopted_period, null::bigint as ring, null::varchar as cluster_id,
            i::double as rich, (i * 2)::varchar as dense
        from range(1, 9) as numbers(i);
        create table landing.area_counts as
        select
            area_id, year || '-Q' || part as period, outcome, part::bigint as "count", null::double as value,
            100.0::double as population
        from landing.areas, range(2023, 2026) as years(year), range(1, 5) as parts(part),
            (values ('diefstal'), ('score')) as outcomes(outcome);
        create table cohort.areas as
        select area_id, if(adopted_on is null, null, if(adopted_on < '2025-01-01', 5, 8))::bigint as adopted
        from landing.areas;
        create table outcomes.area_periods as
        select
            area_id, (4 * (left(period, 4)::int - 2023) + right(period, 1)::int - 1)::bigint as period, period as label,
            if(outcome = 'diefstal', 'theft', outcome) as outcome, "count", value, population
        from landing.area_counts;
    """
    + _FILES.format(
        "select 'areas' as table_name, count(*) as n from landing.areas "
        "union all select 'area_counts', count(*) from landing.area_counts"
    ),
    "series": """
        create table landing.series as
        select
            year || '-' || lpad(month::varchar, 2, '0') as period, outcome, month::bigint as "count",
            50.0::double as population, is_control
        from range(2023, 2026) as years(year), range(1, 13) as months(month),
            (values ('theft'), ('score')) as outcomes(outcome), (values (false), (true)) as controls(is_control);
        create table outcomes.series_periods as
        select
            (12 * (left(period, 4)::int - 2023) + right(period, 2)::int - 1)::bigint as period, period as label,
            outcome, is_control, "count"::double as "count", population, period >= '2024-06' as after,
            (right(period, 2)::int - 1)::bigint as season
        from landing.series;
    """
    + _FILES.format("select 'series' as table_name, count(*) as n from landing.series"),
    "trials": """
        create table landing.trials as
        select
            'T' || i as trial_id, 3::bigint as events_treated, 10::bigint as n_treated, 4::bigint as events_comparison,
            12::bigint as n_comparison, null::varchar as measure, null::double as estimate, null::double as std_error
        from range(1, 7) as numbers(i);
        insert into landing.trials values ('T8', null, null, null, null, 'odds_ratio', -0.2, 0.1);
        insert into landing.trials values ('T9', null, 30, null, 30, 'odds_ratio', -0.2, 0.1);
        create table outcomes.trials as select * from landing.trials;
    """
    + _FILES.format("select 'trials' as table_name, count(*) as n from landing.trials"),
}


def make_vault(kind: str) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("create schema landing; create schema cohort; create schema outcomes;" + VAULTS[kind])
    return connection


def rules_of(kind: str) -> tuple[Rule, ...]:
    plan = PLANS[kind]
    return (*landing_rules(plan, QUARTER.reference_date), *analysis_rules(plan))


@dataclass(frozen=True)
class Fault:
    plant: str
    also: frozenset[str] = field(default_factory=frozenset)


_A, _C, _S, _T = "landing.areas", "landing.area_counts", "landing.series", "landing.trials"
_AP, _SP = "outcomes.area_periods", "outcomes.series_periods"


def _again(table: str, replacement: str, where: str) -> str:
    return f"insert into {table} select * replace ({replacement}) from {table} where {where} limit 1"


FAULTS: dict[str, dict[str, Fault]] = {
    "areas": {
        "areas_area_id_unique": Fault(_again(_A, "7.0 as rich", "area_id = 'A8'")),
        "areas_treated_and_comparison": Fault(
            f"update {_A} set adopted_on = '2024-04-15'; update cohort.areas set adopted = 5",
            frozenset({"area_periods_around_a_start"}),
        ),
        "areas_start_in_programme_life": Fault(
            f"update {_A} set adopted_on = '2021-12-31' where area_id = 'A1'",
            frozenset({"areas_start_has_periods_before"}),
        ),
        "areas_start_of_the_same_kind": Fault(
            f"update {_A} set adopted_on = null, adopted_period = '9999' where area_id = 'A1'"
        ),
        "areas_start_within_the_data": Fault(
            f"update {_A} set adopted_on = null, adopted_period = '2027-Q1' where adopted_on is not null"
        ),
        "areas_start_has_periods_before": Fault(f"update {_A} set adopted_on = '2023-03-31' where area_id = 'A4'"),
        "areas_rich_complete": Fault(f"update {_A} set rich = null where area_id = 'A4'"),
        "areas_dense_complete": Fault(f"update {_A} set dense = null where area_id = 'A4'"),
        "area_counts_area_id_exists": Fault(_again(_C, "'B1' as area_id", "true")),
        "area_counts_area_id_period_outcome_unique": Fault(_again(_C, "9 as count", "true")),
        "area_counts_theft_delivered": Fault(f"update {_C} set outcome = 'roof' where outcome = 'diefstal'"),
        "area_counts_score_delivered": Fault(f"update {_C} set outcome = 'roof' where outcome = 'score'"),
        "area_counts_count_not_negative": Fault(f"update {_C} set \"count\" = -1 where area_id = 'A1'"),
        "area_counts_population_above_zero": Fault(f"update {_C} set population = 0 where area_id = 'A1'"),
        "area_counts_periods_are_over": Fault(
            f"update {_C} set period = '2026-Q4' where period = '2025-Q4'",
            frozenset({"area_counts_periods_without_gaps"}),
        ),
        "area_counts_periods_without_gaps": Fault(f"delete from {_C} where period = '2024-Q2'"),
        "area_counts_balanced": Fault(f"delete from {_C} where period = '2024-Q2' and area_id = 'A2'"),
        "cohort_areas_area_id_unique": Fault(_again("cohort.areas", "3 as adopted", "true")),
        "area_periods_area_id_exists": Fault(_again(_AP, "'B1' as area_id", "true")),
        "area_periods_area_id_period_outcome_unique": Fault(_again(_AP, "9 as count", "true")),
        "area_periods_around_a_start": Fault(f"delete from {_AP} where period < 8 and outcome = 'theft'"),
    },
    "series": {
        "series_once": Fault(_again(_S, "9 as count", "true")),
        "series_theft_delivered": Fault(f"update {_S} set outcome = 'roof' where outcome = 'theft'"),
        "series_score_delivered": Fault(f"update {_S} set outcome = 'roof' where outcome = 'score'"),
        "series_count_not_negative": Fault(f"update {_S} set \"count\" = -1 where period = '2023-02'"),
        "series_population_above_zero": Fault(f"update {_S} set population = 0 where period = '2023-02'"),
        "series_periods_are_over": Fault(
            f"update {_S} set period = '2026-10' where period = '2025-12'",
            frozenset({"series_periods_without_gaps"}),
        ),
        "series_periods_without_gaps": Fault(f"delete from {_S} where period = '2024-02'"),
        "series_before_and_after": Fault(f"delete from {_S} where period < '2024-06' and outcome = 'theft'"),
        "series_control_has_the_same_periods": Fault(f"delete from {_S} where period = '2024-02' and is_control"),
        "series_periods_period_outcome_is_control_unique": Fault(_again(_SP, "9 as count", "true")),
        "series_periods_around_the_start": Fault(f"delete from {_SP} where after and not is_control"),
    },
    "trials": {
        "trials_once": Fault(_again(_T, "9 as n_treated", "trial_id = 'T1'")),
        "trials_at_least_two": Fault(f"delete from {_T} where trial_id <> 'T1'"),
        "trials_complete": Fault(f"update {_T} set n_comparison = null where trial_id = 'T1'"),
        "trials_events_treated_or_estimate": Fault(
            f"update {_T} set estimate = null, std_error = null where trial_id = 'T8'"
        ),
        "trials_events_treated_not_negative": Fault(f"update {_T} set events_treated = -1 where trial_id = 'T1'"),
        "trials_events_comparison_not_negative": Fault(f"update {_T} set events_comparison = -1 where trial_id = 'T1'"),
        "trials_n_treated_above_zero": Fault(
            f"update {_T} set n_treated = 0, events_treated = 0 where trial_id = 'T1'"
        ),
        "trials_n_comparison_above_zero": Fault(
            f"update {_T} set n_comparison = 0, events_comparison = 0 where trial_id = 'T1'"
        ),
        "trials_events_treated_at_most_n_treated": Fault(f"update {_T} set n_treated = 2 where trial_id = 'T1'"),
        "trials_events_comparison_at_most_n_comparison": Fault(
            f"update {_T} set n_comparison = 2 where trial_id = 'T1'"
        ),
        "trials_std_error_above_zero": Fault(f"update {_T} set std_error = 0 where trial_id = 'T8'"),
        "outcomes_trials_once": Fault(_again("outcomes.trials", "9 as n_treated", "trial_id = 'T1'")),
    },
}
CATALOGUE = re.compile(r".*_(not_empty|complete|rows_reconciled|rejected_share|no_direct_identifiers)")


def failed_statements(connection: duckdb.DuckDBPyConnection, rules: tuple[Rule, ...]) -> set[str]:
    """Evaluate only the rules that are statements, as they are: Great Expectations takes seconds each time."""
    failed = set()
    for rule in rules:
        if rule.expectation == "ExpectNoViolations" and "landing.files" not in rule.arguments["statement"]:
            found = connection.sql(rule.arguments["statement"], params=dict(rule.arguments["parameters"])).fetchall()
            assert found[0][1] >= 0
            if found[0][0] > rule.arguments["max_share"] * found[0][1]:
                failed.add(rule.spec.name)
    return failed


@pytest.mark.parametrize("kind", PLANS)
def test_a_sound_vault_passes_every_check(kind: str) -> None:
    outcomes = evaluate(make_vault(kind), rules_of(kind))
    assert {outcome.spec.name: outcome.figure for outcome in outcomes if not outcome.passed} == {}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, faults in FAULTS.items() for name in faults])
def test_a_planted_fault_fails_its_own_check_and_no_other(kind: str, name: str) -> None:
    connection, rules, fault = make_vault(kind), rules_of(kind), FAULTS[kind][name]
    (own,) = (rule for rule in rules if rule.spec.name == name)
    assert own.spec.severity in ("critical", "warning") and own.spec.advice_nl
    is_statement = own.expectation == "ExpectNoViolations"
    connection.execute(fault.plant)
    assert failed_statements(connection, rules) == ({name} if is_statement else set()) | fault.also
    if not is_statement:
        (outcome,) = evaluate(connection, [own])
        assert not outcome.passed and outcome.advice_en


@pytest.mark.parametrize("kind", PLANS)
def test_every_check_is_covered(kind: str) -> None:
    names = {rule.spec.name for rule in rules_of(kind)}
    own = {name for name in names if not CATALOGUE.fullmatch(name)}
    assert own <= set(FAULTS[kind]) <= names


def test_names_and_texts() -> None:
    for plan in PLANS.values():
        specs = (*landing_check_specs(plan), *analysis_check_specs(plan))
        names = [spec.name for spec in specs]
        assert len(set(names)) == len(names)
        assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in names)
        assert not any(name.startswith(("persons", "events", "cohort_persons", "cohort_attrition")) for name in names)
        for spec in specs:
            assert "{" not in spec.description_en + spec.description_nl + spec.advice_en + spec.advice_nl
            assert spec.description_en != spec.description_nl and spec.advice_en != spec.advice_nl


@pytest.mark.parametrize(
    ("start", "passes"),
    [("2024-06", True), ("2024-06-01", True), ("2024-Q3", True), ("2023-01", False), ("2030-01", False), (None, False)],
)
def test_a_series_has_two_sides_of_its_start(start: str | None, passes: bool) -> None:
    plan = make_plan("interrupted_series", ["series"], series={"start": start} if start else {})
    rules = landing_rules(plan, QUARTER.reference_date)
    assert ("series_before_and_after" not in failed_statements(make_vault("series"), rules)) == passes


@pytest.mark.parametrize(
    ("periods", "starts", "failed"),
    [
        (["1", "2", "3"], ["2", None], set()),
        (["1", "2", "3"], ["1", None], {"areas_start_within_the_data", "areas_start_has_periods_before"}),
        (["1", "2", "3"], ["2025-05-17", None], {"areas_start_of_the_same_kind"}),
        (["2003", "2004", "2006"], ["2004", None], {"area_counts_periods_without_gaps"}),
        (["2003", "2005", "2007"], ["2004", None], set()),  # every second year
        (["2003", "2004"], ["2004", "0"], {"areas_start_of_the_same_kind", "areas_treated_and_comparison"}),
        (["2024-01-01", "2024-01-08", "2024-01-15"], ["2024-01-08", None], set()),
    ],
)
def test_starts_and_periods_of_every_kind(periods: list[str], starts: list[str | None], failed: set[str]) -> None:
    plan = make_plan(
        "staggered_areas", ["areas", "area_counts"], outcomes={"theft": {}}, areas={"comparison": "never_treated"}
    )
    connection = make_vault("areas")
    connection.execute("delete from landing.areas; delete from landing.area_counts; delete from outcomes.area_periods")
    for at, start in enumerate(starts):
        row = [f"A{at}", start]
        connection.execute("insert into landing.areas (area_id, adopted_period) values (?, ?)", row)
        for period in periods:
            count = [f"A{at}", period]
            connection.execute(
                "insert into landing.area_counts (area_id, period, outcome, count) values (?, ?, 'theft', 1)", count
            )
    assert failed_statements(connection, landing_rules(plan, QUARTER.reference_date)) == failed


def test_all_areas_may_start_when_those_that_start_later_are_the_comparison() -> None:
    plan = make_plan("staggered_areas", ["areas", "area_counts"], outcomes={"score": {}})
    connection = make_vault("areas")
    connection.execute("delete from landing.areas where adopted_on is null")
    assert "areas_treated_and_comparison" not in failed_statements(
        connection, landing_rules(plan, QUARTER.reference_date)
    )
    connection.execute("delete from landing.areas where adopted_on >= '2025-01-01'")
    assert "areas_treated_and_comparison" in failed_statements(connection, landing_rules(plan, QUARTER.reference_date))
