"""Score intervals with few events, continued: odds ratios, differences in rates, and clusters.

Here: what `effectmeter.estimators.small_samples` does for risk and rate ratios, for the other measures; and how much
clusters differ. All return `Estimate`; an arm without events gives a bound on one side, never infinity.
"""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from effectmeter.estimators.base import Estimate, EstimationError, FloatArray, SeparationError
from effectmeter.estimators.marginal import check_arms
from effectmeter.estimators.sandwich import quantile, sum_by_unit, two_sided_p
from effectmeter.estimators.small_samples import check_counts, check_rates, invert, signed

Counts = tuple[float, float, float, float]
"""Events and persons (or years), treated and then comparison."""

_WIDEST = 16.0  # log odds ratio; beyond it the most likely risks cannot be told from 0 and 1


def dispersion(
    y: FloatArray,
    size: FloatArray,
    treated01: FloatArray,
    *,
    cluster: NDArray[np.generic] | None = None,
    is_binary: bool = False,
    persons: FloatArray | None = None,
) -> tuple[float, float]:
    """Return by how much units differ more than chance makes them (at least 1), and the degrees of freedom.

    Parameters
    ----------
    y, size, treated01
        (n,) events; persons (ones) or years; 1 for treated.
    cluster
        (n,) clusters, whose sums per arm are then the units.
    is_binary
        Whether chance is binomial (0/1 outcomes) rather than Poisson.
    persons
        (n,) how many persons, all alike, a row stands for; one by default.

    Raises
    ------
    EstimationError
        There are too few units.

    Notes
    -----
    Pearson's statistic around the arms' own levels over its degrees of freedom.

    References
    ----------
    McCullagh & Nelder (1989), Generalized Linear Models, section 4.5.2.
    """
    treated = np.asarray(treated01, dtype=np.float64)
    check_arms(treated)
    total, base, arm = np.asarray(y, np.float64), np.asarray(size, np.float64), treated
    n = np.ones(len(total)) if persons is None else persons
    if cluster is not None:
        _, unit = np.unique(np.unique(cluster, return_inverse=True)[1] * 2 + (treated == 1.0), return_inverse=True)
        n_units = int(unit.max()) + 1
        members = np.bincount(unit, minlength=n_units)
        total, base = (sum_by_unit(n * values, unit, n_units) for values in (total, base))
        arm, n = np.bincount(unit, treated, n_units) / members, np.ones(n_units)
    inside = base > 0.0
    total, base, arm, n = total[inside], base[inside], arm[inside], n[inside]
    degrees = round(float(n.sum())) - 2
    if degrees < 1:
        raise EstimationError("there are too few units to see how much they differ")
    level = np.zeros(len(total))
    for side in (1.0, 0.0):
        mine = arm == side
        if mine.any():
            level[mine] = (n[mine] @ total[mine]) / (n[mine] @ base[mine])
    variance = base * level * ((1.0 - level) if is_binary else 1.0)
    pearson = np.divide((total - base * level) ** 2, variance, out=np.zeros_like(total), where=variance > 0.0)
    return max(1.0, float(n @ pearson) / degrees), float(degrees)


def clustered_counts(counts: Counts, phi: float) -> Counts:
    """Return counts divided by the dispersion: as many independent persons as the clusters are worth.

    References
    ----------
    Rao & Scott (1992), doi:10.2307/2532311.
    """
    return counts[0] / phi, counts[1] / phi, counts[2] / phi, counts[3] / phi


def level_with_df(level: float, df: float | None) -> float:
    """Return the level at which the normal's critical value equals that of the t with `df` at `level`.

    Examples
    --------
    >>> round(level_with_df(0.95, 10), 4), level_with_df(0.95, None)
    (0.9741, 0.95)
    """
    return level if df is None else 2.0 * NormalDist().cdf(quantile(level, df)) - 1.0


def with_reference(estimate: Estimate, level: float, df: float | None) -> Estimate:
    """Return an estimate made at `level_with_df` as one at `level`, with its p-value from the t with `df`."""
    if df is None or estimate.p_value is None:
        return replace(estimate, level=level)
    z = -NormalDist().inv_cdf(max(estimate.p_value / 2.0, 1e-300)) if estimate.p_value < 1.0 else 0.0
    return replace(estimate, level=level, p_value=two_sided_p(z, df))


