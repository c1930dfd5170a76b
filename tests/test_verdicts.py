"""Verdicts, the Maryland scale, and that only a failed gate hides."""

from __future__ import annotations

from typing import Any

import pytest
from analysis_frames import effect, plan_for

from effectmeter.diagnostics import apply_gates, holm
from effectmeter.estimators.sensitivity import e_value
from effectmeter.results import GateResult
from effectmeter.sentences.numbers import interval, number
from effectmeter.verdicts import direction_of, rule


def gate(status: str, name: str = "size", concerns: str = "all") -> GateResult:
    return GateResult(
        gate=name, status=status, figure="f", threshold="t", sentence="Why.", sentence_nl="Waarom.", concerns=concerns
    )  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("low", "high", "direction"),
    [
        (0.4, 0.99, "fewer"),
        (1.01, 2.0, "more"),
        (0.67, 1.5, "no_effect_of_importance"),
        (0.8, 1.2, "no_effect_of_importance"),
        (0.66, 1.2, "inconclusive"),
        (0.7, 1.51, "inconclusive"),
        (None, 0.9, "fewer"),
        (None, 1.1, "inconclusive"),
        (1.2, None, "more"),
        (None, None, "not_shown"),
    ],
)
def test_direction(low: float | None, high: float | None, direction: str) -> None:
    assert direction_of(effect(verdict_low=low, verdict_high=high)) == direction


def test_differences_have_no_importance_margin() -> None:
    assert direction_of(effect(measure="mean_difference", verdict_low=-0.1, verdict_high=0.1)) == "inconclusive"
    assert direction_of(effect(measure="mean_difference", verdict_low=-0.3, verdict_high=-0.1)) == "fewer"


@pytest.mark.parametrize("status", ["passed", "warned", "not_evaluated", "not_applicable"])
def test_only_failed_hides(status: str) -> None:
    assert apply_gates((effect(),), (gate(status),))[0].status == "shown"
    hidden = apply_gates((effect(),), (gate(status), gate("failed")))[0]
    assert (hidden.status, hidden.reason, hidden.reason_nl, hidden.estimate) == ("hidden", "Why.", "Waarom.", 0.6)


def test_a_gate_hides_only_what_it_concerns() -> None:
    later = effect(window_days=730, analysis="secondary")
    rows = apply_gates((effect(), later), (gate("failed", "follow_up", "outcome=contact;window_days=730"),))
    assert [row.status for row in rows] == ["shown", "hidden"]


def test_evidence_against_comparability_stays_visible() -> None:
    rows = apply_gates(
        (effect(analysis="placebo"), effect(analysis="unadjusted"), effect()), (gate("failed", "placebo_period"),)
    )
    assert [row.status for row in rows] == ["shown", "hidden", "hidden"]
    assert apply_gates((effect(analysis="placebo"),), (gate("failed", "size"),))[0].status == "hidden"


def test_what_is_not_estimable_keeps_its_reason() -> None:
    row = apply_gates((effect(status="not_estimable", reason="Nobody."),), (gate("failed"),))[0]
    assert (row.status, row.reason) == ("not_estimable", "Nobody.")


def test_holm_over_secondary_rows_only() -> None:
    rows = (
        effect(p_value=0.04),
        *(effect(analysis="secondary", outcome=str(i), p_value=p) for i, p in enumerate((0.01, 0.04, 0.03))),
        effect(analysis="unadjusted", p_value=0.01),
    )
    assert [row.p_value_adjusted for row in apply_gates(rows, ())] == pytest.approx([0.04, 0.03, 0.06, 0.06, None])


def test_a_difference_is_not_a_second_test() -> None:
    rows = (
        effect(analysis="secondary", p_value=0.02),
        effect(analysis="secondary", measure="risk_difference", p_value=0.021),
    )
    assert [row.p_value_adjusted for row in apply_gates(rows, ())] == [0.02, 0.02]


def test_holm_against_r() -> None:
    # p.adjust(c(.01, .02, .03, .04, .05), "holm")
    assert holm([0.01, 0.02, 0.03, 0.04, 0.05]) == pytest.approx([0.05, 0.08, 0.09, 0.09, 0.09])


@pytest.mark.parametrize(
    ("design", "status", "maryland", "works"),
    [
        ("randomised", "passed", 5, True),
        ("randomised", "warned", 5, True),
        ("randomised", "not_evaluated", 5, False),
        ("comparison_cohort", "passed", 4, True),
        ("comparison_cohort", "not_applicable", 4, True),
        ("comparison_cohort", "not_evaluated", 4, False),
        ("comparison_cohort", "failed", 3, False),
        ("before_after", "passed", 2, False),
    ],
)
def test_maryland_scale_and_works(design: str, status: str, maryland: int, works: bool) -> None:
    gates = (gate(status),)
    rows = apply_gates(
        (effect(design=design, measure="rate_ratio" if design == "before_after" else "risk_ratio"),), gates
    )
    verdict, _ = rule(plan_for(design), rows, gates, 100)
    assert (verdict.maryland, verdict.works) == (maryland, works)


