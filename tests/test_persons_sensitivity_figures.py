"""Figures about an estimate: E-values, tipping points, systematic error, and whether analyses agree."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from analysis_frames import effect
from scipy import optimize, stats

from effectmeter.estimators.agreement import agreement
from effectmeter.estimators.base import Estimate, EstimationError
from effectmeter.estimators.sensitivity import (
    SystematicError,
    as_risk_ratio,
    calibrated,
    e_value,
    e_value_row,
    systematic_error,
    tipping_point,
)


def test_e_values_of_the_paper() -> None:
    # VanderWeele & Ding 2017: RR 3.9 (1.8-8.7) has 7.26 and 3.0; RR 0.80 (0.71-0.91) has 1.81 and 1.43
    assert e_value_row("risk_ratio", 3.9, 1.8, 8.7) == pytest.approx((7.26, 3.0), abs=0.005)
    assert e_value_row("risk_ratio", 0.80, 0.71, 0.91) == pytest.approx((1.81, 1.43), abs=0.005)


def test_common_odds_and_hazards_are_about_a_risk_ratio() -> None:
    assert as_risk_ratio(0.25, "odds_ratio", is_common=True) == 0.5
    expected = (1 - 0.5 ** math.sqrt(0.56)) / (1 - 0.5 ** math.sqrt(1 / 0.56))
    assert as_risk_ratio(0.56, "hazard_ratio", is_common=True) == pytest.approx(expected)
    for measure in ("odds_ratio", "hazard_ratio"):
        one, other = (as_risk_ratio(r, measure, is_common=True) for r in (0.4, 2.5))
        assert one * other == pytest.approx(1.0)
        assert as_risk_ratio(0.4, measure, is_common=False) == 0.4


def test_the_e_value_of_a_bound_is_that_of_its_limit() -> None:
    assert e_value_row("risk_ratio", 0.0, None, 0.5) == (None, pytest.approx(e_value(0.5)))
    assert e_value_row("risk_ratio", None, 2.0, None) == (None, pytest.approx(e_value(2.0)))
    with pytest.raises(EstimationError):
        e_value_row("risk_difference", -0.1, -0.2, 0.0)
    with pytest.raises(EstimationError):
        e_value_row("risk_ratio", None, None, None)


@pytest.mark.parametrize("missing", [(0.1, 0.05), (0.2, 0.0), (0.0, 0.2)])
@pytest.mark.parametrize("interval", [(0.5, 0.8), (1.2, 2.0), (0.6, 1.05), (0.97, 2.0)])
@pytest.mark.parametrize("measure", ["risk_ratio", "rate_ratio", "odds_ratio"])
def test_the_tipping_point_puts_the_limit_on_no_effect(
    measure: str, interval: tuple[float, float], missing: tuple[float, float]
) -> None:
    observed = (0.2, 0.3)
    found = tipping_point(*interval, measure=measure, missing=missing, observed=observed)
    if found.factor is None:
        assert measure != "rate_ratio" or missing[0] == 0.0 or found.direction == "less"
        return
    k = found.factor if found.direction == "more" else 1 / found.factor
    cap = math.inf if measure == "rate_ratio" else 1.0
    full = [
        (1 - share) * level + share * min(level * factor, cap)
        for share, level, factor in zip(missing, observed, (k, 1 / k), strict=True)
    ]

    def contrast(one: float, zero: float) -> float:
        return one / (1 - one) * (1 - zero) / zero if measure == "odds_ratio" else one / zero

    limit = interval[0 if found.limit == "low" else 1]
    assert limit * contrast(*full) / contrast(*observed) == pytest.approx(1.0, abs=1e-6)


def test_swapping_the_arms_gives_the_same_tipping_point() -> None:
    one = tipping_point(0.5, 0.8, measure="rate_ratio", missing=(0.1, 0.2), observed=(1.0, 1.5))
    other = tipping_point(1 / 0.8, 1 / 0.5, measure="rate_ratio", missing=(0.2, 0.1), observed=(1.5, 1.0))
    assert one.factor == pytest.approx(other.factor)
    assert (one.direction, other.direction) == ("more", "less")


def test_few_missing_cannot_turn_a_large_effect() -> None:
    found = tipping_point(0.1, 0.3, measure="risk_ratio", missing=(0.02, 0.02), observed=(0.1, 0.5))
    assert found.factor is None
    with pytest.raises(EstimationError):
        tipping_point(0.1, 0.3, measure="risk_ratio", missing=(0.0, 0.0), observed=(0.1, 0.5))


def test_a_difference_in_means_tips_in_standard_deviations() -> None:
    found = tipping_point(-8.0, -2.0, measure="mean_difference", missing=(0.1, 0.1), scale=10.0)
    assert found.factor == pytest.approx(1.0) and found.direction == "more"


def test_systematic_error_is_the_maximum_likelihood() -> None:
    rng = np.random.default_rng(4)
    se = rng.uniform(0.05, 0.4, 40)
    y = rng.normal(0.2, np.sqrt(0.15**2 + se**2))

    def minus(at: Any) -> float:
        return -float(stats.norm.logpdf(y, at[0], np.sqrt(np.exp(2 * at[1]) + se**2)).sum())

    best = optimize.minimize(minus, [0.0, -2.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12})
    found = systematic_error(y.tolist(), se.tolist())
    assert found.mean == pytest.approx(best.x[0], abs=1e-5)
    assert found.deviation == pytest.approx(math.exp(best.x[1]), abs=1e-5)


def test_calibration_holds_its_level_where_the_design_is_biased() -> None:
    rng, held, raw = np.random.default_rng(8), 0, 0
    for _ in range(400):
        errors = rng.uniform(0.05, 0.2, 11)
        estimates = rng.normal(0.25, 0.1, 11) + rng.normal(0, errors)  # bias of 0.25, the last is the outcome
        found = systematic_error(estimates[:10].tolist(), errors[:10].tolist())
        value, se = math.exp(estimates[10]), float(errors[10])
        low, high = (math.exp(estimates[10] + sign * 1.96 * se) for sign in (-1, 1))
        plain = Estimate(
            value=value, std_error=se, low=low, high=high, p_value=0.0, level=0.95, estimator="x", variance="hc3"
        )
        after = calibrated(plain, found)
        held += after.low <= 1 <= after.high  # type: ignore[operator]
        raw += low <= 1 <= high
    assert held / 400 > 0.92 > 0.6 > raw / 400


def test_calibration_needs_five_controls_and_an_error() -> None:
    with pytest.raises(EstimationError, match="5 outcomes"):
        systematic_error([0.1] * 4, [0.1] * 4)
    bound = Estimate(
        value=0.0, std_error=None, low=None, high=0.5, p_value=0.01, level=0.95, estimator="x", variance="exact"
    )
    with pytest.raises(EstimationError):
        calibrated(bound, SystematicError(0.0, 0.1, 0.05, 5))


def other(**fields: Any) -> Any:
    return effect(analysis="sensitivity", **({"estimator": "matching"} | fields))


@pytest.mark.parametrize(
    ("row", "ruling"),
    [
        ({"estimate": 0.62, "conf_low": 0.5, "conf_high": 0.77}, "agree"),
        ({"estimate": 0.8, "conf_low": 0.6, "conf_high": 1.06}, "differ"),  # outside, and by more than a quarter
        ({"estimate": 0.73, "conf_low": 0.6, "conf_high": 0.9}, "agree"),  # outside, but by less
        ({"estimate": 1.05, "conf_low": 0.7, "conf_high": 1.5}, "differ"),  # the other side of no effect
        ({"estimate": None, "conf_low": None, "conf_high": 0.9}, "agree"),
        ({"estimate": None, "conf_low": 1.1, "conf_high": None}, "differ"),
    ],
)
def test_analyses_agree_or_differ(row: dict[str, Any], ruling: str) -> None:
    assert agreement(effect(), [effect(), other(**row)]).ruling == ruling


def test_agreement_reads_effects_of_the_same_question_only() -> None:
    rows = [
        effect(),
        effect(analysis="unadjusted", estimate=1.4, conf_low=1.1, conf_high=1.8),
        other(estimator="e_value", estimate=2.7, conf_low=2.1, conf_high=None),
        other(outcome="other", estimate=3.0, conf_low=2.0, conf_high=4.0),
        other(status="not_estimable", estimate=None, conf_low=None, conf_high=None),
    ]
    assert agreement(rows[0], rows).ruling == "not_evaluated"
    wider = other(estimate=0.65, conf_low=0.4, conf_high=1.05)
    found = agreement(rows[0], [*rows, wider])
    assert (found.ruling, found.n, found.uncertain, found.smallest, found.largest) == ("agree", 1, (wider,), 0.6, 0.65)


def test_differences_agree_by_the_width_of_the_interval() -> None:
    primary = effect(measure="mean_difference", estimate=-4.0, conf_low=-8.0, conf_high=0.5)
    near = other(measure="mean_difference", estimate=-1.0, conf_low=-5.0, conf_high=3.0)
    far = other(measure="mean_difference", estimate=5.0, conf_low=1.0, conf_high=9.0)
    assert agreement(primary, [near]).ruling == "agree"
    assert agreement(primary, [near, far]).against == (far,)