def score_odds_ratio(
    events_treated: float, n_treated: float, events_comparison: float, n_comparison: float, *, level: float = 0.95
) -> Estimate:
    """Return the score interval of an odds ratio.

    Parameters
    ----------
    events_treated, n_treated, events_comparison, n_comparison
        Persons with an event, and persons, per arm; need not be whole.
    level
        Two-sided level.

    Raises
    ------
    EstimationError
        An arm is empty, nobody has an event, or everybody has one.

    Notes
    -----
    Holds the ratios r with ``(n1 (p1 - q1))^2 (1 / (n1 q1 (1 - q1)) + 1 / (n0 q0 (1 - q0))) (N - 1) / N <= z^2``, q the
    most likely risks whose odds ratio is r (a quadratic).

    References
    ----------
    Miettinen & Nurminen (1985), doi:10.1002/sim.4780040211.
    """
    x1, n1, x0, n0 = check_counts(events_treated, n_treated, events_comparison, n_comparison)
    if x1 >= n1 and x0 >= n0:
        raise SeparationError("everybody in both arms has the event, so there is nothing to compare")
    p1, n, x = x1 / n1, n1 + n0, x1 + x0

    def statistic(log_ratio: float) -> float:
        r = math.exp(log_ratio)
        a, b = n0 * (r - 1.0), n1 * r + n0 - x * (r - 1.0)
        root = math.sqrt(max(b * b + 4.0 * a * x, 0.0))
        q0 = min(max(2.0 * x / (b + root) if b + root > 0.0 else x / n, 1e-15), 1.0 - 1e-15)
        q1 = min(max((x - n0 * q0) / n1, 1e-15), 1.0 - 1e-15)
        inverse = (1.0 / (n1 * q1 * (1.0 - q1)) + 1.0 / (n0 * q0 * (1.0 - q0))) * (n - 1.0) / n
        return signed(n1 * (p1 - q1), 1.0 / inverse)

    is_zero, is_endless = x1 <= 0.0 or x0 >= n0, x0 <= 0.0 or x1 >= n1
    value = 0.0 if is_zero else None if is_endless else x1 * (n0 - x0) / (x0 * (n1 - x1))
    low, high = invert(statistic, math.log(value) if value else None, level, _WIDEST)
    return Estimate(
        value=value,
        std_error=None,
        low=None if is_zero or low is None else math.exp(low),
        high=None if is_endless or high is None else math.exp(high),
        p_value=two_sided_p(statistic(0.0), None),
        level=level,
        estimator="score_odds_ratio",
        variance="score",
    )


def score_rate_difference(
    events_treated: float,
    years_treated: float,
    events_comparison: float,
    years_comparison: float,
    *,
    phi: float = 1.0,
    df: float | None = None,
    level: float = 0.95,
) -> Estimate:
    """Return the score interval of a difference in rates; always has both limits.

    Parameters
    ----------
    events_treated, years_treated, events_comparison, years_comparison
        Events and person-years per arm.
    phi, df
        From `dispersion`: the interval widens with it; t reference.
    level
        Two-sided level.

    Raises
    ------
    EstimationError
        An arm has no time at risk, or neither has events.

    Notes
    -----
    Holds the differences d with ``(r1 - r0 - d)^2 / (phi (q1 / t1 + q0 / t0)) <= z^2``, q the most likely rates that
    differ by d (a quadratic).

    References
    ----------
    Miettinen & Nurminen (1985), doi:10.1002/sim.4780040211, section on rates.
    """
    y1, t1, y0, t0 = events_treated, years_treated, events_comparison, years_comparison
    check_rates(y1, t1, y0, t0)
    r1, r0, total = y1 / t1, y0 / t0, t1 + t0

    def statistic(difference: float) -> float:
        b = total * difference - (y1 + y0)
        q0 = (-b + math.sqrt(max(b * b + 4.0 * total * y0 * difference, 0.0))) / (2.0 * total)
        q0 = max(q0, 0.0, -difference)
        return signed(r1 - r0 - difference, phi * (q0 / t0 + max(q0 + difference, 0.0) / t1))

    point = r1 - r0
    critical = quantile(level, df)
    spread = phi * ((y1 + 1.0) / t1**2 + (y0 + 1.0) / t0**2)
    reach = abs(point) + 4.0 * critical * math.sqrt(spread) + 4.0 * critical**2 * phi * max(1.0 / t1, 1.0 / t0)
    low, high = invert(statistic, point, level_with_df(level, df), reach)
    if low is None or high is None:
        raise EstimationError("the interval of the difference has no end")
    return Estimate(
        value=point,
        std_error=None,
        low=low,
        high=high,
        p_value=two_sided_p(statistic(0.0), df),
        level=level,
        estimator="score_rate_difference",
        variance="score",
    )