def test_a_controlled_before_after_is_stronger() -> None:
    rows = (effect(design="before_after", measure="ratio_of_rate_ratios"),)
    assert rule(plan_for("before_after"), rows, (gate("passed"),), 100)[0].maryland == 4


def test_a_gate_on_another_outcome_does_not_demote() -> None:
    gates = (gate("failed", concerns="outcome=other"),)
    assert rule(plan_for(), (effect(),), gates, 100)[0].maryland == 4


def test_works_follows_what_is_wanted() -> None:
    outcomes: dict[str, Any] = {"contact": {"event": "contact", "measures": ["risk_ratio"], "better": "higher"}}
    up, down = effect(verdict_low=1.1, verdict_high=1.6), effect()
    verdict, _ = rule(plan_for(outcomes=outcomes), (up,), (gate("passed"),), 100)
    assert verdict.direction == "more" and verdict.works and "harm" not in verdict.sentence
    verdict, _ = rule(plan_for(outcomes=outcomes), (down,), (gate("passed"),), 100)
    assert not verdict.works and "harm" in verdict.sentence


@pytest.mark.parametrize(("low", "high"), [(0.4, 0.9), (1.1, 1.9), (0.8, 1.2), (0.5, 1.3)])
def test_sentences_come_in_both_languages(low: float, high: float) -> None:
    verdict, _ = rule(plan_for(), (effect(verdict_low=low, verdict_high=high),), (gate("warned", "power"),), 100)
    assert f"{high:.2f}" in verdict.sentence and f"{high:.2f}".replace(".", ",") in verdict.sentence_nl
    assert verdict.direction != "inconclusive" or "Why." in verdict.sentence


def test_without_effects_nothing_is_shown() -> None:
    verdict, claims = rule(plan_for(), (), (), 0)
    assert verdict.direction == "not_shown" and not verdict.works and claims == ()


def test_e_values_of_the_literature() -> None:
    assert e_value(0.5) == pytest.approx(3.41, abs=0.005) and e_value(1 / 3) == pytest.approx(5.45, abs=0.005)


# -- the other designs -------------------------------------------------------------------------------------------------

SOURCES: dict[str, dict[str, Any]] = {
    "staggered_areas": {"areas": "a.csv", "area_counts": "c.csv"},
    "interrupted_series": {"series": "s.csv"},
    "pooled_trials": {"trials": "t.csv"},
}


def plan_of(design: str, measure: str, **fields: Any) -> Any:
    return plan_for(design, source=SOURCES[design], outcomes={"contact": {"measures": [measure]}}, **fields)


@pytest.mark.parametrize(
    ("design", "measure", "row", "status", "maryland"),
    [
        ("staggered_areas", "rate_ratio", {}, "passed", 4),
        ("staggered_areas", "rate_ratio", {}, "failed", 3),
        ("interrupted_series", "level_ratio", {"estimator": "conditional_poisson"}, "passed", 4),
        ("interrupted_series", "level_ratio", {"estimator": "conditional_poisson"}, "failed", 3),
        ("interrupted_series", "level_ratio", {"estimator": "quasi_poisson"}, "passed", 2),
        ("pooled_trials", "odds_ratio", {}, "passed", 3),
    ],
)
def test_maryland_scale_of_designs_without_persons(
    design: str, measure: str, row: dict[str, Any], status: str, maryland: int
) -> None:
    gates = (gate(status),)
    rows = apply_gates((effect(design=design, measure=measure, **row),), gates)
    assert rule(plan_of(design, measure), rows, gates, 0)[0].maryland == maryland


def test_pooled_trials_are_as_strong_as_the_plan_says_they_drew_lots() -> None:
    plan = plan_of("pooled_trials", "odds_ratio", trials={"randomised": True})
    verdict, _ = rule(plan, (effect(design="pooled_trials", measure="odds_ratio"),), (gate("passed"),), 0)
    assert (verdict.maryland, verdict.works) == (5, True)


@pytest.mark.parametrize(
    ("low", "high", "direction"),
    [
        (-50, -5, "fewer"),
        (5, 40, "more"),
        (-33, 50, "no_effect_of_importance"),
        (-40, 20, "inconclusive"),
        (None, 60, "inconclusive"),
    ],
)
def test_a_change_in_per_cent_is_the_ratio_that_it_is(low: float | None, high: float, direction: str) -> None:
    assert direction_of(effect(measure="percent_change", verdict_low=low, verdict_high=high)) == direction


