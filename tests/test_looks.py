"""The interval over all quarterly looks keeps its promise, and never is narrower than the ordinary one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from effectmeter.looks import mixture_multiplier, verdict_interval, verdict_level, wald_bounds
from effectmeter.plan import Looks

SEQUENCE = Looks()
NONE = Looks(method="none")
SPENDING = Looks(method="alpha_spending", planned=8)


def test_false_alarms_over_eight_looks_stay_below_five_per_cent() -> None:
    rng = np.random.default_rng(11)
    looks = np.arange(1, 9) * 25.0
    sums = rng.normal(size=(4000, 8)) * 5.0
    error = 1 / np.sqrt(looks)
    means = np.cumsum(sums, axis=1) / looks
    naive = (np.abs(means / error) > 1.96).any(axis=1).mean()
    limits = np.array([mixture_multiplier(float(e)) for e in error])
    sequence = (np.abs(means / error) > limits).any(axis=1).mean()
    spending = (np.abs(means / error) > 2.734).any(axis=1).mean()
    assert naive > 0.12  # what the interval over all looks is for
    assert sequence < 0.05 and spending < 0.05


def test_the_multiplier_is_least_near_the_error_it_is_tuned_for() -> None:
    at = {error: mixture_multiplier(error) for error in (0.05, 0.1, 0.2, 0.4, 0.8)}
    assert min(at.values()) == at[0.2]
    assert at[0.2] == pytest.approx(3.035, abs=0.001)


@pytest.mark.parametrize("scale", [0.1, 5.0])
def test_differences_are_tuned_on_their_own_scale(scale: float) -> None:
    assert mixture_multiplier(0.2 * scale, scale=scale) == pytest.approx(mixture_multiplier(0.2))


def test_alpha_spending_shares_alpha_over_the_planned_looks() -> None:
    assert verdict_level(0.3, SPENDING) == pytest.approx(1 - 0.05 / 8)
    low, high = verdict_interval(1.0, 0.1, 0.82, 1.22, looks=SPENDING)
    assert high == pytest.approx(math.exp(2.734 * 0.1), abs=1e-3)
    assert low == pytest.approx(1 / (high or 1))


def test_no_correction_gives_the_ordinary_interval() -> None:
    assert verdict_interval(0.7, 0.1, 0.58, 0.85, looks=NONE) == (0.58, 0.85)


def test_a_t_reference_is_kept() -> None:
    normal = verdict_interval(0.7, 0.2, *wald_bounds(0.7, 0.2, is_ratio=True, level=0.95), looks=SEQUENCE)
    t = verdict_interval(0.7, 0.2, *wald_bounds(0.7, 0.2, is_ratio=True, level=0.95, df=9), looks=SEQUENCE, df=9)
    assert (t[0] or 0) < (normal[0] or 0) < (normal[1] or 0) < (t[1] or 0)


def test_other_intervals_are_asked_again_at_a_wider_level() -> None:
    asked: list[float] = []

    def refit(level: float) -> tuple[float | None, float | None]:
        asked.append(level)
        return 0.2, 1.4

    assert verdict_interval(0.6, None, 0.4, 0.9, looks=SEQUENCE, refit=refit) == (0.2, 1.4)
    assert asked[0] > 0.95


def test_a_bound_stays_a_bound() -> None:
    assert verdict_interval(0.0, None, None, 0.3, looks=SEQUENCE, refit=lambda level: (None, 0.5)) == (None, 0.5)
    assert verdict_interval(None, None, None, None, looks=SEQUENCE) == (None, None)


def test_never_inside_the_ordinary_interval() -> None:
    assert verdict_interval(0.6, None, 0.4, 0.9, looks=SEQUENCE, refit=lambda level: (0.5, 0.8)) == (0.4, 0.9)
