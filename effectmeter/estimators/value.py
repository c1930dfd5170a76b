"""Delivered values (scores, weights, amounts): the difference in means between arms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from effectmeter.estimators.base import Estimate, FloatArray, Weights
from effectmeter.estimators.marginal import standardise
from effectmeter.estimators.sandwich import wald


def mean_difference(
    value: FloatArray,
    treated01: FloatArray,
    X: FloatArray,
    *,
    weights: Weights | None = None,
    cluster: NDArray[np.generic] | None = None,
    strata: NDArray[np.generic] | None = None,
    estimand: str = "itt",
    variance: str = "hc3",
    level: float = 0.95,
) -> Estimate:
    """Compare the mean of a value between arms by (weighted) least squares.

    Parameters
    ----------
    value
        (n,) in its own unit.
    treated01, X, weights, cluster, strata, estimand, variance, level
        As in `effectmeter.estimators.risk.risk_contrast`; ``model`` has the t reference with n - p degrees of freedom.

    Returns
    -------
    Estimate
        Treated less comparison; estimator ``least_squares``, or ``outcome_regression`` with model error.

    Notes
    -----
    ``E(Y) = b0 + b1 T + X b``: the difference is b1 whatever the population, so the estimand enters by the weights.
    It is fitted around the first value and in units of the largest distance to it, so that neither a level far from
    zero nor a unit of measurement takes digits away.
    """
    raw = np.asarray(value, dtype=np.float64)
    unit = float(np.abs(raw - raw[0]).max()) or 1.0
    found = standardise(
        "gaussian",
        (raw - raw[0]) / unit,
        np.asarray(treated01, dtype=np.float64),
        X,
        weights=weights,
        cluster=cluster,
        strata=strata,
        estimand=estimand,
        variance=variance,
    )
    return wald(
        unit * (found.treated - found.comparison),
        unit * found.standard_error(1.0, -1.0, variance),
        level=level,
        estimator="outcome_regression" if variance == "model" else "least_squares",
        variance=variance,
        df=found.df,
    )
