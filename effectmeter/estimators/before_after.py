"""Counts before and after a start, in few clusters: a change, and the difference in change between arms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from effectmeter.estimators.base import Estimate, EstimationError, FloatArray, SeparationError
from effectmeter.estimators.marginal import check_arms
from effectmeter.estimators.sandwich import sum_by_unit, wald

FURTHEST = 8.0
"""A log ratio that stands for one without end: a fall to, or a rise from, nothing."""


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


def change_bound(
    before: FloatArray,
    after: FloatArray,
    years_before: FloatArray,
    years_after: FloatArray,
    *,
    cluster: NDArray[np.generic] | None = None,
    level: float = 0.95,
) -> Estimate:
    """Return the score interval of a change, for where one side of the start has no events and `change` has no fit.

    Parameters are those of `change`. The periods are taken as if they were of different clusters, and clusters' own
    levels as dispersion: both make the bound wider than it need be, never narrower.
    """
    from effectmeter.estimators.small_samples import quasi_score_rate_ratio

    label = np.arange(len(before)) if cluster is None else cluster
    return quasi_score_rate_ratio(
        np.concatenate([after, before]),
        np.concatenate([years_after, years_before]),
        np.repeat([1.0, 0.0], len(before)),
        cluster=np.concatenate([label, label]),
        level=level,
    )


def difference_in_change_bound(
    before: FloatArray,
    after: FloatArray,
    years_before: FloatArray,
    years_after: FloatArray,
    treated01: FloatArray,
    *,
    cluster: NDArray[np.generic] | None = None,
    level: float = 0.95,
) -> Estimate:
    """Return the bound on the ratio of two changes, for where an arm has no events on one side of the start.

    Notes
    -----
    The limits of the arms' changes (`change_bound`), divided; each arm at half the error, so that both hold together
    (Bonferroni). There is no p-value.
    """
    arms = []
    for arm in (1.0, 0.0):
        who = treated01 == arm
        own = None if cluster is None else cluster[who]
        numbers = (before[who], after[who], years_before[who], years_after[who])
        arms.append(change_bound(*numbers, cluster=own, level=(1.0 + level) / 2.0))
    one, zero = arms

    def divided(above: float | None, below: float | None) -> float | None:
        return above / below if above is not None and below else None

    value = divided(one.value, zero.value)
    return Estimate(
        value=value,
        std_error=None,
        low=divided(one.low, zero.high) or None,
        high=divided(one.high, zero.low),
        p_value=None,
        level=level,
        estimator=one.estimator,
        variance=one.variance,
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
    informative clusters' Welch-Satterthwaite degrees of freedom over both arms, since the smaller arm
    decides the precision.
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
    """Return the ratio of `difference_in_change` with a permutation p-value and interval, for few clusters.

    Arm labels are dealt anew over the informative clusters, `n_permutations` times from `seed`.

    Notes
    -----
    For a ratio r, treated clusters' offsets are moved by ``log r``; all clusters then share one change, fitted, with
    residuals ``q = after - total p``. The statistic is the efficient score ``sum (t - tbar) q`` over the root of its
    sum of squares, which keeps the test valid when arms differ in spread. The interval holds the r that are not
    rejected. With one arm without events on a side the value is 0 or None (without end) and there is only the other
    limit; a limit that is not found is None.

    References
    ----------
    Janssen (1997), doi:10.1016/S0167-7152(97)00043-6; Gail, Mark, Carroll, Green & Pee (1996),
    doi:10.1002/(SICI)1097-0258(19960615)15:11<1069::AID-SIM220>3.0.CO;2-Q.
    """
    units = _informative(before, after, years_before, years_after, treated01, cluster)
    rng = np.random.default_rng(seed)
    labels = np.array([rng.permutation(units.treated) for _ in range(n_permutations)])

    def p_value(log_ratio: float) -> float:
        moved = units.log_time_ratio + log_ratio * units.treated
        _, q, information = _fit(units.after, units.after + units.before, moved)
        observed = abs(_scores(units.treated[None, :], q, information)[0])
        dealt = np.abs(_scores(labels, q, information))
        return float((1.0 + (dealt >= observed - 1e-12).sum()) / (n_permutations + 1.0))

    try:
        point: float | None = difference_in_change(
            before, after, years_before, years_after, treated01, cluster=cluster, level=level
        ).value
    except SeparationError:
        point = None
    centre = _endless(units) if point is None else float(np.log(point))
    low, high = (_crossing(p_value, centre, side, 1.0 - level) for side in (-1.0, 1.0))
    if point is None and low is None and high is None:
        raise SeparationError("an arm has no events on one side of the start, and the permutations give no bound")
    return Estimate(
        value=0.0 if point is None and centre < 0.0 else point,
        std_error=None,
        low=None if low is None else float(np.exp(low)),
        high=None if high is None else float(np.exp(high)),
        p_value=p_value(0.0),
        level=level,
        estimator="conditional_poisson",
        variance="permutation",
    )


def difference_in_change_bayes(
    before: FloatArray,
    after: FloatArray,
    years_before: FloatArray,
    years_after: FloatArray,
    treated01: FloatArray,
    *,
    cluster: NDArray[np.generic] | None = None,
    level: float = 0.95,
    prior_sd: float = 1.0,
    prior_sd_clusters: float = 0.5,
) -> Estimate:
    """Return the posterior median of the ratio of changes with its central credible interval, for few clusters.

    Parameters
    ----------
    prior_sd
        Deviation of the normal priors, around 0, of the log change in comparison clusters and of the log ratio.
    prior_sd_clusters
        Scale of the half-normal prior of tau, by how much clusters' own log changes differ.

    Notes
    -----
    ``after_c | total_c ~ Binomial(total_c, expit(b + d t_c + u_c + offset_c))``, ``u_c ~ N(0, tau^2)``. Exact up to the
    grid: u by Gauss-Hermite quadrature, b, d and tau on grids. `value` is the median, `std_error` the posterior
    deviation of the log ratio; there is no p-value.

    References
    ----------
    Spiegelhalter, Abrams & Myles (2004), doi:10.1002/0470092602; Gelman (2006), doi:10.1214/06-BA117A.
    """
    units = _informative(before, after, years_before, years_after, treated01, cluster)
    half_width, step = 6.0, 0.1
    grid = np.arange(-half_width, half_width + step / 2.0, step)
    taus = np.linspace(0.0, 4.0 * prior_sd_clusters, 17)
    one, zero = (_marginal_likelihood(units, units.treated == arm, grid, taus) for arm in (1.0, 0.0))
    shifts = np.arange(-len(grid) + 1, len(grid))
    prior = np.exp(-0.5 * (grid / prior_sd) ** 2)
    tau_prior = np.exp(-0.5 * (taus / prior_sd_clusters) ** 2)
    posterior = np.zeros(len(shifts))
    for j in range(len(taus)):  # sum over b of L1(b + d) L0(b) prior(b) is a correlation
        posterior += tau_prior[j] * np.correlate(one[j], zero[j] * prior, mode="full")
    posterior = np.maximum(posterior, 0.0) * np.exp(-0.5 * (shifts * step / prior_sd) ** 2)
    posterior /= posterior.sum()
    cumulative = np.cumsum(posterior) - posterior / 2.0
    tail = (1.0 - level) / 2.0
    low, median, high = np.exp(np.interp([tail, 0.5, 1.0 - tail], cumulative, shifts * step))
    mean = float(posterior @ (shifts * step))
    return Estimate(
        value=float(median),
        std_error=float(np.sqrt(posterior @ (shifts * step - mean) ** 2)),
        low=float(low),
        high=float(high),
        p_value=None,
        level=level,
        estimator="conditional_poisson",
        variance="bayes",
    )


def _informative(
    before: FloatArray,
    after: FloatArray,
    years_before: FloatArray,
    years_after: FloatArray,
    treated01: FloatArray,
    cluster: NDArray[np.generic] | None,
) -> _Clusters:
    """Return the clusters with events, or say that an arm has none."""
    check_arms(np.asarray(treated01, dtype=np.float64))
    units = _aggregate(before, after, years_before, years_after, treated01, cluster)
    if not 0.0 < units.treated.sum() < len(units.treated):
        raise EstimationError("an arm has no cluster with any event")
    if units.after.sum() == 0.0 or units.before.sum() == 0.0:
        raise SeparationError("there are no events on one side of the start, so nothing can be said of the change")
    return units


def _scores(labels: FloatArray, q: FloatArray, information: FloatArray) -> FloatArray:
    """Return the studentised efficient score (r,) of each dealing of the labels (r, g)."""
    centred = labels - (labels @ information / information.sum())[:, None]
    contribution = centred * q
    result: FloatArray = contribution.sum(axis=1) / np.maximum(np.sqrt((contribution**2).sum(axis=1)), 1e-300)
    return result


def _endless(units: _Clusters) -> float:
    """Return the end of the scale that the ratio runs to where an arm has no events on a side."""
    one, zero = units.treated == 1.0, units.treated == 0.0
    falls = units.after[one].sum() == 0.0 or units.before[zero].sum() == 0.0
    rises = units.before[one].sum() == 0.0 or units.after[zero].sum() == 0.0
    if falls == rises:
        raise SeparationError("there are no events on one side of the start in either arm")
    return -FURTHEST if falls else FURTHEST


def _crossing(p_value: Callable[[float], float], centre: float, side: float, alpha: float) -> float | None:
    """Return where the p-value falls to `alpha` on one side of the centre; None if it does not within e^16."""
    inside, outside = centre, centre
    if p_value(centre) <= alpha:
        return None
    for width in (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0):
        outside = centre + side * width
        if p_value(outside) <= alpha:
            break
        inside = outside
    else:
        return None
    while abs(outside - inside) > 1e-4:
        middle = (inside + outside) / 2.0
        inside, outside = (inside, middle) if p_value(middle) <= alpha else (middle, outside)
    return outside


def _marginal_likelihood(units: _Clusters, inside: NDArray[np.bool_], grid: FloatArray, taus: FloatArray) -> FloatArray:
    """Return one arm's likelihood (taus, grid) of its log change, clusters' own changes integrated out."""
    nodes, node_weights = np.polynomial.hermite_e.hermegauss(15)
    a, total, offset = units.after[inside], (units.after + units.before)[inside], units.log_time_ratio[inside]
    result = np.empty((len(taus), len(grid)))
    for j, tau in enumerate(taus):
        eta = grid[:, None, None] + offset[None, :, None] + tau * nodes[None, None, :]
        log_likelihood = a[None, :, None] * eta - total[None, :, None] * np.logaddexp(0.0, eta)
        peak = log_likelihood.max(axis=2, keepdims=True)
        mixed = np.log(np.exp(log_likelihood - peak) @ (node_weights / node_weights.sum())) + peak[:, :, 0]
        result[j] = mixed.sum(axis=1)
    likelihood: FloatArray = np.exp(result - result.max())
    return likelihood


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
        sum_by_unit(np.asarray(values, dtype=np.float64), unit.astype(np.intp), g)
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
    beta, residual, information = _fit(a, total, offset)
    return beta, residual / np.maximum(information.sum() - information, 1e-12)


def _fit(a: FloatArray, total: FloatArray, offset: FloatArray) -> tuple[float, FloatArray, FloatArray]:
    """Return the log ratio, and per cluster the residual and the information."""
    beta = float(np.log(a.sum() / (total.sum() - a.sum())) - np.average(offset, weights=total))
    for _ in range(100):
        p = 1.0 / (1.0 + np.exp(-(beta + offset)))
        step = float((a - total * p).sum() / (total * p * (1.0 - p)).sum())
        beta += float(np.clip(step, -2.0, 2.0))
        if abs(step) < 1e-13:
            break
    p = 1.0 / (1.0 + np.exp(-(beta + offset)))
    return beta, a - total * p, total * p * (1.0 - p)
