"""The difference in change between arms where clusters are few: by permutation, and with stated priors.

Here: both methods. Not here: the estimate that they stand beside (`effectmeter.estimators.before_after`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from effectmeter.estimators.base import Estimate, EstimationError, FloatArray, SeparationError
from effectmeter.estimators.before_after import Clusters, aggregate, difference_in_change, fit_change
from effectmeter.estimators.marginal import check_arms

FURTHEST = 8.0
"""A log ratio that stands for one without end: a fall to, or a rise from, nothing."""


def difference_in_change_permutation(
    *counts: FloatArray,
    cluster: NDArray[np.generic] | None = None,
    level: float = 0.95,
    n_permutations: int = 1999,
    seed: int = 20260101,
) -> Estimate:
    """Return the ratio of `difference_in_change` with a permutation p-value and interval, for few clusters.

    `counts` are the arrays of `difference_in_change`, in its order. Arm labels are dealt anew over the informative
    clusters, `n_permutations` times from `seed`.

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
    units = _informative(counts, cluster)
    rng = np.random.default_rng(seed)
    labels = np.array([rng.permutation(units.treated) for _ in range(n_permutations)])

    def p_value(log_ratio: float) -> float:
        moved = units.log_time_ratio + log_ratio * units.treated
        _, q, information = fit_change(units.after, units.after + units.before, moved)
        observed = abs(_scores(units.treated[None, :], q, information)[0])
        dealt = np.abs(_scores(labels, q, information))
        return float((1.0 + (dealt >= observed - 1e-12).sum()) / (n_permutations + 1.0))

    try:
        point: float | None = difference_in_change(*counts, cluster=cluster, level=level).value
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
    *counts: FloatArray,
    cluster: NDArray[np.generic] | None = None,
    level: float = 0.95,
    prior_sd: float = 1.0,
    prior_sd_clusters: float = 0.5,
) -> Estimate:
    """Return the posterior median of the ratio of changes with its central credible interval, for few clusters.

    Parameters
    ----------
    counts
        The arrays of `difference_in_change`, in its order.
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
    units = _informative(counts, cluster)
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


def _informative(counts: tuple[FloatArray, ...], cluster: NDArray[np.generic] | None) -> Clusters:
    """Return the clusters with events, or say that an arm has none."""
    before, after, years_before, years_after, treated01 = counts
    check_arms(np.asarray(treated01, dtype=np.float64))
    units = aggregate(before, after, years_before, years_after, treated01, cluster)
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


def _endless(units: Clusters) -> float:
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


def _marginal_likelihood(units: Clusters, inside: NDArray[np.bool_], grid: FloatArray, taus: FloatArray) -> FloatArray:
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
