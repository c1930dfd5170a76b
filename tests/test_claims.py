"""Every cell of the rule table for public claims, and what is said."""

from __future__ import annotations

from typing import Any

import pytest
from analysis_frames import effect, plan_for

from effectmeter.claims import rule_at_least, rule_at_most, rule_claims
from effectmeter.plan import Claim
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
