"""The release gate on areas, a series and trials: they are no persons, their events are."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import report_units as made
from report_findings import QUARTER

from effectmeter.cleared_document import from_document, to_document
from effectmeter.findings import Contributors
from effectmeter.passport import build_passport
from effectmeter.release import Cleared, clear
from effectmeter.results import EffectRow


def cleared_of(kind: str) -> Cleared:
    plan, findings = getattr(made, kind)()
    return clear(findings, plan, QUARTER)


@pytest.fixture(scope="module")
def areas() -> Cleared:
    return cleared_of("areas")


@pytest.fixture(scope="module")
def series() -> Cleared:
    return cleared_of("series")


@pytest.fixture(scope="module")
def trials() -> Cleared:
    return cleared_of("trials")


def row(cleared: Cleared, **what: object) -> EffectRow:
    return next(r for r in cleared.rows if all(getattr(r, name) == value for name, value in what.items()))


def test_areas_are_counted_exactly_and_their_events_rounded(areas: Cleared) -> None:
    primary = areas.rows[0]
    assert (primary.n_treated, primary.n_comparison, primary.n_clusters_treated) == (27, 41, 27)
    assert (primary.events_treated, primary.events_comparison, primary.person_years_treated) == (1235, 2470, 51235)
    assert areas.tables["numbers"]["units"].to_list() == [27, 41]
    assert areas.tables["numbers"]["is_suppressed"].sum() == 0


def test_a_difference_per_inhabitant_keeps_the_decimals_that_it_deserves(areas: Cleared) -> None:
    assert row(areas, measure="rate_difference").estimate == -0.0047
    assert row(areas, measure="percent_change").estimate == -17.0


def test_few_events_in_two_areas_are_hidden_with_another_time_beside_them(areas: Cleared) -> None:
    last = row(areas, subgroup="event_time=4")
    assert last.status == "suppressed" and last.estimate is None and "gebieden" in last.reason_nl
    hidden = [r for r in areas.rows if r.analysis == "event_study" and r.status == "suppressed"]
    assert len(hidden) == 2, "the whole less the others would give the last time back"
    plan, findings = made.areas()
    many = tuple(replace(r, events_treated=300.0) if r.subgroup == "event_time=4" else r for r in findings.effects)
    shown = clear(replace(findings, effects=many), plan, QUARTER)
    assert row(shown, subgroup="event_time=4").status == "shown", "many events in two areas tell nothing of persons"


def test_one_area_that_brings_nearly_all_of_few_events_hides_the_row() -> None:
    plan, findings = made.areas()
    few = tuple(replace(r, events_treated=24.0) if r.subgroup is None else r for r in findings.effects)
    led = tuple(replace(entry, largest_treated=(0.7, 0.2)) for entry in findings.contributors)
    assert clear(replace(findings, effects=few), plan, QUARTER).rows[0].status == "shown"
    assert clear(replace(findings, effects=few, contributors=led), plan, QUARTER).rows[0].status == "suppressed"
    assert clear(replace(findings, contributors=led), plan, QUARTER).rows[0].status == "shown"


def test_the_difference_between_two_kinds_goes_with_the_kind_that_is_hidden(areas: Cleared) -> None:
    assert {r.status for r in areas.rows if (r.subgroup or "").startswith("kind")} == {"suppressed"}
    assert row(areas, subgroup="ring=1").status == "shown", "areas around are no part of the whole"


def test_gates_name_areas_and_trials_as_they_are_and_events_rounded(areas: Cleared, trials: Cleared) -> None:
    clusters = next(gate for gate in areas.gates if gate.gate == "clusters")
    assert clusters.figure == "17 and 41 areas"
    assert "17 areas" in clusters.sentence and "fewer than 10 events" in clusters.sentence
    assert "17 gebieden" in clusters.sentence_nl and "minder dan 10 voorvallen" in clusters.sentence_nl
    differ = next(gate for gate in trials.gates if gate.gate == "heterogeneity")
    assert "62 %" in differ.figure and "on 13" in differ.figure and "62 %" in differ.sentence_nl


def test_gates_on_methods_count_methods_in_every_design(series: Cleared) -> None:
    assert next(gate for gate in series.gates if gate.gate == "agreement").figure.startswith("4 of 4 agree")


def test_a_raw_change_of_a_series_comes_from_rounded_counts(series: Cleared) -> None:
    raw = row(series, measure="level_ratio", analysis="unadjusted")
    assert (raw.events_treated, raw.events_comparison, raw.n_treated) == (965, 3125, 24)
    assert raw.estimate == pytest.approx((965 / 24) / (3125 / 60), abs=5e-5)
    percent = row(series, measure="percent_change", analysis="unadjusted")
    assert percent.estimate == pytest.approx(100 * ((965 / 24) / (3125 / 60) - 1), abs=0.01)


def test_periods_are_shown_with_rounded_counts(series: Cleared) -> None:
    table = series.tables["series_points"]
    assert table.height == 84
    assert all(value % 5 == 0 and value >= 10 for value in table["observed"].drop_nulls())
    assert all(value == round(value) for value in table["expected"])


def test_periods_with_few_events_are_taken_together_from_the_start_on() -> None:
    plan, findings = made.series(monthly=4.0)
    table = clear(findings, plan, QUARTER).tables["series_points"]
    assert 0 < table.height < 30
    assert all(value >= 10 for value in table["observed"].drop_nulls())
    first_after = table.filter(table["is_after"])["label"][0]
    assert first_after.startswith("2024-01"), "no sum lies on both sides of the start"


def test_hardly_any_events_leave_no_picture() -> None:
    plan, findings = made.series()
    none = tuple(replace(point, observed=0.0) for point in findings.series_points)
    assert clear(replace(findings, series_points=none), plan, QUARTER).tables["series_points"].is_empty()


def test_a_small_trial_and_what_leaves_it_out_give_nothing_away(trials: Cleared) -> None:
    table = {entry["trial"]: entry for entry in trials.tables["trial_effects"].to_dicts()}
    assert table["Birch (2003)"]["is_suppressed"] and table["Birch (2003)"]["estimate"] is None
    assert sum(entry["is_suppressed"] for entry in table.values()) == 2, "the total would give the one back"
    shown = next(entry for entry in table.values() if entry["trial"] == "Cedar (2008)")
    assert shown["estimate"] == pytest.approx(65 * 115 / (90 * 145), abs=0.005), "from counts in fives"
    without = row(trials, subgroup="without=Birch (2003)")
    assert without.estimate is not None and without.events_treated is None and without.n_treated is None
    assert row(trials, subgroup="without=Cedar (2008)").n_treated == 320


def test_hidden_effects_leave_no_points() -> None:
    for kind in ("series", "trials"):
        plan, findings = getattr(made, kind)()
        hidden = tuple(replace(r, status="hidden", reason="x", reason_nl="x") for r in findings.effects)
        tables = clear(replace(findings, effects=hidden), plan, QUARTER).tables
        assert tables["series_points"].is_empty() and tables["trial_effects"].is_empty()


@pytest.mark.parametrize("kind", ["areas", "series", "trials"])
def test_a_release_survives_the_way_through_json(kind: str) -> None:
    cleared = cleared_of(kind)
    again = from_document(json.loads(json.dumps(to_document(cleared))))
    assert again.facts == cleared.facts and again.rows == cleared.rows
    assert all(again.tables[name].equals(table) for name, table in cleared.tables.items())


@pytest.mark.parametrize(("kind", "reach", "unit"), [("areas", 27, "area"), ("series", 24, "period"),
                                                     ("trials", 4, "trial")])  # fmt: skip
def test_the_passport_counts_reach_in_its_own_unit(kind: str, reach: int, unit: str) -> None:
    plan, findings = getattr(made, kind)()
    passport = build_passport(clear(findings, plan, QUARTER), plan, QUARTER, edition="001", plan_hash="abc")
    assert (passport["figures"]["reach"], passport["figures"]["reach_unit"]) == (reach, unit)
    json.dumps(passport, allow_nan=False)


def test_parts_that_do_not_say_what_they_rest_on_are_looked_up() -> None:
    plan, findings = made.areas()
    silent = [
        replace(r, n_treated=None, n_comparison=None, events_treated=None, events_comparison=None)
        if r.analysis == "event_study"
        else r
        for r in findings.effects
    ]
    unknown = clear(replace(findings, effects=tuple(silent)), plan, QUARTER)
    assert {r.status for r in unknown.rows if r.analysis == "event_study"} == {"suppressed"}
    parts = tuple(
        Contributors(
            contrast=made.CONTRAST, outcome="burglary", subgroup=f"event_time={time}", n_areas=20 - 4 * time,
            n_events=8.0 if time == -2 else 25.0 if time == 3 else 80.0 if time == 4 else 200.0 + time,
        )
        for time in range(-4, 5)
    )  # fmt: skip
    told = clear(replace(findings, effects=tuple(silent), contributors=parts), plan, QUARTER)
    status = {r.subgroup: r.status for r in told.rows if r.analysis == "event_study"}
    assert status["event_time=-2"] == "suppressed", "eight events"
    assert status["event_time=3"] == "suppressed", "the smallest other part goes with it"
    assert sum(value == "shown" for value in status.values()) == 7


def test_published_counts_may_be_shown_as_they_are_with_a_written_reason() -> None:
    rules = {"minimum_persons": 1, "minimum_families": 1, "rounding_base": 1, "reason": "all counts are published"}
    plan, findings = made.trials(differ=False, disclosure=rules)
    cleared = clear(findings, plan, QUARTER)
    small = next(entry for entry in cleared.tables["trial_effects"].to_dicts() if entry["trial"] == "Birch (2003)")
    assert (small["events_treated"], small["is_suppressed"]) == (4, False)
    none = tuple(replace(trial, events_treated=0.0) for trial in findings.trial_effects)
    table = clear(replace(findings, trial_effects=none), plan, QUARTER).tables["trial_effects"]
    assert table["events_treated"].to_list() == [0, 0, 0, 0]
