"""Every cell of the rule table for public claims, and what is said."""

from __future__ import annotations

from typing import Any

import pytest
from analysis_frames import effect, plan_for

from effectmeter.claims import rule_at_least, rule_at_most, rule_claims
from effectmeter.plan import Claim, Plan
from effectmeter.results import ClaimRuling, EffectRow


@pytest.mark.parametrize(
    ("low", "high", "value", "ruling"),
    [
        (0.20, 0.45, 0.5, "supported"),
        (0.20, 0.50, 0.5, "supported"),
        (0.39, 0.86, 0.5, "not_established"),
        (0.39, 1.20, 0.5, "not_established"),
        (0.50, 0.86, 0.5, "not_established"),
        (0.55, 0.86, 0.5, "weaker_than_claimed"),
        (0.55, 1.00, 0.5, "contradicted"),
        (0.55, 1.30, 0.5, "contradicted"),
        (1.10, 1.30, 0.5, "contradicted"),
        (0.00, 0.09, 0.1, "supported"),
        (0.00, float("inf"), 0.5, "not_established"),
    ],
)
def test_at_most(low: float, high: float, value: float, ruling: str) -> None:
    assert rule_at_most(low, high, value, null=1.0) == ruling
    if low > 0:
        assert rule_at_least(1 / high, 1 / low, 1 / value, null=1.0) == ruling


@pytest.mark.parametrize(
    ("low", "high", "ruling"),
    [(-9, -6, "supported"), (-9, -2, "not_established"), (-4, -2, "weaker_than_claimed"), (-4, 1, "contradicted")],
)
def test_differences_have_their_null_at_nought(low: float, high: float, ruling: str) -> None:
    assert rule_at_most(low, high, -5, null=0.0) == ruling
    assert rule_at_least(-high, -low, 5, null=0.0) == ruling


def rulings(*rows: EffectRow, **claim: Any) -> ClaimRuling:
    full = {"words": "w", "source": "s", "outcome": "contact", "measure": "risk_ratio"} | claim
    return rule_claims(plan_for(claims=[full]), rows, 1100)[0]


def test_the_strongest_sentence_that_can_be_defended() -> None:
    ruling = rulings(effect(verdict_low=0.39, verdict_high=0.86), at_most=0.5)
    assert ruling.sentence == "less often: supported; half as often: not established"
    assert ruling.sentence_nl == "minder vaak: vastgesteld; half zo vaak: niet vastgesteld"
    assert (ruling.ruling, ruling.outcome, ruling.measure, ruling.value) == (
        "not_established",
        "contact",
        "risk_ratio",
        0.5,
    )


def test_harm_is_said() -> None:
    assert rulings(effect(verdict_low=1.1, verdict_high=1.9), at_most=0.5).sentence.startswith("more often: supported")


def test_unusual_sizes_have_words() -> None:
    ruling = rulings(effect(), at_most=0.42)
    assert "at most 0.42 times as often" in ruling.sentence and "hoogstens 0,42 keer" in ruling.sentence_nl


def test_a_hidden_or_missing_estimate_cannot_be_tested() -> None:
    hidden = effect(status="hidden", reason="Too few.", reason_nl="Te weinig.")
    ruling = rulings(hidden, at_most=0.5)
    assert ruling.ruling == "cannot_be_tested" and "Too few." in ruling.sentence and "Te weinig." in ruling.sentence_nl
    gone = effect(status="not_estimable", verdict_low=None, verdict_high=None, reason="Nobody.", reason_nl="Niemand.")
    assert rulings(gone, at_most=0.5).ruling == "cannot_be_tested"


def test_a_measure_that_the_plan_does_not_ask_for_cannot_be_tested() -> None:
    claim = Claim(
        words="w", outcome="contact", measure="hazard_ratio", at_most=0.5
    )  # plans refuse it; old ones may not
    ruling = rule_claims(plan_for().model_copy(update={"claims": [claim]}), (effect(),), 1100)[0]
    assert ruling.ruling == "cannot_be_tested" and "hazard_ratio" in ruling.sentence


