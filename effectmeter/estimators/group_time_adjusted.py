"""Group-time effects among areas that are alike in covariates: doubly robust, or by outcome regression.

Plugs into `effectmeter.estimators.group_time` as the way one cell is estimated.
"""

from __future__ import annotations

import numpy as np

from effectmeter.estimators.base import EstimationError, FloatArray
from effectmeter.estimators.glm import fit_glm
from effectmeter.estimators.group_time import CellFit, Fitter, plain_cell
from effectmeter.estimators.sandwich import IntArray

AREAS_PER_TERM = 2
"""Treated areas that a cohort must have per term, for a model of who is treated to make sense."""


def adjusted(X: FloatArray, method: str = "doubly_robust") -> Fitter:
    """Return how a cell is estimated with covariates.

    Parameters
    ----------
    X
        (n, k) covariates of all areas, without intercept.
    method
        ``doubly_robust`` or ``outcome_regression``. The first falls back on the second in a cell where the cohort has
        fewer than `AREAS_PER_TERM` areas per term, or where the covariates say for sure who was treated: without
        overlap there are no weights.

    Notes
    -----
    Doubly robust: a logit for belonging to the cohort, least squares for the comparison's change; right if either is.
    Influence values carry both. The covariates' own scale does not matter.

    References
    ----------
    Sant'Anna & Zhao (2020), doi:10.1016/j.jeconom.2020.06.003; Heckman, Ichimura & Todd (1997), doi:10.2307/2971733.
    """
    if X.shape[1] == 0:
        return plain_cell
    spread = X.std(axis=0)
    Z = np.column_stack([np.ones(len(X)), (X - X.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)])
    known: dict[tuple[bytes, bytes], tuple[FloatArray, FloatArray] | None] = {}

    def cell(treated: FloatArray, comparison: FloatArray, who: IntArray, others: IntArray) -> CellFit:
        if len(others) <= Z.shape[1]:
            raise EstimationError("there are fewer comparison areas than the covariates need")
        if method == "doubly_robust" and len(who) >= AREAS_PER_TERM * Z.shape[1]:
            key = who.tobytes(), others.tobytes()
            if key not in known:
                known[key] = _membership(Z[who], Z[others])
            found = known[key]
            if found is not None:
                return _doubly_robust(treated, comparison, Z[who], Z[others], *found)
        return _regression(treated, comparison, Z[who], Z[others])

    return cell


def _membership(treated: FloatArray, comparison: FloatArray) -> tuple[FloatArray, FloatArray] | None:
    """Return the odds of belonging to the cohort of the comparison areas, and the logit's parameter influence.

    None where the covariates tell the two apart for sure.
    """
    X = np.vstack([treated, comparison])
    try:
        fit = fit_glm("binomial", np.repeat([1.0, 0.0], [len(treated), len(comparison)]), X)
    except EstimationError:
        return None
    if not fit.free.all() or len(fit.columns) < X.shape[1]:
        return None
    e = fit.mean[len(treated) :]
    return e / (1.0 - e), (X * fit.residual[:, None]) @ fit.bread


def _least_squares(y: FloatArray, X: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return coefficients (p,), residuals (n,) and their influence (n, p)."""
    bread = np.linalg.pinv(X.T @ X, hermitian=True)
    beta = bread @ (X.T @ y)
    residual = y - X @ beta
    return beta, residual, (X * residual[:, None]) @ bread


def _regression(treated: FloatArray, comparison: FloatArray, X1: FloatArray, X0: FloatArray) -> CellFit:
    beta, _, influence = _least_squares(comparison, X0)
    own = treated - X1 @ beta
    return CellFit(float(own.mean()), own, -(influence @ X1.mean(axis=0)), X0.shape[1])


def _doubly_robust(
    treated: FloatArray, comparison: FloatArray, X1: FloatArray, X0: FloatArray, odds: FloatArray, scores: FloatArray
) -> CellFit:
    n1 = len(treated)
    beta, residual, influence = _least_squares(comparison, X0)
    gap = treated - X1 @ beta
    size = float(odds.sum())
    rest = float((odds * residual).sum()) / size
    att = float(gap.mean()) - rest
    weighted_mean = odds @ X0 / size
    by_score = scores @ ((odds * (residual - rest)) @ X0 / size)
    own = gap - rest - n1 * by_score[:n1]
    other = -(influence @ (X1.mean(axis=0) - weighted_mean)) - odds * (residual - rest) / size - by_score[n1:]
    return CellFit(att, own, other, X0.shape[1])
