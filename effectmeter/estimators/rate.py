"""Rates: events per person-year at risk, as a ratio and a difference between arms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from effectmeter.estimators.base import (
    ArmContrast,
    EstimationError,
    FloatArray,
    NoEventsError,
    SeparationError,
    Weights,
)
from effectmeter.estimators.cells import Cells
from effectmeter.estimators.cells_contrast import cells_contrast
from effectmeter.estimators.marginal import ARM, arm_contrast, check_arms, standardise


def rate_contrast(
    n_events: FloatArray,
    years: FloatArray,
    treated01: FloatArray,
    X: FloatArray,
    *,
    weights: Weights | None = None,
    cluster: NDArray[np.generic] | None = None,
    strata: NDArray[np.generic] | None = None,
    estimand: str = "itt",
    variance: str = "hc3",
    level: float = 0.95,
    estimator: str | None = None,
    cells: Cells | None = None,
) -> ArmContrast:
    """Compare the rate of events between arms, made comparable in the covariates.

    Parameters
    ----------
    n_events, years
        (n,) events and person-years at risk; persons without time at risk carry nothing and are left out.
    treated01, X, weights, cluster, strata, estimand, variance, level
        As in `effectmeter.estimators.risk.risk_contrast`.
    estimator
        Name for the effects table; ``poisson``, or ``outcome_regression`` with model error, by default.
    cells
        As in `effectmeter.estimators.risk.risk_contrast`; ``hc3`` is then answered with ``hc1``, and says so.

    Returns
    -------
    ArmContrast
        `treated` and `comparison` are rates per person-year, standardised to the person-time of the estimand's
        population.

    Raises
    ------
    EstimationError
        Nobody has time at risk.
    SeparationError
        An arm has no events.

    Notes
    -----
    ``log E(Y) = log(years) + b0 + b1 T + X b``; the ratio is ``exp(b1)``. Counts need not be Poisson: the robust error
    takes care of overdispersion (and a negative binomial fails to converge in sparse samples).

    References
    ----------
    Wooldridge (1999), doi:10.1016/S0304-4076(98)00033-5.
    """
    name = estimator or ("outcome_regression" if variance == "model" else "poisson")
    if cells is not None:
        how = {"estimand": estimand, "variance": variance, "level": level, "estimator": name}
        return cells_contrast("poisson", cells, weights=weights, **how)  # type: ignore[arg-type]
    events = np.asarray(n_events, dtype=np.float64)
    time = np.asarray(years, dtype=np.float64)
    treated = np.asarray(treated01, dtype=np.float64)
    at_risk = time > 0.0
    if not at_risk.any():
        raise EstimationError("nobody has time at risk")
    here = None if weights is None else weights.of(at_risk)
    _check_events(events[at_risk], treated[at_risk], here)
    found = standardise(
        "poisson",
        events[at_risk],
        treated[at_risk],
        X[at_risk],
        years=time[at_risk],
        weights=here,
        cluster=None if cluster is None else cluster[at_risk],
        strata=None if strata is None else strata[at_risk],
        estimand=estimand,
        variance=variance,
    )
    influence = np.zeros(len(events))
    influence[at_risk] = found.person_treated / found.treated - found.person_comparison / found.comparison
    log_ratio = float(found.fit.beta[found.fit.position(ARM)])
    return arm_contrast(found, log_ratio, influence, level=level, estimator=name, variance=variance)


def raw_rate_contrast(
    n_events: FloatArray,
    years: FloatArray,
    treated01: FloatArray,
    *,
    cluster: NDArray[np.generic] | None = None,
    variance: str = "hc3",
    level: float = 0.95,
    cells: Cells | None = None,
) -> ArmContrast:
    """Compare the raw rates of the arms, events over person-years. Parameters are those of `rate_contrast`."""
    X = np.empty((len(n_events), 0))
    return rate_contrast(
        n_events,
        years,
        treated01,
        X,
        cluster=cluster,
        estimand="ate",
        variance=variance,
        level=level,
        estimator="poisson",
        cells=None if cells is None else cells.without_covariates(),
    )


def _check_events(events: FloatArray, treated: FloatArray, weights: Weights | None) -> None:
    """Raise unless both arms have events."""
    check_arms(treated)
    counts = np.ones(len(events), dtype=np.bool_) if weights is None else weights.weight > 0.0
    if not events[counts].any():
        raise NoEventsError("neither arm has events, so there is nothing to compare")
    for arm, name in ((1.0, "treated"), (0.0, "comparison")):
        if not events[(treated == arm) & counts].any():
            raise SeparationError(f"nobody in the {name} arm has the event, so there is only a bound on the ratio")
