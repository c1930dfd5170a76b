"""Risks: the share of persons with at least one event, as a ratio and a difference between arms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from effectmeter.estimators.base import ArmContrast, Estimate, FloatArray, NoEventsError, SeparationError, Weights
from effectmeter.estimators.cells import Cells
from effectmeter.estimators.cells_contrast import cells_contrast, cells_odds
from effectmeter.estimators.marginal import arm_contrast, check_arms, standardise
from effectmeter.estimators.sandwich import wald


def risk_contrast(
    event01: FloatArray,
    treated01: FloatArray,
    X: FloatArray,
    *,
    weights: Weights | None = None,
    cluster: NDArray[np.generic] | None = None,
    strata: NDArray[np.generic] | None = None,
    estimand: str = "itt",
    variance: str = "hc3",
    level: float = 0.95,
    cells: Cells | None = None,
) -> ArmContrast:
    """Compare the risk of an event between arms, made comparable in the covariates.

    Parameters
    ----------
    event01, treated01
        (n,) 1 for persons with an event (or a share between 0 and 1); 1 for treated persons.
    X
        (n, k) covariates without intercept; k may be 0.
    weights
        From `effectmeter.estimators.weighting.fit_weights`: the outcome model is weighted by them, which makes the
        estimate doubly robust.
    cluster, strata
        (n,) cluster of allocation or sampling; block of allocation.
    estimand
        ``itt`` or ``ate`` (everybody), ``att`` (treated persons), ``ato`` (overlap population).
    variance
        ``model hc0 hc1 hc3 cr0 cr1 cr3``. ``model`` takes the covariates as fixed and uses the normal; the others are
        stacked sandwiches with a t reference of n - p or clusters - 1 degrees of freedom.
    level
        Of the intervals.
    cells
        The same persons, added up (`effectmeter.estimators.cells.to_cells`); everything else about persons is then
        taken from there, and `weights` has a row per cell.

    Returns
    -------
    ArmContrast
        Estimator ``g_computation``, or ``outcome_regression`` with model error.

    Raises
    ------
    EmptyArmError
        An arm has no persons.
    SeparationError
        An arm has no events, or only persons with events: use `effectmeter.estimators.small_samples`.

    Notes
    -----
    ``logit P(Y = 1) = b0 + b1 T + X b``, then the mean of the predictions with T set to 1 and to 0. Without covariates
    the ratio is the raw one. See `effectmeter.estimators.marginal` for the error.

    References
    ----------
    Localio, Margolis & Berlin (2007), doi:10.1016/j.jclinepi.2006.12.001; FDA (2023), Adjusting for covariates in
    randomized clinical trials.
    """
    estimator = "outcome_regression" if variance == "model" else "g_computation"
    if cells is not None:
        how = {"estimand": estimand, "variance": variance, "level": level, "estimator": estimator}
        return cells_contrast("binomial", cells, weights=weights, **how)  # type: ignore[arg-type]
    event = np.asarray(event01, dtype=np.float64)
    treated = np.asarray(treated01, dtype=np.float64)
    _check_events(event, treated, weights)
    return _contrast(event, treated, X, weights, cluster, strata, estimand, variance, level, estimator)


def raw_risk_contrast(
    event01: FloatArray,
    treated01: FloatArray,
    *,
    cluster: NDArray[np.generic] | None = None,
    variance: str = "hc3",
    level: float = 0.95,
    cells: Cells | None = None,
) -> ArmContrast:
    """Compare the raw risks of the arms: the ratio of the two shares with a robust error.

    Parameters are those of `risk_contrast`. The estimator is ``modified_poisson``: a log-link Poisson model of the arm
    alone with a robust error gives these numbers exactly, since both models are saturated.

    References
    ----------
    Zou (2004), doi:10.1093/aje/kwh090.
    """
    if cells is not None:
        how = {"estimand": "ate", "variance": variance, "level": level, "estimator": "modified_poisson"}
        return cells_contrast("binomial", cells.without_covariates(), weights=None, **how)  # type: ignore[arg-type]
    event = np.asarray(event01, dtype=np.float64)
    treated = np.asarray(treated01, dtype=np.float64)
    _check_events(event, treated, None)
    X = np.empty((len(event), 0))
    return _contrast(event, treated, X, None, cluster, None, "ate", variance, level, "modified_poisson")


def odds_contrast(
    event01: FloatArray,
    treated01: FloatArray,
    X: FloatArray,
    *,
    weights: Weights | None = None,
    cluster: NDArray[np.generic] | None = None,
    strata: NDArray[np.generic] | None = None,
    estimand: str = "itt",
    variance: str = "hc3",
    level: float = 0.95,
    cells: Cells | None = None,
) -> Estimate:
    """Compare the odds of an event between arms: the ratio of the odds of the standardised risks.

    Parameters, faults and model are those of `risk_contrast`. The ratio is marginal, "for everyone in the population",
    and so does not depend on which covariates stand in the model; a coefficient of that model would. Estimator
    ``g_computation``, or ``outcome_regression`` with model error.

    References
    ----------
    Daniel, Zhang & Farewell (2021), doi:10.1002/bimj.201900297.
    """
    estimator = "outcome_regression" if variance == "model" else "g_computation"
    if cells is not None:
        how = {"estimand": estimand, "variance": variance, "level": level, "estimator": estimator}
        return cells_odds(cells, weights=weights, **how)  # type: ignore[arg-type]
    event = np.asarray(event01, dtype=np.float64)
    treated = np.asarray(treated01, dtype=np.float64)
    _check_events(event, treated, weights)
    found = standardise(
        "binomial",
        event,
        treated,
        X,
        weights=weights,
        cluster=cluster,
        strata=strata,
        estimand=estimand,
        variance=variance,
    )
    one, zero = found.treated, found.comparison
    return wald(
        float(np.log(one / (1.0 - one) * (1.0 - zero) / zero)),
        found.standard_error(1.0 / (one * (1.0 - one)), -1.0 / (zero * (1.0 - zero)), variance),
        level=level,
        estimator=estimator,
        variance=variance,
        df=found.df,
        is_log=True,
    )


def _contrast(
    event: FloatArray,
    treated: FloatArray,
    X: FloatArray,
    weights: Weights | None,
    cluster: NDArray[np.generic] | None,
    strata: NDArray[np.generic] | None,
    estimand: str,
    variance: str,
    level: float,
    estimator: str,
) -> ArmContrast:
    """Return the standardised contrast under the given name."""
    found = standardise(
        "binomial",
        event,
        treated,
        X,
        weights=weights,
        cluster=cluster,
        strata=strata,
        estimand=estimand,
        variance=variance,
    )
    one, zero = found.treated, found.comparison
    influence = found.person_treated / one - found.person_comparison / zero
    log_ratio = float(np.log(one / zero))
    return arm_contrast(found, log_ratio, influence, level=level, estimator=estimator, variance=variance)


def _check_events(event: FloatArray, treated: FloatArray, weights: Weights | None) -> None:
    """Raise unless each arm has persons with and persons without an event."""
    check_arms(treated)
    counts = np.ones(len(event), dtype=np.bool_) if weights is None else weights.weight > 0.0
    if not event[counts].any():
        raise NoEventsError("neither arm has events, so there is nothing to compare")
    for arm, name in ((1.0, "treated"), (0.0, "comparison")):
        events = event[(treated == arm) & counts]
        if not events.any():
            raise SeparationError(f"nobody in the {name} arm has the event, so there is only a bound on the ratio")
        if (events >= 1.0).all():
            raise SeparationError(f"everybody in the {name} arm has the event, so the model has no maximum")