def test_no_slope_is_unimportant_by_the_margin_of_a_level() -> None:
    assert direction_of(effect(measure="slope_ratio", verdict_low=0.9, verdict_high=1.1)) == "inconclusive"
    assert direction_of(effect(measure="level_ratio", verdict_low=0.9, verdict_high=1.1)) == "no_effect_of_importance"


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.4, 0.9, "less often is to be expected"),
        (1.1, 1.9, "This is harm."),
        (0.8, 1.2, "no effect of importance is to be expected"),
        (0.4, 1.9, "may go either way"),
    ],
)
def test_a_prediction_is_about_a_next_place(low: float, high: float, said: str) -> None:
    row = effect(
        design="pooled_trials", measure="odds_ratio", variance="prediction", verdict_low=low, verdict_high=high
    )
    mean = effect(design="pooled_trials", measure="odds_ratio", analysis="secondary", estimate=0.66)
    verdict, _ = rule(plan_of("pooled_trials", "odds_ratio"), (row, mean), (), 0)
    assert "next place" in verdict.sentence and "volgende plek" in verdict.sentence_nl
    assert said in verdict.sentence
    assert "The mean of the trials (odds ratio 0.66" in verdict.sentence


def test_only_persons_who_chose_have_an_e_value() -> None:
    for design, measure, has in (("pooled_trials", "odds_ratio", False), ("staggered_areas", "rate_ratio", False)):
        verdict, _ = rule(plan_of(design, measure), (effect(design=design, measure=measure),), (), 0)
        assert ("explain this away" in verdict.sentence) == has
    assert "explain this away" in rule(plan_for(), (effect(),), (), 0)[0].sentence


# -- several treated arms, and what nobody could judge -----------------------------------------------------------------

ARMS = {"comparison": "control", "treated": ["therapy", "cash"]}
CLAIM = {"words": "half zo vaak", "outcome": "contact", "measure": "risk_ratio", "at_most": 0.5}


def two_arms(**cash: Any) -> tuple[Any, ...]:
    return (effect(contrast="therapy vs control", verdict_high=0.45), effect(contrast="cash vs control", **cash))


def test_no_arm_speaks_for_another() -> None:
    rows = two_arms(verdict_low=1.1, verdict_high=1.9)
    verdict, claims = rule(plan_for(arms=ARMS, claims=[CLAIM]), rows, (gate("passed"),), 100)
    assert (verdict.direction, verdict.works, verdict.contrast) == ("fewer", True, "therapy vs control")
    assert "therapy vs control: contact: less often" in verdict.sentence
    assert "cash vs control: contact: more often" in verdict.sentence and "This is harm." in verdict.sentence
    assert "cash vs control: contact: met het programma vaker" in verdict.sentence_nl
    assert [(claim.contrast, claim.ruling) for claim in claims] == [
        ("therapy vs control", "supported"),
        ("cash vs control", "contradicted"),
    ]
    assert all(claim.sentence.startswith(f"{claim.contrast}: ") for claim in claims)


def test_a_claim_may_name_its_arm() -> None:
    plan = plan_for(arms=ARMS, claims=[CLAIM | {"arm": "cash"}])
    hidden = two_arms(status="hidden", reason="Too few.", reason_nl="Te weinig.")
    (claim,) = rule(plan, hidden, (), 100)[1]
    assert (claim.contrast, claim.ruling) == ("cash vs control", "cannot_be_tested")
    assert claim.sentence == "cash vs control: Cannot be tested. Too few."
    with pytest.raises(ValueError, match="there is no treated arm 'kash'"):
        plan_for(arms=ARMS, claims=[CLAIM | {"arm": "kash"}])


def test_an_arm_without_a_row_is_said_to_have_none() -> None:
    verdict, _ = rule(plan_for(arms=ARMS), two_arms()[:1], (), 100)
    assert "cash vs control: contact: no effect can be shown." in verdict.sentence


def test_one_arm_is_not_named() -> None:
    verdict, claims = rule(plan_for(claims=[CLAIM]), (effect(),), (), 100)
    assert verdict.sentence.startswith("contact: ") and claims[0].contrast == "treated vs comparison"
    assert not claims[0].sentence.startswith("treated")


def test_immortal_time_that_could_not_be_judged_is_said() -> None:
    for status, is_said in (("not_evaluated", True), ("passed", False)):
        verdict, _ = rule(plan_for(), (effect(),), (gate(status, "time_zero"),), 100)
        assert ("Immortal time could not be judged" in verdict.sentence) == is_said
        assert ("geen startdatums" in verdict.sentence_nl) == is_said
    hidden = effect(status="hidden", reason="Too few.")
    assert "Immortal" not in rule(plan_for(), (hidden,), (gate("not_evaluated", "time_zero"),), 100)[0].sentence


def test_a_limit_beyond_all_measure_is_said_in_words() -> None:
    row = effect(estimate=0.55, verdict_low=1e-9, verdict_high=5.6e120)
    verdict, _ = rule(plan_for(), (row,), (), 100)
    assert "0.00 to more than a million" in verdict.sentence and "meer dan een miljoen" in verdict.sentence_nl
    assert interval(0.5, 5.6e120, "nl") == "0,50 tot meer dan een miljoen"
    assert number(3_000_000, "en", 0) == "3,000,000"  # people are counted
