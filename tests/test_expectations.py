"""Every expectation has a vault that passes, one with exactly its defect planted, and one on which it must raise."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable

import duckdb
import pytest
from expectation_worlds import (
    ANALYSIS_DEFECTS,
    COUNTS_DEFECTS,
    COUNTS_PLAN,
    EVENTS_PLAN,
    LANDING_DEFECTS,
    QUARTER,
    Defect,
    make_vault,
)

from effectmeter.plan import Plan
from expectations import (
    CheckNotEvaluatedError,
    CheckOutcome,
    analysis_check_specs,
    check_analysis,
    check_landing,
    landing_check_specs,
)
from expectations.analysis import analysis_rules
from expectations.database import second_connection
from expectations.evaluation import evaluate, has_raised, results_of
from expectations.landing import landing_rules
from expectations.rules import Rule

Check = Callable[[duckdb.DuckDBPyConnection], tuple[CheckOutcome, ...]]


@pytest.fixture(scope="module")
def previous() -> dict[str, duckdb.DuckDBPyConnection]:
    """Return the vaults of the quarter before, which are like the ones that pass."""
    return {kind: make_vault(kind) for kind in ("events", "counts")}


@pytest.fixture(scope="module")
def checks(previous: dict[str, duckdb.DuckDBPyConnection]) -> dict[str, Check]:
    return {
        "landing": lambda connection: check_landing(connection, EVENTS_PLAN, QUARTER, previous["events"]),
        "counts": lambda connection: check_landing(connection, COUNTS_PLAN, QUARTER, previous["counts"]),
        "analysis": lambda connection: check_analysis(connection, EVENTS_PLAN, QUARTER),
    }


def _vault(battery: str) -> duckdb.DuckDBPyConnection:
    return make_vault("counts" if battery == "counts" else "events")


DEFECTS = {"landing": LANDING_DEFECTS, "counts": COUNTS_DEFECTS, "analysis": ANALYSIS_DEFECTS}
N_GROUPS = {"landing": 2, "counts": 2, "analysis": 2}


def _groups() -> list[tuple[str, list[str]]]:
    """Plant several faults at once, each on rows of its own: running the whole battery per fault takes minutes."""
    groups = []
    for battery, defects in DEFECTS.items():
        together = [name for name, defect in defects.items() if not defect.is_alone]
        n = N_GROUPS[battery]
        groups += [(battery, together[first::n]) for first in range(n)]
        groups += [(battery, [name]) for name, defect in defects.items() if defect.is_alone]
    return groups


@pytest.mark.parametrize("battery", DEFECTS)
def test_a_sound_vault_passes_every_check(battery: str, checks: dict[str, Check]) -> None:
    outcomes = checks[battery](_vault(battery))
    assert {outcome.spec.name: outcome.figure for outcome in outcomes if not outcome.passed} == {}
    assert all(outcome.figure and outcome.threshold and outcome.advice_en == "" for outcome in outcomes)


@pytest.mark.parametrize(
    ("battery", "names"), _groups(), ids=lambda value: value if isinstance(value, str) else value[0]
)
def test_a_planted_defect_fails_its_own_check_and_no_other(
    battery: str, names: list[str], checks: dict[str, Check]
) -> None:
    connection = _vault(battery)
    planted: list[Defect] = [DEFECTS[battery][name] for name in names]
    for defect in planted:
        connection.execute(defect.plant)
    failed = {outcome.spec.name: outcome for outcome in checks[battery](connection) if not outcome.passed}
    assert set(failed) == set(names).union(*(defect.also for defect in planted))
    assert all(outcome.advice_en and outcome.advice_nl for outcome in failed.values())


@pytest.mark.parametrize(
    ("battery", "rules"),
    [
        ("landing", landing_rules(EVENTS_PLAN, QUARTER.reference_date)),
        ("counts", landing_rules(COUNTS_PLAN, QUARTER.reference_date)),
        ("analysis", analysis_rules(EVENTS_PLAN)),
    ],
)
def test_a_check_whose_columns_are_missing_raises(battery: str, rules: tuple[Rule, ...]) -> None:
    on_columns = [rule for rule in rules if all(column for _, column in rule.needs)]
    connection = _vault(battery)
    connection.execute("drop view landing.files; create table landing.files (nothing int)")
    for table in {table for rule in rules for table, _ in rule.needs} - {"landing.files"}:
        connection.execute(f"create or replace table {table} as select 1 as nothing")
    with second_connection(connection) as cursor:
        results = results_of(cursor, on_columns)
    assert {name for name, result in results.items() if not has_raised(result)} == set()
    assert not any(result["success"] for result in results.values())
    for rule in on_columns[::8]:
        with pytest.raises(CheckNotEvaluatedError, match=rule.spec.name) as raised:
            evaluate(connection, [rule])
        assert rule.spec.table in str(raised.value)
        assert rule.needs[0][1] in str(raised.value)
        assert raised.value.__cause__ is None
        assert raised.value.__suppress_context__ or raised.value.__context__ is None
    for rule in (rule for rule in rules if rule not in on_columns):  # those that only need rows
        connection.execute(f"drop table {rule.spec.table}")
        with pytest.raises(CheckNotEvaluatedError, match=rule.spec.name):
            evaluate(connection, [rule])
        connection.execute(f"create table {rule.spec.table} as select 1 as nothing")


def test_every_check_is_covered() -> None:
    """The three tests above run over the same names as the lists that Dagster shows."""
    assert set(LANDING_DEFECTS) == {spec.name for spec in landing_check_specs(EVENTS_PLAN)}
    assert set(ANALYSIS_DEFECTS) == {spec.name for spec in analysis_check_specs(EVENTS_PLAN)}
    counts = {spec.name for spec in landing_check_specs(COUNTS_PLAN)}
    assert set(COUNTS_DEFECTS) == counts - {name for name in counts if name.startswith("persons_")}
    planted = [name for _, names in _groups() for name in names]
    assert sorted(planted) == sorted([*LANDING_DEFECTS, *COUNTS_DEFECTS, *ANALYSIS_DEFECTS])


def test_a_missing_column_is_named_and_no_value_is(
    previous: dict[str, duckdb.DuckDBPyConnection], caplog: pytest.LogCaptureFixture
) -> None:
    connection = make_vault("events")
    connection.execute("alter table landing.persons drop column birth_year")
    with pytest.raises(CheckNotEvaluatedError, match=r"landing\.persons\.birth_year does not exist") as raised:
        check_landing(connection, EVENTS_PLAN, QUARTER, previous["events"])
    assert raised.value.next_step
    _holds_no_value(str(raised.value) + caplog.text)


def test_what_the_database_says_of_a_row_stays_there(capfd: pytest.CaptureFixture[str]) -> None:
    """A day in the wrong type makes DuckDB quote the value it could not convert: that must not come out anywhere."""
    connection = make_vault("events")
    connection.execute("alter table landing.events alter event_date type varchar")
    connection.execute("update landing.events set event_date = 'secret-word' where person_id = 'p01'")
    with pytest.raises(duckdb.ConversionException, match="secret-word"):
        connection.execute("select event_date::date from landing.events").fetchall()
    with pytest.raises(CheckNotEvaluatedError) as raised:
        check_landing(connection, EVENTS_PLAN, QUARTER, None)
    chain = raised.value.__context__ if not raised.value.__suppress_context__ else None
    printed = capfd.readouterr()
    assert "secret-word" not in f"{raised.value}{chain}{printed.out}{printed.err}"


def test_outcomes_hold_figures_and_no_values(checks: dict[str, Check]) -> None:
    connection = make_vault("events")
    for name in ("persons_arm_in_value_set", "events_person_id_exists", "persons_pair_id_no_direct_identifiers"):
        connection.execute(LANDING_DEFECTS[name].plant)
    outcomes = checks["landing"](connection)
    assert sum(not outcome.passed for outcome in outcomes) == 3
    _holds_no_value(" ".join(outcome.figure + outcome.threshold + outcome.advice_en for outcome in outcomes))
    figures = {outcome.spec.name: outcome.figure for outcome in outcomes}
    assert figures["events_person_id_exists"] == "1 / 115 (0.87 %)"
    assert figures["persons_linkage_per_arm"] == "100.0 %"
    assert figures["persons_pair_id_no_direct_identifiers"] == "citizen service number (BSN)"
    assert figures["rate_police_contact_not_drifting"] == "0.951 per person-year; last quarter 0.951"


def _holds_no_value(text: str) -> None:
    for value in ("p01", "p09", "p99", "elsewhere", "111222333"):
        assert value not in text


def test_drift_without_an_earlier_quarter_or_with_one_from_before_a_change_of_plan() -> None:
    def figures(previous: duckdb.DuckDBPyConnection | None) -> dict[str, str]:
        outcomes = check_landing(make_vault("events"), EVENTS_PLAN, QUARTER, previous)
        assert all(outcome.passed for outcome in outcomes)
        return {outcome.spec.name: outcome.figure for outcome in outcomes}

    assert figures(None)["rate_serious_not_drifting"].endswith("no earlier quarter")
    earlier = make_vault("events")
    earlier.execute("alter table landing.events drop column severity")
    found = figures(earlier)
    assert found["rate_serious_not_drifting"].endswith("no earlier quarter")
    assert found["rate_police_contact_not_drifting"].endswith("last quarter 0.951")


def test_an_unreadable_earlier_vault_raises() -> None:
    earlier = make_vault("events")
    earlier.close()
    with pytest.raises(CheckNotEvaluatedError, match="2026-Q2"):
        check_landing(make_vault("events"), EVENTS_PLAN, QUARTER, earlier)


def test_before_after_may_do_without_a_comparison_arm() -> None:
    specs = {rule.spec.name: rule for rule in landing_rules(COUNTS_PLAN)}
    assert specs["persons_every_arm_present"].arguments["parameters"] == {"arms": ["treated"]}


def test_names_and_texts() -> None:
    for plan in (EVENTS_PLAN, COUNTS_PLAN):
        specs = (*landing_check_specs(plan), *analysis_check_specs(plan))
        names = [spec.name for spec in specs]
        assert len(set(names)) == len(names)
        for spec in specs:
            assert re.fullmatch(r"[a-z0-9_]+", spec.name)
            assert "{" not in spec.description_en + spec.description_nl + spec.advice_en + spec.advice_nl
            assert spec.description_en != spec.description_nl and spec.advice_en != spec.advice_nl
            assert spec.threshold


def test_severity_follows_what_a_fault_means() -> None:
    """Structure blocks; surprises about the world do not."""
    severity = {spec.name: spec.severity for spec in landing_check_specs(EVENTS_PLAN)}
    warnings = {name for name, level in severity.items() if level == "warning"}
    assert {name for name in severity if name.startswith("rate_") or name.endswith("missing_share")} <= warnings
    assert {"events_not_duplicated", "persons_linkage_per_arm"} <= warnings
    assert severity["events_person_id_exists"] == severity["absences_do_not_overlap"] == "critical"
    ours = {spec.name for spec in analysis_check_specs(EVENTS_PLAN) if spec.severity != "critical"}
    assert ours == {"cohort_persons_prior_police_contact_24m_history"}  # first offenders may really have none


def test_odd_names_in_a_plan_make_safe_check_names() -> None:
    plan = Plan.model_validate(
        {
            "programme": "p",
            "title": "t",
            "design": "randomised",
            "source": {"persons": "p.csv", "events": "e.csv"},
            "adjust_for": {'Léeftijd "x"': "numeric", "{odd}": "categorical"},
            "outcomes": {"Politie.contact": {"event": "politie contact"}},
        }
    )
    names = [spec.name for spec in landing_check_specs(plan)]
    assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in names)
    assert "rate_politie_contact_not_drifting" in names


def test_lists_of_checks_do_not_wait_for_great_expectations() -> None:
    code = "import sys, expectations.landing; assert not {'great_expectations', 'duckdb_engine'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_named_column_that_turns_out_to_hold_numbers_is_searched_all_the_same() -> None:
    connection = make_vault("events")
    connection.execute("alter table landing.persons alter block_id type bigint using 111222333")
    (rule,) = (
        rule for rule in landing_rules(EVENTS_PLAN) if rule.spec.name == "persons_block_id_no_direct_identifiers"
    )
    (outcome,) = evaluate(connection, [rule])
    assert (outcome.passed, outcome.figure) == (False, "citizen service number (BSN)")
