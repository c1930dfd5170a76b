"""Counts before and after a start, in few clusters: a change, and the difference in change between arms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from effectmeter.estimators.base import Estimate, EstimationError, FloatArray, SeparationError
from effectmeter.estimators.marginal import check_arms
from effectmeter.estimators.sandwich import wald


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clusters:
    """Counts and time per cluster that has any event.

    Attributes
    ----------
    before, after
        (g,) events.
    log_time_ratio
        (g,) log of time at risk after over before.
    treated
        (g,) 1 or 0.
    """

    before: FloatArray
    after: FloatArray
    log_time_ratio: FloatArray
    treated: FloatArray


def change(
    before: FloatArray,
    after: FloatArray,
    years_before: FloatArray,
    years_after: FloatArray,
    *,
    cluster: NDArray[np.generic] | None = None,
    level: float = 0.95,
) -> Estimate:
    """Compare the rate of events after a start with that before it, in the same clusters.

    Parameters
    ----------
    before, after
        (n,) events per person (or family).
    years_before, years_after
        (n,) time at risk in years.
    cluster
        (n,) family or site; persons by default.
    level
        Of the interval.

    Returns
    -------
    Estimate
        Ratio after / before; estimator ``conditional_poisson``, variance ``cr3``, t with informative clusters - 1.

    Raises
    ------
    SeparationError
        No events after, or none before: there is only a bound.
    EstimationError
        No events at all, or fewer than two clusters with any.

    Notes
    -----
    Given a cluster's total, its events after are binomial:
    ``after | total ~ Binomial(total, expit(beta + log(t_after / t_before)))``, which frees the ratio from what each
    cluster is like. Clusters without events carry nothing. The error is the cluster jackknife (CR3). (statsmodels'
    `ConditionalPoisson` drops clusters whose counts do not change, which exaggerates the change.)

    References
    ----------
    Farrington & Whitaker (2006), doi:10.1111/j.1467-9876.2006.00554.x; Bell & McCaffrey (2002).
    """
    units = _aggregate(before, after, years_before, years_after, np.ones(len(before)), cluster)
    log_ratio, share = _log_change(units, np.ones(len(units.after), dtype=np.bool_))
    return wald(
        log_ratio,
        float(np.sqrt((share**2).sum())),
        level=level,
        estimator="conditional_poisson",
        variance="cr3",
        df=float(len(share) - 1),
        is_log=True,
    )


def difference_in_change(
    before: FloatArray,
    after: FloatArray,
    years_before: FloatArray,
    years_after: FloatArray,
    treated01: FloatArray,
    *,
    cluster: NDArray[np.generic] | None = None,
    level: float = 0.95,
) -> Estimate:
    """Compare the change in treated clusters with that in comparison clusters: a ratio of rate ratios.

    Parameters are those of `change`, with (n,) `treated01` constant within clusters. The t reference has the
    informative clusters' Welch-Satterthwaite degrees of freedom over both arms, since the smaller arm decides the precision.
    """
    check_arms(np.asarray(treated01, dtype=np.float64))
    units = _aggregate(before, after, years_before, years_after, treated01, cluster)
    one, one_share = _log_change(units, units.treated == 1.0)
    zero, zero_share = _log_change(units, units.treated == 0.0)
    v1, v0 = float((one_share**2).sum()), float((zero_share**2).sum())
    return wald(
        one - zero,
        float(np.sqrt(v1 + v0)),
        level=level,
        estimator="conditional_poisson",
        variance="cr3",
        df=(v1 + v0) ** 2 / (v1**2 / (len(one_share) - 1) + v0**2 / (len(zero_share) - 1)),
        is_log=True,
    )


def difference_in_change_permutation(
    before: FloatArray,
    after: FloatArray,
    years_before: FloatArray,
    years_after: FloatArray,
    treated01: FloatArray,
    *,
    cluster: NDArray[np.generic] | None = None,
    level: float = 0.95,
    n_permutations: int = 1999,
    seed: int = 20260101,
) -> Estimate:
    """Return the same ratio with a permutation p-value and interval: arm labels are dealt anew over clusters.

    Notes
    -----
    The statistic is the studentised log ratio, which keeps the test valid when arms differ in spread. The interval
    holds the ratios ``r`` that are not rejected when treated clusters' offsets are moved by ``log r``.

    References
    ----------
    Janssen (1997), doi:10.1016/S0167-7152(97)00043-6; Ernst (2004), doi:10.1214/088342304000000396.
    """
    raise NotImplementedError


def difference_in_change_bayes(
    before: FloatArray,
    after: FloatArray,
    years_before: FloatArray,
    years_after: FloatArray,
    treated01: FloatArray,
    *,
    cluster: NDArray[np.generic] | None = None,
    level: float = 0.95,
) -> Estimate:
    """Return the posterior median of the same ratio with its credible interval."""
    raise NotImplementedError


def _aggregate(
    before: FloatArray,
    after: FloatArray,
    years_before: FloatArray,
    years_after: FloatArray,
    treated01: FloatArray,
    cluster: NDArray[np.generic] | None,
) -> _Clusters:
    """Return the counts and times of clusters that have events; without time on one side they carry nothing."""
    n = len(before)
    unit = np.arange(n) if cluster is None else np.unique(cluster, return_inverse=True)[1]
    g = int(unit.max()) + 1 if n else 0
    sums = [
        np.bincount(unit, np.asarray(values, dtype=np.float64), g)
        for values in (before, after, years_before, years_after, treated01, np.ones(n))
    ]
    b, a, tb, ta, t, size = sums
    arm = t / np.maximum(size, 1.0)
    if not np.isin(arm, (0.0, 1.0)).all():
        raise EstimationError("a cluster has persons of both arms, so its change belongs to neither")
    informative = (a + b > 0.0) & (ta > 0.0) & (tb > 0.0)
    return _Clusters(
        before=b[informative],
        after=a[informative],
        log_time_ratio=np.log(ta[informative] / tb[informative]),
        treated=arm[informative],
    )


def _log_change(units: _Clusters, inside: NDArray[np.bool_]) -> tuple[float, FloatArray]:
    """Return the log ratio of one arm and each cluster's jackknifed influence on it."""
    a, total, offset = units.after[inside], (units.after + units.before)[inside], units.log_time_ratio[inside]
    if len(a) < 2:
        raise EstimationError("fewer than two clusters have any event")
    if a.sum() == 0.0 or a.sum() == total.sum():
        raise SeparationError("there are no events on one side of the start, so there is only a bound on the ratio")
    beta = float(np.log(a.sum() / (total.sum() - a.sum())) - np.average(offset, weights=total))
    for _ in range(100):
        p = 1.0 / (1.0 + np.exp(-(beta + offset)))
        step = float((a - total * p).sum() / (total * p * (1.0 - p)).sum())
        beta += float(np.clip(step, -2.0, 2.0))
        if abs(step) < 1e-13:
            break
    p = 1.0 / (1.0 + np.exp(-(beta + offset)))
    information = total * p * (1.0 - p)
    rest = np.maximum(information.sum() - information, 1e-12)
    return beta, (a - total * p) / rest
