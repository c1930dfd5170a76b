"""Counts of areas by periods: Poisson with an effect per area and per period, every treated area-period left free.

Freed area-periods fit themselves, so the fit is that of the untreated ones, and the effect is what was counted over
what these predict. With a constant population this equals the Poisson regression with cohort-by-period terms. Area
effects are profiled out in closed form, so that thousands of areas take no longer than their counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from effectmeter.estimators.base import (
    ConvergenceError,
    EmptyArmError,
    EstimationError,
    FloatArray,
    NoEventsError,
)
from effectmeter.estimators.group_time_panel import BoolArray, Effect, Panel, Shares

EXACT_JACKKNIFE = 400
"""Up to so many clusters, each is left out of the period effects exactly; above it, to first order."""


@dataclass(frozen=True, kw_only=True)
class PoissonEffect:
    """Treated area-periods against what the untreated ones predict.

    Attributes
    ----------
    observed, expected
        (n,) per area, summed over its treated periods that could be predicted.
    comparison_observed, comparison_expected
        (n,) the same of untreated area-periods from the first start on; what is expected is the fit's.
    n_left_out
        Treated area-periods without a prediction: no untreated area has events in that period.
    effect
        Both per unit of population (or area-period), with errors; its ratio is the rate ratio.
    """

    observed: FloatArray = field(repr=False)
    expected: FloatArray = field(repr=False)
    comparison_observed: FloatArray = field(repr=False)
    comparison_expected: FloatArray = field(repr=False)
    n_left_out: int
    effect: Effect

    @property
    def totals(self) -> tuple[float, float]:
        """Events counted and expected."""
        return float(self.observed.sum()), float(self.expected.sum())


@dataclass(frozen=True, slots=True)
class _Fit:
    """Period effects from untreated area-periods.

    Attributes
    ----------
    period
        (T,) log effects; minus infinity where untreated areas had no events.
    share
        (n, T) of an area's untreated events that belong to each period.
    total
        (n,) an area's untreated events.
    score
        (n, T) each area's score.
    information
        (T, T), singular by one constant.
    """

    period: FloatArray
    share: FloatArray
    total: FloatArray
    score: FloatArray
    information: FloatArray


def poisson_effect(
    counts: FloatArray,
    exposure: FloatArray,
    panel: Panel,
    *,
    treated: BoolArray | None = None,
    variance: str = "cr3",
) -> PoissonEffect:
    """Return the effect on treated area-periods.

    Parameters
    ----------
    counts, exposure
        (n, T) events and population (1 without); NaN where unknown.
    panel
        For starts and clusters.
    treated
        (n, T) the area-periods whose effect is asked, by default all from the start on. Area-periods after a start
        never take part in the fit.
    variance
        ``cr3`` (leave one cluster out), ``cr1`` or ``cr0``.

    Raises
    ------
    NoEventsError, EmptyArmError
        Nothing was counted where it matters, or there is nothing to compare with.

    Notes
    -----
    A pseudo-likelihood: counts need not be Poisson, their mean must be area times period. The error is by cluster.

    References
    ----------
    Wooldridge (2023), doi:10.1093/ectj/utad016; Hausman, Hall & Griliches (1984), doi:10.2307/1911191 (profiling).
    """
    known = ~np.isnan(counts) & (np.nan_to_num(exposure) > 0.0)
    asked = panel.treated if treated is None else treated
    asked = asked & known
    if not asked.any():
        raise EmptyArmError("no area has a period after its start")
    free = known & ~panel.treated & ~asked
    y, size = np.where(known, counts, 0.0), np.where(known, exposure, 0.0)
    fit = _fit_periods(y, size, free)
    effect = np.exp(fit.period)
    predictable = asked & (effect > 0.0)[None, :] & (np.where(free, size * effect, 0.0).sum(axis=1) > 0.0)[:, None]
    if not predictable.any():
        raise EmptyArmError("no treated area-period has anything to be compared with")
    ahead = np.where(predictable, size * effect, 0.0)
    behind = np.where(free, size * effect, 0.0)
    base = np.where(behind.sum(axis=1) > 0.0, behind.sum(axis=1), 1.0)
    times = ahead.sum(axis=1) / base
    expected = fit.total * times
    observed = np.where(predictable, y, 0.0).sum(axis=1)
    if expected.sum() <= 0.0:
        raise NoEventsError("treated areas had no events before their start, so that nothing can be expected")
    gradient = ((fit.total / base)[:, None] * (ahead - times[:, None] * behind)).sum(axis=0) / expected.sum()
    at_risk = np.where(predictable, size, 0.0).sum(axis=1)
    sums = [np.bincount(panel.cluster, v, panel.n_clusters).astype(np.float64) for v in (observed, expected, at_risk)]
    later = free & (panel.periods >= panel.periods[asked.any(axis=0)].min())[None, :]
    return PoissonEffect(
        observed=observed,
        expected=expected,
        comparison_observed=np.where(later, y, 0.0).sum(axis=1),
        comparison_expected=np.where(later, fit.total[:, None] * fit.share, 0.0).sum(axis=1),
        n_left_out=int(asked.sum() - predictable.sum()),
        effect=_effect(fit, sums[0], sums[1], sums[2], gradient, panel, variance),
    )


def _fit_periods(y: FloatArray, size: FloatArray, free: BoolArray) -> _Fit:
    """Maximise the profile likelihood of the period effects over untreated area-periods."""
    own = np.where(free, y, 0.0)
    total = own.sum(axis=1)
    events = own.sum(axis=0)
    live = events > 0.0
    if not live.any():
        raise NoEventsError("no events were counted without the programme")
    weight = np.where(free & live[None, :], size, 0.0)[total > 0.0]
    sums = total[total > 0.0]
    exposed = weight.sum(axis=0)
    effect = np.where(live, np.log(np.where(live, events, 1.0) / np.where(exposed > 0.0, exposed, 1.0)), -np.inf)
    information = np.zeros((len(live), len(live)))
    rest = np.flatnonzero(live)[1:]  # known up to a constant: the first stays where it is
    with np.errstate(invalid="ignore"):
        for _ in range(100):
            raw = weight * np.exp(effect)
            share = raw / raw.sum(axis=1, keepdims=True)
            gap = events - sums @ share
            information = np.diag(sums @ share) - (share * sums[:, None]).T @ share
            step = np.zeros(len(live))
            step[rest] = _solved(information[np.ix_(rest, rest)], gap[rest])
            step *= min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300))
            effect = effect + step
            if np.abs(step).max() < 1e-11:
                break
        else:
            raise ConvergenceError("the period effects did not reach their maximum")
    everywhere = np.zeros(y.shape)
    everywhere[total > 0.0] = share
    score = own - total[:, None] * everywhere
    return _Fit(effect, everywhere, total, score, information)


def _solved(matrix: FloatArray, right: FloatArray) -> FloatArray:
    """Return the solution; the shortest one where there are many."""
    try:
        found = np.linalg.solve(matrix, right)
        if np.isfinite(found).all() and np.abs(found).max(initial=0.0) < 1e3:
            return np.asarray(found, dtype=np.float64)
    except np.linalg.LinAlgError:
        pass
    return np.asarray(np.linalg.lstsq(matrix, right, rcond=1e-11)[0], dtype=np.float64)


def _effect(
    fit: _Fit,
    seen: FloatArray,
    expected: FloatArray,
    size: FloatArray,
    gradient: FloatArray,
    panel: Panel,
    variance: str,
) -> Effect:
    """Return the effect from sums per cluster; `gradient` is that of the log of the expected count."""
    mean, without = float(seen.sum() / size.sum()), float(expected.sum() / size.sum())
    factor = math.sqrt(len(size) / max(len(size) - 1, 1)) if variance == "cr1" else 1.0
    left = size.sum() - size if variance == "cr3" else np.full(len(size), size.sum())
    if float(left.min()) <= 1e-9 * float(size.sum()):
        raise EstimationError("this rests on one area, so that nothing can be said about precision")
    is_treated = size > 0.0
    own = factor * (seen - mean * size) / left
    indirect = _period_shares(fit, gradient, panel, variance)
    theirs = factor * ((expected - without * size) / left + without * indirect)
    return Effect(
        att=mean - without,
        mean=mean,
        att_shares=Shares(values=own - theirs, is_treated=is_treated),
        mean_shares=Shares(values=own, is_treated=is_treated),
        estimator="poisson_fe",
        variance=variance,
    )


def _period_shares(fit: _Fit, gradient: FloatArray, panel: Panel, variance: str) -> FloatArray:
    """Return what each cluster adds to the log of the expected count through the period effects."""
    unit, size = panel.cluster, panel.n_clusters
    score = np.zeros((size, fit.score.shape[1]))
    np.add.at(score, unit, fit.score)
    # period effects are known up to a constant: the first live one is held at its value
    used = np.flatnonzero(np.isfinite(fit.period))[1:]
    if not len(used):
        return np.zeros(size)
    information, slope, score = fit.information[np.ix_(used, used)], gradient[used], score[:, used]
    if variance != "cr3" or size > EXACT_JACKKNIFE:
        result: FloatArray = score @ np.linalg.lstsq(information, slope, rcond=1e-11)[0]
        return result * (size / max(size - 1, 1) if variance == "cr3" else 1.0)
    weighted = fit.share[:, used] * fit.total[:, None]
    rest = np.repeat(information[None], size, axis=0)
    places = np.arange(len(used))
    for area, cluster in enumerate(unit):
        rest[cluster] += np.outer(weighted[area], fit.share[area, used])
        rest[cluster, places, places] -= weighted[area]
    target = np.broadcast_to(slope, score.shape)[..., None]
    try:
        steps = np.asarray(np.linalg.solve(rest, target)[..., 0], dtype=np.float64)
    except np.linalg.LinAlgError:
        steps = np.array([np.linalg.lstsq(part, slope, rcond=1e-11)[0] for part in rest])
    shares: FloatArray = (score * steps).sum(axis=1)
    return shares
