"""Each gate with data that pass, warn, fail, and cannot be evaluated."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from analysis_frames import cohort, effect, outcome_frame, plan_for, recid, tarp

from effectmeter.designs.base import AnalysisData
from effectmeter.designs.registry import design_for
from effectmeter.diagnostics import apply_gates
from effectmeter.gates.base import Finding, Gate, fold
from effectmeter.gates.comparable import (
    balance_randomised,
    balance_weighted,
    chance_p_value,
    expected_absolute_systematic_error,
    negative_controls,
    overlap,
)
from effectmeter.gates.expected import surplus_of_events
from effectmeter.gates.people import clusters, follow_up, size, time_zero
from effectmeter.gates.periods import placebo_period, placebo_rule
from effectmeter.gates.power import power, std_error_without_effect
from effectmeter.results import BalanceRow, Comparability, EffectRow, GateResult, OverlapRow

AGE = {"age": {"type": "numeric"}}


def ask(
    gate: Gate, data: AnalysisData, *effects: EffectRow, comparability: Comparability | None = None
) -> tuple[GateResult, ...]:
    results = gate(data, comparability or Comparability(), effects)
    for result in results:
        assert result.figure and result.threshold and result.sentence.endswith(".") and result.sentence_nl.endswith(".")
    return results


def status(gate: Gate, data: AnalysisData, *effects: EffectRow, comparability: Comparability | None = None) -> str:
    (result,) = ask(gate, data, *effects, comparability=comparability)
    return result.status


# -- size --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "expected"),
    [((60, 60), "passed"), ((59, 300), "warned"), ((300, 30), "warned"), ((29, 300), "failed"), ((300, 29), "failed")],
)
def test_size(n: tuple[int, int], expected: str) -> None:
    (result,) = ask(size, cohort(n_treated=n[0], n_comparison=n[1]))
    assert result.status == expected and f"{n[0]} and {n[1]}" in result.figure


def test_size_counts_full_follow_up_and_fails_only_for_that_window() -> None:
    plan = plan_for(follow_up={"days": [365, 730]})
    data = cohort(plan)
    late = data.outcomes.with_columns(
        window_days=pl.lit(730, dtype=pl.Int64), is_complete=pl.col("person_id") > "p00179"
    )
    data = replace(data, outcomes=pl.concat([data.outcomes, late]))
    results = ask(size, data)
    assert {result.concerns: result.status for result in results} == {
        "outcome=contact;window_days=365": "passed",
        "outcome=contact;window_days=730": "failed",
    }
    rows = apply_gates((effect(), effect(window_days=730)), results)
    assert [row.status for row in rows] == ["shown", "hidden"]


def test_size_does_not_apply_to_families() -> None:
    assert status(size, cohort(plan_for("before_after", cluster="family_id"))) == "not_applicable"


def test_several_contrasts_are_judged_apart() -> None:
    plan = plan_for("randomised", arms={"comparison": "comparison", "treated": ["treated", "other"]})
    results = ask(size, cohort(plan))
    assert {"contrast=other vs comparison" in result.concerns: result.status for result in results} == {
        True: "failed",
        False: "passed",
    }


# -- clusters ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "expected"), [(20, "passed"), (19, "warned"), (10, "warned"), (9, "failed")])
def test_clusters(number: int, expected: str) -> None:
    data = cohort(plan_for(cluster="site_id"), cluster=[f"s{i % number}" for i in range(500)])
    assert status(clusters, data) == expected


def test_clusters_of_the_comparison_arm_count_too() -> None:
    sites = [f"t{i % 30}" for i in range(200)] + [f"c{i % 8}" for i in range(300)]
    assert status(clusters, cohort(plan_for(cluster="site_id"), cluster=sites)) == "failed"


def test_clusters_not_there() -> None:
    assert status(clusters, cohort()) == "not_applicable"
    assert status(clusters, cohort(plan_for(cluster="site_id"))) == "not_evaluated"


# -- time zero ---------------------------------------------------------------------------------------------------------


def test_time_zero_of_a_trial_passes_and_of_a_cohort_without_start_dates_is_not_evaluated() -> None:
    assert status(time_zero, cohort(plan_for("randomised"))) == "passed"
    assert status(time_zero, cohort()) == "not_evaluated"


def test_immortal_time_fails() -> None:
    data = cohort(risks=(0.6, 0.6), start_delay_days=np.full(500, 180))
    assert status(time_zero, data) == "passed"
    survivors = data.outcomes.with_columns(
        first_event_day=pl.when((pl.col("person_id") < "p00200") & (pl.col("first_event_day") <= 180))
        .then(pl.lit(200, dtype=pl.Int64))
        .otherwise(pl.col("first_event_day"))
    )
    assert status(time_zero, replace(data, outcomes=survivors)) == "failed"


# -- follow-up ---------------------------------------------------------------------------------------------------------


def short(data: AnalysisData, who: np.ndarray, days: np.ndarray) -> AnalysisData:
    """Let some persons be followed more briefly; events after that are not seen."""
    persons = data.persons.with_columns(potential_follow_up_days=pl.Series(np.where(who, days, 400)).cast(pl.Int64))
    first = data.outcomes["first_event_day"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    first = np.where(who & (first > days), np.nan, first)
    outcomes = outcome_frame(persons, np.isfinite(first).astype(int), first, is_complete=~who)
    return replace(data, persons=persons, outcomes=outcomes)


def test_follow_up_passes() -> None:
    (result,) = ask(follow_up, cohort())
    assert result.status == "passed" and "100 % and 100 %" in result.figure


def test_a_few_short_ones_that_are_like_the_rest_pass() -> None:
    rng = np.random.default_rng(4)
    data = cohort(n_treated=600, n_comparison=600)
    assert status(follow_up, short(data, rng.random(1200) < 0.03, rng.integers(50, 300, 1200))) == "passed"


def test_unfinished_follow_up_fails_for_its_window_only() -> None:
    rng = np.random.default_rng(4)
    data = cohort(plan_for(follow_up={"days": [365, 90]}))
    early = data.outcomes.with_columns(window_days=pl.lit(90, dtype=pl.Int64))
    data = replace(data, outcomes=data.outcomes)
    shortened = short(data, rng.random(500) < 0.2, rng.integers(100, 300, 500))
    results = ask(follow_up, replace(shortened, outcomes=pl.concat([shortened.outcomes, early])))
    by_window = {result.concerns: result for result in results}
    assert by_window["outcome=contact;window_days=365"].status == "failed"
    assert "not finished" in by_window["outcome=contact;window_days=365"].sentence
    assert by_window["outcome=contact;window_days=90"].status != "failed"


def test_only_recidivists_among_the_short_ones_fails() -> None:
    data = cohort(n_treated=600, n_comparison=600)
    first = data.outcomes["first_event_day"].fill_null(400).to_numpy()
    who = (first < 365) & (np.random.default_rng(0).random(1200) < 0.1)
    data = short(data, who, first)
    shares = data.outcomes.join(data.persons, on="person_id").group_by("arm").agg(pl.col("is_complete").mean())
    assert shares["is_complete"].min() > 0.95  # type: ignore[operator]  # the first half of the rule does not see it
    (result,) = ask(follow_up, data)
    assert result.status == "failed" and "depends on what happened" in result.sentence


def test_follow_up_that_ends_at_the_event_fails_in_a_window() -> None:
    data = cohort()
    first = data.outcomes["first_event_day"].fill_null(400).to_numpy()
    assert status(follow_up, short(data, first < 365, first)) == "failed"


def until_end(*, ends_at_event: bool, depends: bool = False) -> AnalysisData:
    rng = np.random.default_rng(8)
    data = cohort(
        plan_for(
            follow_up={"until_end": True}, outcomes={"contact": {"event": "contact", "measures": ["hazard_ratio"]}}
        )
    )
    potential = rng.integers(300, 900, 500)
    day = rng.exponential(900, 500).astype(int) + 1
    happened = day <= potential
    if depends:
        happened |= potential < 600
        day = np.minimum(day, potential)
    first = np.where(happened, day.astype(float), np.nan)
    if ends_at_event:
        potential = np.where(happened, day, potential)
    persons = data.persons.with_columns(potential_follow_up_days=pl.Series(potential))
    outcomes = outcome_frame(
        persons, happened.astype(int), first, window=None, days_calendar=np.where(happened, day, potential)
    )
    return replace(data, persons=persons, outcomes=outcomes)


def test_until_the_end_only_the_second_half_applies() -> None:
    assert status(follow_up, until_end(ends_at_event=False)) == "passed"
    assert status(follow_up, until_end(ends_at_event=False, depends=True)) == "failed"
    assert status(follow_up, until_end(ends_at_event=True)) == "not_evaluated"


def test_the_expected_number_is_right_and_its_test_holds_its_level() -> None:
    rng = np.random.default_rng(6)
    p_values = []
    for _ in range(300):
        times = rng.exponential(500, 300)
        follow = rng.integers(30, 300, 80)
        mine = rng.exponential(500, 80)
        surplus = surplus_of_events(
            follow, np.where(mine <= follow, mine, np.nan), np.where(times <= 365, times, np.nan)
        )
        p_values.append(surplus.p_value)
    assert np.mean(np.array(p_values) < 0.05) <= 0.06
    exact = surplus_of_events(np.array([100, 200]), np.array([50.0, np.nan]), np.array([50.0, 150.0, np.nan, np.nan]))
    assert (exact.observed, exact.expected) == (1, 0.75)


# -- balance and overlap -----------------------------------------------------------------------------------------------


def through_design(data: AnalysisData, gate: Gate) -> GateResult:
    comparability = design_for(data.plan).compare(data)
    (result,) = ask(gate, data, comparability=comparability)
    return result


def test_balance_of_a_trial() -> None:
    plan = plan_for("randomised", adjust_for=AGE)
    assert through_design(cohort(plan, n_treated=2000, n_comparison=2000), balance_randomised).status == "passed"
    assert (
        through_design(cohort(plan, n_treated=15, n_comparison=15, shift=0.6, seed=4), balance_randomised).status
        == "warned"
    )
    assert through_design(cohort(plan, shift=0.5), balance_randomised).status == "failed"
    assert status(balance_randomised, cohort(plan_for("randomised"))) == "not_evaluated"


def test_the_chance_test_holds_its_level_with_strata_and_clusters() -> None:
    rng = np.random.default_rng(9)
    strata = np.repeat(np.arange(20), 10)
    cluster = np.repeat(np.arange(40), 5)
    with_strata, with_clusters = [], []
    for _ in range(400):
        arm = np.concatenate([rng.permutation([1.0] * 5 + [0.0] * 5) for _ in range(20)])
        with_strata.append(chance_p_value(strata + rng.normal(size=200), arm, strata))
        arm = np.repeat(rng.permutation([1.0] * 20 + [0.0] * 20), 5)
        with_clusters.append(chance_p_value(np.repeat(rng.normal(size=40), 5), arm, None, cluster))
    for p_values in (with_strata, with_clusters):
        assert 0.02 < np.mean(np.array(p_values) < 0.05) < 0.09


def balance_of(*smds: float, effective: float = 200.0) -> Comparability:
    rows = [
        BalanceRow(
            contrast="treated vs comparison",
            term=f"x{i}",
            kind="main",
            mean_treated=0,
            mean_comparison_before=0,
            mean_comparison_after=0,
            smd_before=1.0,
            smd_after=smd,
        )
        for i, smd in enumerate(smds)
    ]
    return Comparability(balance=tuple(rows), effective_sample_size=(("treated vs comparison", effective),))


@pytest.mark.parametrize(
    ("smds", "effective", "expected"),
    [
        ((0.05, -0.09), 200, "passed"),
        ((0.05, -0.2), 200, "warned"),
        ((0.6,), 200, "failed"),
        ((0.26,), 200, "warned"),  # too few to tell from 0.1
        ((0.0,), 99, "warned"),
        ((0.0,), 39, "failed"),
    ],
)
def test_balance_after_weighting(smds: tuple[float, ...], effective: float, expected: str) -> None:
    data = cohort(plan_for(adjust_for=AGE))
    assert status(balance_weighted, data, comparability=balance_of(*smds, effective=effective)) == expected


def test_squares_are_judged_where_weights_make_the_means_exact() -> None:
    data = cohort(plan_for(adjust_for=AGE))
    exact, rough = balance_of(0.0, effective=200.0), balance_of(0.05, effective=200.0)
    square = replace(exact.balance[0], term="age^2", kind="square", smd_after=0.6)
    exact, rough = (replace(found, balance=(*found.balance, square)) for found in (exact, rough))
    assert status(balance_weighted, data, comparability=exact) == "failed"
    assert status(balance_weighted, data, comparability=rough) == "passed"


def test_balance_after_weighting_is_not_evaluated_without_weights() -> None:
    assert status(balance_weighted, cohort(plan_for(adjust_for=AGE))) == "not_evaluated"
    assert status(balance_weighted, cohort()) == "not_evaluated"


def test_balance_and_overlap_of_a_cohort_through_its_weights() -> None:
    good = cohort(plan_for(adjust_for=AGE), shift=0.3, n_comparison=600)
    assert through_design(good, balance_weighted).status == "passed"
    assert through_design(good, overlap).status == "passed"
    far = cohort(plan_for(adjust_for=AGE), shift=3.5, n_comparison=600)
    assert through_design(far, overlap).status == "failed"
    assert through_design(far, balance_weighted).status == "not_evaluated"  # no weights exist
    assert (
        through_design(cohort(plan_for(adjust_for=AGE), shift=2.2, n_comparison=600), balance_weighted).status
        == "failed"
    )


@pytest.mark.parametrize(("inside", "expected"), [(20, "passed"), (19, "warned"), (10, "warned"), (9, "failed")])
def test_overlap(inside: int, expected: str) -> None:
    bins = tuple(
        OverlapRow(contrast="treated vs comparison", bin_low=low, bin_high=high, n_treated=n, n_comparison=m)
        for low, high, n, m in (
            (0.25, 0.3, 0, 50),
            (0.3, 0.35, inside, 40),
            (0.65, 0.7, 0, 10),
            (0.7, 0.75, 100 - inside, 0),
        )
    )
    assert status(overlap, cohort(plan_for(adjust_for=AGE)), comparability=Comparability(overlap=bins)) == expected


def test_overlap_is_not_evaluated_without_scores() -> None:
    assert status(overlap, cohort(plan_for(adjust_for=AGE))) == "not_evaluated"


# -- placebo, negative controls, power ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("estimate", "low", "high", "expected"),
    [
        (1.02, 0.90, 1.20, "passed"),
        (1.15, 1.02, 1.30, "passed"),  # surely not 1, but near
        (0.75, 0.60, 0.95, "failed"),
        (1.30, 1.10, 1.45, "failed"),
        (1.30, 0.80, 1.60, "warned"),
        (0.80, 0.60, 1.10, "warned"),
        (None, None, None, "not_evaluated"),
    ],
)
def test_placebo_rule(estimate: float | None, low: float | None, high: float | None, expected: str) -> None:
    row = effect(analysis="placebo", estimate=estimate, conf_low=low, conf_high=high)
    assert placebo_rule(row).status == expected
    assert status(placebo_period, cohort(), row) == expected


@pytest.mark.parametrize(("p_value", "expected"), [(0.02, "warned"), (0.0005, "failed")])
def test_a_difference_before_a_draw_is_chance_unless_beyond_belief(p_value: float, expected: str) -> None:
    row = effect(analysis="placebo", estimate=0.70, conf_low=0.55, conf_high=0.90, p_value=p_value)
    assert placebo_rule(row, by_lot=True).status == expected


def test_placebo_without_an_earlier_period() -> None:
    assert status(placebo_period, cohort()) == "not_evaluated"
    assert status(placebo_period, cohort(plan_for("randomised"))) == "not_applicable"


@pytest.mark.parametrize(
    ("shift", "number", "expected"), [(0.0, 6, "passed"), (0.5, 6, "failed"), (0.0, 4, "not_evaluated")]
)
def test_negative_controls(shift: float, number: int, expected: str) -> None:
    rows = [
        effect(
            analysis="negative_control",
            outcome=f"c{i}",
            estimate=float(np.exp(shift + 0.02 * (-1) ** i)),
            std_error=0.1,
        )
        for i in range(number)
    ]
    assert status(negative_controls, cohort(), *rows) == expected


def test_negative_controls_of_a_trial_may_be_absent() -> None:
    assert status(negative_controls, cohort(plan_for("randomised"))) == "not_applicable"


def test_expected_absolute_systematic_error() -> None:
    rng = np.random.default_rng(1)
    errors = rng.normal(0, 0.5, 4000) + rng.normal(0, 0.1, 4000)
    assert expected_absolute_systematic_error(errors, np.full(4000, 0.1)) == pytest.approx(
        0.5 * np.sqrt(2 / np.pi), abs=0.02
    )


def test_power_never_fails() -> None:
    (strong,) = ask(power, cohort(), effect(std_error=0.05))
    (weak,) = ask(power, cohort(), effect(std_error=0.5, conf_low=0.2, conf_high=1.9))
    assert (strong.status, weak.status) == ("passed", "warned")
    assert "more participants" in weak.sentence and "more participants" not in strong.sentence
    assert status(power, cohort(), effect(status="not_estimable", estimate=None, std_error=None)) == "not_evaluated"


def test_where_more_is_better_it_is_the_smallest_rise_that_is_told() -> None:
    outcomes = {"contact": {"event": "contact", "measures": ["risk_ratio"], "better": "higher"}}
    (found,) = ask(power, cohort(plan_for(outcomes=outcomes)), effect(std_error=0.25))
    (fall,) = ask(power, cohort(), effect(std_error=0.25))
    assert "A rise of less than 87 %" in found.sentence and "stijging van minder dan 87 %" in (found.sentence_nl)
    assert "A fall of less than 47 %" in fall.sentence and found.figure == fall.figure
    assert "0.53" in found.figure


def test_where_families_are_the_units_more_families_are_asked_for() -> None:
    row = effect(std_error=0.5, conf_low=0.2, conf_high=1.9, n_clusters_treated=19, n_clusters_comparison=60)
    (found,) = ask(power, cohort(), row)
    assert "more groups (such as families or sites)" in found.sentence and "participants" not in found.sentence
    assert "groepen (zoals gezinnen of locaties)" in found.sentence_nl


def test_error_without_effect() -> None:
    # no effect and no clustering: the textbook error of a log risk ratio
    row = effect(
        events_treated=60.0,
        events_comparison=60.0,
        n_treated=300,
        n_comparison=300,
        std_error=np.sqrt(2 * (1 / 60 - 1 / 300)),
    )
    assert std_error_without_effect(row) == pytest.approx(row.std_error)
    halved = replace(row, events_treated=30.0, std_error=np.sqrt(1 / 30 - 1 / 300 + 1 / 60 - 1 / 300))
    assert std_error_without_effect(halved) == pytest.approx(np.sqrt(255 / 45 * 2 / 300))


# -- folding and real data ---------------------------------------------------------------------------------------------


def finding(status: Any, name: str) -> Finding:
    return Finding(status, "f", name, name, (("outcome", name),))


def test_nothing_failed_is_one_row_and_the_weightiest_speaks() -> None:
    (result,) = fold("g", "t", [finding("passed", "a"), finding("warned", "b")])
    assert (result.status, result.sentence, result.concerns) == ("warned", "b", "all")


def test_something_failed_is_a_row_each() -> None:
    results = fold("g", "t", [finding("passed", "a"), finding("failed", "b")])
    assert [(result.status, result.concerns) for result in results] == [
        ("passed", "outcome=a"),
        ("failed", "outcome=b"),
    ]


def test_real_trial_passes_its_gates(shared_data: Any) -> None:
    data = tarp(shared_data)
    design = design_for(data.plan)
    comparability = design.compare(data)
    effects = design.estimate(data, comparability)
    found = {gate.gate: gate.status for gate in design.gates(data, comparability, effects)}
    assert found["power"] in {"passed", "warned"}
    assert {found[name] for name in ("size", "follow_up", "time_zero", "balance")} == {"passed"}


def test_real_cohort_follow_up_does_not_depend_on_the_outcome(shared_data: Any) -> None:
    assert status(follow_up, recid(shared_data)) == "passed"


def test_the_fall_that_cannot_be_seen_is_no_count_of_persons() -> None:
    from effectmeter.disclosure import Rules
    from effectmeter.disclosure_texts import clear_text, percentages_in

    (found,) = ask(power, cohort(), effect(std_error=0.03))
    for language, sentence in (("en", found.sentence), ("nl", found.sentence_nl)):
        assert re.search(r"\b[1-9] % ", sentence), "a small one, which a count of persons would mask"
        assert clear_text(sentence, Rules(), language, n=40, shares=percentages_in(found.figure)) == sentence