def test_only_the_first_window_and_adjusted_rows_count() -> None:
    raw = effect(analysis="unadjusted", verdict_low=0.1, verdict_high=0.2)
    later = effect(analysis="secondary", window_days=730, verdict_low=0.1, verdict_high=0.2)
    assert rulings(raw, effect(verdict_low=0.6, verdict_high=1.1), later, at_most=0.5).ruling == "contradicted"


def test_a_bound_supports_or_not() -> None:
    assert rulings(effect(verdict_low=None, verdict_high=0.08, estimate=0.0), at_most=0.1).ruling == "supported"
    assert rulings(effect(verdict_low=0.2, verdict_high=None, estimate=None), at_most=0.1).ruling == "contradicted"


@pytest.mark.parametrize(
    ("reach", "kind", "value", "ruling"),
    [
        (1100, "at_least", 1000, "supported"),
        (900, "at_least", 1000, "contradicted"),
        (998, "at_least", 1000, "not_established"),
        (900, "at_most", 1000, "supported"),
        (1100, "at_most", 1000, "contradicted"),
        (4, "at_least", 1000, "contradicted"),
        (4, "at_least", 5, "cannot_be_tested"),
    ],
)
def test_reach_is_counted_under_disclosure_control(reach: int, kind: str, value: float, ruling: str) -> None:
    found = rule_claims(plan_for(claims=[{"words": "w", "reach": kind, "value": value}]), (), reach)[0]
    assert found.ruling == ruling
    assert reach in {1100, 900} or str(reach) not in found.sentence


def test_small_reach_is_never_printed() -> None:
    found = rule_claims(plan_for(claims=[{"words": "w", "reach": "at_least", "value": 1000}]), (), 7)[0]
    assert "7" not in found.sentence and "fewer than 10" in found.sentence


# -- other measures ----------------------------------------------------------------------------------------------------


def on(
    measure: str, low: float | None, high: float | None, *, design: str = "comparison_cohort", **claim: Any
) -> ClaimRuling:
    outcomes = {"contact": {"measures": [measure], "better": claim.pop("better", "lower")}}
    source: dict[str, Any] = {"persons": "p.csv", "events": "e.csv"}
    if design == "staggered_areas":
        source = {"areas": "a.csv", "area_counts": "c.csv"}
    if design == "interrupted_series":
        source = {"series": "s.csv"}
    if design == "pooled_trials":
        source = {"trials": "t.csv"}
    full = {"words": "w", "source": "s", "outcome": "contact", "measure": measure} | claim
    row = effect(design=design, measure=measure, verdict_low=low, verdict_high=high, window_days=None)
    return rule_claims(plan_for(design, outcomes=outcomes, source=source, claims=[full]), (row,), 1100)[0]


@pytest.mark.parametrize(
    ("low", "high", "ruling"),
    [
        (-55.0, -35.0, "supported"),
        (-45.0, -10.0, "not_established"),
        (-25.0, -5.0, "weaker_than_claimed"),
        (-25.0, 4.0, "contradicted"),
        (None, -40.0, "supported"),
        (None, 20.0, "not_established"),
    ],
)
def test_a_change_in_per_cent(low: float | None, high: float | None, ruling: str) -> None:
    """ "Strongly fallen": by at least 30 %."""
    found = on("percent_change", low, high, design="staggered_areas", at_most=-30)
    assert found.ruling == ruling
    assert "a fall of at least 30 %" in found.sentence and "een daling van minstens 30 procent" in found.sentence_nl
    as_ratio = on(
        "rate_ratio",
        None if low is None else 1 + low / 100,
        None if high is None else 1 + high / 100,
        design="staggered_areas",
        at_most=0.7,
    )
    assert as_ratio.ruling == ruling


