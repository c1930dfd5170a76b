"""Randomisation inference for staggered starts: what the estimate would be had other areas drawn these start dates.

The estimate is linear in the outcomes, so that a redraw is a sum of numbers known beforehand: a thousand redraws take
no longer than one estimate. Needs areas without gaps, each its own cluster.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from effectmeter.estimators.base import EmptyArmError, Estimate, EstimationError, FloatArray
from effectmeter.estimators.group_time import FEWEST_COMPARISON, Comparison
from effectmeter.estimators.group_time_panel import BoolArray, Panel
from effectmeter.estimators.sandwich import IntArray

DRAWS = 999
_SEED = 20210101  # the same data give the same interval


def coefficients(panel: Panel, comparison: Comparison = "not_yet_treated") -> tuple[FloatArray, IntArray]:
    """Return the simple average effect as coefficients (K + 1, T) on the outcomes of each cohort, and the labels (n,).

    The last row is for areas that never start. Without covariates only.
    """
    cohorts = panel.cohorts
    label = np.where(np.isfinite(panel.start), np.searchsorted(cohorts, panel.start), len(cohorts)).astype(np.intp)
    size = np.bincount(label, minlength=len(cohorts) + 1).astype(np.float64)
    starts = np.append(cohorts, np.inf)
    found = np.zeros((len(cohorts) + 1, len(panel.periods)))
    total = 0.0
    for k, cohort in enumerate(cohorts):
        anchor = int(np.searchsorted(panel.periods, cohort)) - 1
        if anchor < 0:
            continue
        for t in range(anchor + 1, len(panel.periods)):
            rest = starts > panel.periods[t] if comparison == "not_yet_treated" else np.isinf(starts)
            others = float(size[rest].sum())
            if others < FEWEST_COMPARISON:
                continue
            total += size[k]
            found[k, t] += 1.0
            found[k, anchor] -= 1.0
            found[rest, t] -= size[k] / others
            found[rest, anchor] += size[k] / others
    if total == 0.0:
        raise EmptyArmError("no area has a period after its start with anything to compare it with")
    return found / total, label


@dataclass(frozen=True, slots=True)
class _Redraws:
    """Sums of each redraw (the real one first): of what is fixed (u) and of what the effect multiplies (v)."""

    sums: FloatArray  # (2, draws + 1)
    inside: FloatArray  # (2 sides, 3 products, draws + 1): sums of squares about the side's mean

    def p_value(self, factor: float) -> float:
        """Return the share of redraws at least as far from 0, once the effect has been taken out."""
        point = self.sums[0] + factor * self.sums[1]
        spread = (self.inside[:, 0] + 2.0 * factor * self.inside[:, 1] + factor**2 * self.inside[:, 2]).sum(axis=0)
        size = np.abs(point) / np.sqrt(np.maximum(spread, 1e-300))
        return float((size[1:] >= size[0] * (1.0 - 1e-9)).sum() + 1.0) / len(point)


def permutation(
    panel: Panel,
    *,
    comparison: Comparison = "not_yet_treated",
    is_ratio: bool = False,
    level: float = 0.95,
    draws: int = DRAWS,
) -> Estimate:
    """Return the simple average effect with the interval of effects that redrawing the start dates does not reject.

    Parameters
    ----------
    is_ratio
        The effect multiplies the outcome of treated area-periods; otherwise it is added.
    draws
        Random redraws.

    Raises
    ------
    EstimationError
        Areas have gaps or share clusters, or there is nothing to compare.

    Notes
    -----
    For a given effect the outcomes without it are known; start dates are then dealt anew over the areas, and the
    estimate over its spread among treated and other areas is compared with the real one. Exact where any area could
    have drawn any date; studentised, so that it also holds in large samples when treated areas vary more.

    References
    ----------
    Young (2019), doi:10.1093/qje/qjy029; MacKinnon & Webb (2020), doi:10.1016/j.jeconom.2020.04.024.
    """
    complete: BoolArray = np.asarray(panel.observed.all(axis=1))
    whole = panel.keep(complete)
    if len(whole.start) < 4 or whole.n_clusters < len(whole.start):
        raise EstimationError("start dates cannot be dealt anew over areas that have gaps or share a cluster")
    by_cohort, label = coefficients(whole, comparison)
    treated = whole.treated
    fixed, moved = (
        (np.where(treated, 0.0, whole.y), np.where(treated, whole.y, 0.0))
        if is_ratio
        else (whole.y, treated.astype(np.float64))
    )
    redraws = _redraw(fixed @ by_cohort.T, moved @ by_cohort.T, label, len(by_cohort) - 1, draws)
    att = float((whole.y * by_cohort[label]).sum())
    shown: Callable[[float], float] = math.exp if is_ratio else float
    null = 0.0
    if not is_ratio:
        centre = att
        width = max(abs(att), float(np.sqrt(redraws.inside[:, 0, 0].sum())), 1e-12)

        def p_at(effect: float) -> float:
            return redraws.p_value(-effect)

    else:
        mean = _treated_mean(whole, by_cohort)
        if not (mean > 0.0 and mean - att > 0.0):
            raise EstimationError("there is no ratio: nothing was counted, or less than nothing would have been")
        centre, width = math.log(mean / (mean - att)), 0.25

        def p_at(effect: float) -> float:
            return redraws.p_value(math.exp(-effect))

    alpha = 1.0 - level
    low, high = (crossing(p_at, centre, side * width, alpha) for side in (-1.0, 1.0))
    return Estimate(
        value=shown(centre),
        std_error=None,
        low=None if low is None else shown(low),
        high=None if high is None else shown(high),
        p_value=p_at(null),
        level=level,
        estimator="permutation",
        variance="permutation",
    )


def _treated_mean(panel: Panel, by_cohort: FloatArray) -> float:
    """Return the mean of the treated area-periods that the effect is averaged over."""
    used = np.zeros(panel.y.shape, dtype=np.bool_)
    for k, cohort in enumerate(panel.cohorts):
        used[panel.start == cohort] = (panel.periods >= cohort) & (by_cohort[k] > 0.0)
    return float(panel.y[used].mean())


def _redraw(fixed: FloatArray, moved: FloatArray, label: IntArray, never: int, draws: int) -> _Redraws:
    """Deal the labels anew and sum; the real labels come first."""
    rng = np.random.default_rng(_SEED)
    n = len(label)
    sums, inside = np.zeros((2, draws + 1)), np.zeros((2, 3, draws + 1))
    who = np.arange(n)
    for draw in range(draws + 1):
        dealt = label if draw == 0 else label[rng.permutation(n)]
        u, v = fixed[who, dealt], moved[who, dealt]
        sums[0, draw], sums[1, draw] = u.sum(), v.sum()
        one = dealt < never
        for side, mask in enumerate((one, ~one)):
            size = int(mask.sum())
            if size < 2:
                continue
            us, vs = u[mask] - u[mask].mean(), v[mask] - v[mask].mean()
            inside[side, :, draw] = np.array([us @ us, us @ vs, vs @ vs]) * (size / (size - 1))
    return _Redraws(sums, inside)


def crossing(p_at: Callable[[float], float], centre: float, step: float, alpha: float) -> float | None:
    """Return where the p-value falls to `alpha` on one side of the centre; None if it does not within reach."""
    inside, outside = centre, centre
    for _ in range(8):
        outside = centre + step
        if p_at(outside) <= alpha:
            break
        inside, step = outside, 2.0 * step
    else:
        return None
    while abs(outside - inside) > 1e-4 * max(abs(step), 1e-12):
        middle = (inside + outside) / 2.0
        inside, outside = (inside, middle) if p_at(middle) <= alpha else (middle, outside)
    return outside
