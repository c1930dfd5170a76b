"""Robust errors from influence values, and the intervals made of them.

An influence value is a unit's share in the error of an estimate: the estimate less the truth is about their sum, and
its variance the sum of their squares. Chaining them carries every estimated part (weights, model, population) along.
Fits live in `effectmeter.estimators.glm`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from effectmeter.estimators.base import Estimate, EstimationError, FloatArray, Weights
from effectmeter.estimators.glm import GlmFit

IntArray = NDArray[np.intp]


def cluster_index(cluster: NDArray[np.generic] | None, variance: str, n: int) -> tuple[IntArray, int]:
    """Return each person's unit (n,) as 0..G-1 and G: the clusters for ``cr*``, otherwise the persons themselves."""
    if variance.startswith("cr") and cluster is not None:
        _, unit = np.unique(cluster, return_inverse=True)
        return unit.astype(np.intp), int(unit.max()) + 1
    return np.arange(n, dtype=np.intp), n


def sum_by_unit(values: FloatArray, unit: IntArray, n_units: int) -> FloatArray:
    """Return the sums of `values` (n,) or (n, k) over each unit."""
    if n_units == len(unit) and np.array_equal(unit, np.arange(n_units)):
        return values
    if values.ndim == 1:
        return np.bincount(unit, values, n_units).astype(np.float64)
    total = np.zeros((n_units, *values.shape[1:]))
    np.add.at(total, unit, values)
    return total


def coefficient_influence(
    fit: GlmFit, unit: IntArray, n_units: int, variance: str, weights: Weights | None = None
) -> FloatArray:
    """Return each unit's influence on the coefficients, (n_units, p).

    Parameters
    ----------
    fit
        The model.
    unit, n_units
        From `cluster_index`.
    variance
        ``hc0 hc1 hc3 cr0 cr1 cr3``.
    weights
        Their estimation is carried along when they bring influence values.

    Notes
    -----
    With information ``A`` and a unit's score ``s_u``: ``A^-1 s_u`` for ``hc0`` and ``cr0``; that times the square root
    of ``n / (n - p)`` (``hc1``) or ``G / (G - 1) * (n - 1) / (n - p)`` (``cr1``); ``(A - A_u)^-1 s_u`` for ``hc3`` and
    ``cr3``, which is the one-step jackknife and for single persons equals a residual divided by ``1 - h``. The
    estimated weights add ``A^-1 (sum_j x_j r_j dw_j/dg') psi_u``, without a leverage of their own (conservative).

    References
    ----------
    MacKinnon & White (1985), doi:10.1016/0304-4076(85)90158-7; Bell & McCaffrey (2002), Survey Methodology 28.
    """
    score = fit.design * (fit.weight * fit.residual)[:, None]
    curvature = fit.weight * fit.slope
    if variance in {"hc3", "cr3"}:
        if n_units == len(unit):
            leverage = curvature * np.einsum("ij,jk,ik->i", fit.design, fit.bread, fit.design, optimize=True)
            beta: FloatArray = (score @ fit.bread) / np.maximum(1.0 - leverage, 1e-8)[:, None]
        else:
            beta = _jackknife(fit.design, curvature, score, unit, n_units, fit.bread)
    else:
        beta = sum_by_unit(score @ fit.bread, unit, n_units) * small_sample_factor(fit, n_units, variance)
    if weights is not None and weights.parameter_influence is not None and weights.weight_gradient is not None:
        by_parameter = (fit.design * fit.residual[:, None]).T @ weights.weight_gradient
        carried = sum_by_unit(weights.parameter_influence, unit, n_units) @ (fit.bread @ by_parameter).T
        beta = beta + carried
    return beta


def small_sample_factor(fit: GlmFit, n_units: int, variance: str) -> float:
    """Return the factor on an influence value that corrects for the size of the sample; 1 except for hc1 and cr1."""
    n, p = n_persons(fit), len(fit.beta)
    if variance == "hc1":
        return math.sqrt(n / max(n - p, 1))
    if variance == "cr1" and n_units > 1:
        return math.sqrt(n_units / (n_units - 1) * (n - 1) / max(n - p, 1))
    return 1.0


def _jackknife(
    design: FloatArray, curvature: FloatArray, score: FloatArray, unit: IntArray, n_units: int, bread: FloatArray
) -> FloatArray:
    """Return ``(A - A_u)^-1 s_u`` per cluster; its own column's share is left out where a cluster carries all of it."""
    order = np.argsort(unit, kind="stable")
    bounds = np.searchsorted(unit[order], np.arange(n_units + 1))
    p = design.shape[1]
    result = np.zeros((n_units, p))
    identity = np.eye(p)
    for u in range(n_units):
        rows = order[bounds[u] : bounds[u + 1]]
        block = design[rows]
        within = (block * curvature[rows][:, None]).T @ block
        total = score[rows].sum(axis=0)
        result[u] = bread @ np.linalg.lstsq(identity - within @ bread, total, rcond=1e-10)[0]
    return result


def n_persons(fit: GlmFit) -> int:
    """Return how many persons the fit rests on."""
    return int((fit.weight > 0).sum())


def reference_df(fit: GlmFit, n_units: int, variance: str, cluster: NDArray[np.generic] | None) -> float | None:
    """Return the degrees of freedom of the t reference; None (normal) for the model error of a likelihood."""
    if variance == "model":
        return float(n_persons(fit) - len(fit.beta)) if fit.family == "gaussian" else None
    degrees = n_units - 1 if variance.startswith("cr") and cluster is not None else n_persons(fit) - len(fit.beta)
    if degrees < 1:
        raise EstimationError("there are fewer independent units than the model needs")
    return float(degrees)


def quantile(level: float, df: float | None) -> float:
    """Return the two-sided critical value at `level` of the t with `df`, or of the normal."""
    from scipy import stats

    probability = 1.0 - (1.0 - level) / 2.0
    return float(stats.norm.ppf(probability) if df is None else stats.t.ppf(probability, df))


def two_sided_p(statistic: float, df: float | None) -> float:
    """Return the two-sided p-value of a statistic."""
    from scipy import stats

    return float(2.0 * (stats.norm.sf(abs(statistic)) if df is None else stats.t.sf(abs(statistic), df)))


LARGEST_LOG = 50.0
"""A ratio's limit beyond e^50 is no number that anybody could read."""


def wald(
    point: float,
    std_error: float,
    *,
    level: float,
    estimator: str,
    variance: str,
    df: float | None = None,
    is_log: bool = False,
) -> Estimate:
    """Return a Wald estimate; with `is_log`, `point` and `std_error` are on the log scale and the result is a ratio.

    Raises
    ------
    EstimationError
        The error is 0 or not a number, so that nothing can be said about precision.
    """
    if not (math.isfinite(point) and math.isfinite(std_error)) or std_error <= 0.0:
        raise EstimationError("the data do not vary enough to say how precise this estimate is")
    half = quantile(level, df) * std_error
    if is_log and abs(point) + half > LARGEST_LOG:
        raise EstimationError("the data say so little that the interval would have no end")
    shown = math.exp if is_log else float
    return Estimate(
        value=shown(point),
        std_error=std_error,
        low=shown(point - half),
        high=shown(point + half),
        p_value=two_sided_p(point / std_error, df),
        level=level,
        estimator=estimator,
        variance=variance,
        df=df,
    )