@pytest.mark.parametrize(
    ("bound", "value", "words"),
    [
        ("at_most", -50, "half as much"),
        ("at_most", -90, "almost entirely ceased"),
        ("at_least", 20, "a rise of at least 20 %"),
        ("at_most", 10, "a rise of at most 10 %"),
        ("at_least", -10, "a fall of at most 10 %"),
        ("at_most", 0, "a fall of at least 0 %"),
    ],
)
def test_sizes_in_per_cent_have_words(bound: str, value: float, words: str) -> None:
    assert words in on("percent_change", -60.0, 30.0, design="staggered_areas", **{bound: value}).sentence


def test_a_series_that_should_rise() -> None:
    """Parcels stopped at the border: more is better, and half more is claimed."""
    found = on("level_ratio", 1.1, 1.9, design="interrupted_series", at_least=1.5, better="higher")
    assert found.ruling == "not_established"
    assert found.sentence == "more: supported; at least 1.5 times as much: not established"
    assert found.sentence_nl == "meer: vastgesteld; minstens 1,5 keer zo veel: niet vastgesteld"
    assert on("level_ratio", 1.6, 2.9, design="interrupted_series", at_least=1.5).ruling == "supported"
    assert on("level_ratio", 1.1, 1.4, design="interrupted_series", at_least=1.5).ruling == "weaker_than_claimed"
    assert on("level_ratio", 0.7, 1.4, design="interrupted_series", at_least=1.5).ruling == "contradicted"


def test_a_course_and_a_mean() -> None:
    slope = on("slope_ratio", 0.9, 0.97, design="interrupted_series", at_most=0.95)
    assert slope.sentence.startswith("a course that falls more: supported") and slope.ruling == "not_established"
    mean = on("mean_difference", 0.4, 2.0, design="pooled_trials", at_least=0.3, better="higher")
    assert mean.sentence == "higher: supported; a difference of at least 0.3: supported"


def test_a_claim_of_any_fall_at_all() -> None:
    found = on("odds_ratio", 1.2, 2.4, design="pooled_trials", at_most=1)
    assert found.ruling == "contradicted"
    assert found.sentence == "more often: supported; not more often: contradicted by the data"


def test_finer_rows_are_not_what_a_claim_is_about() -> None:
    ring = effect(analysis="secondary", subgroup="ring=1", verdict_low=0.1, verdict_high=0.2)
    assert rulings(ring, effect(verdict_low=0.6, verdict_high=1.1), at_most=0.5).ruling == "contradicted"


def test_where_trials_differ_a_claim_must_hold_for_the_next_place() -> None:
    claim = {"words": "w", "outcome": "contact", "measure": "odds_ratio", "at_most": 0.8}
    plan = plan_for(
        "pooled_trials", outcomes={"contact": {"measures": ["odds_ratio"]}}, source={"trials": "t.csv"}, claims=[claim]
    )
    next_place = effect(
        measure="odds_ratio", variance="prediction", verdict_low=0.3, verdict_high=1.4, window_days=None
    )
    mean = effect(measure="odds_ratio", analysis="secondary", verdict_low=0.55, verdict_high=0.75, window_days=None)
    assert rule_claims(plan, (next_place, mean), 0)[0].ruling == "not_established"
    assert rule_claims(plan, (mean,), 0)[0].ruling == "supported"


@pytest.mark.parametrize(
    ("design", "reach", "ruling", "said"),
    [
        ("staggered_areas", 47, "supported", "47 areas"),
        ("staggered_areas", 46, "contradicted", "46 areas"),
        ("staggered_areas", 3, "contradicted", "3 areas"),
        ("interrupted_series", 0, "cannot_be_tested", "do not say who took part"),
    ],
)
def test_areas_that_take_part_are_public_and_counted_as_they_are(
    design: str, reach: int, ruling: str, said: str
) -> None:
    tables = {"staggered_areas": ["areas", "area_counts"], "interrupted_series": ["series"]}[design]
    plan = Plan.model_validate(
        {
            "programme": "p",
            "title": "p",
            "design": design,
            "source": {table: f"{table}.csv" for table in tables},
            "outcomes": {"theft": {}},
            "claims": [{"words": "47 gemeenten", "reach": "at_least", "value": 47}],
        }
    )
    (found,) = rule_claims(plan, (), reach)
    assert found.ruling == ruling and said in found.sentence
