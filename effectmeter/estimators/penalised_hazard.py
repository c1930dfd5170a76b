"""Firth's penalised partial likelihood: a hazard ratio that exists with few or separated events, with its profile.

Here: the fit and the interval. Not here: Cox's model itself (`effectmeter.estimators.hazard`), whose order of events
and risk sets this one uses, nor penalised risks and rates (`effectmeter.estimators.penalised`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from effectmeter.estimators.base import ConvergenceError, Estimate, FloatArray, NoEventsError, Weights
from effectmeter.estimators.glm import independent_columns
from effectmeter.estimators.hazard import Clock, clock_of, over_risk_sets, within_strata
from effectmeter.estimators.marginal import check_arms, check_identified
from effectmeter.estimators.penalised import effective_weight, profile_estimate
from effectmeter.estimators.sandwich import sum_by_unit

_ARM = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problem:
    """Sorted covariates (n, p), weights (n,) and the clock; (n, p, p) products of the covariates."""

    Z: FloatArray
    w: FloatArray
    clock: Clock
    products: FloatArray


def penalised_hazard_ratio(
    days: FloatArray,
    event01: FloatArray,
    treated01: FloatArray,
    X: FloatArray,
    *,
    weights: Weights | None = None,
    strata: NDArray[np.generic] | None = None,
    phi: float = 1.0,
    df: float | None = None,
    level: float = 0.95,
) -> Estimate:
    """Compare the hazard of a first event between arms with few events, by Firth's penalised likelihood.

    Parameters
    ----------
    days, event01, treated01, X, strata
        As in `effectmeter.estimators.hazard.hazard_ratio`.
    weights
        Scaled within arms to their effective number of persons.
    phi, df, level
        As in `effectmeter.estimators.penalised.penalised_profile`.

    Returns
    -------
    Estimate
        Estimator ``penalised_cox``, variance ``profile``; only a bound where an arm has no events.

    Raises
    ------
    EstimationError
        Neither arm has events, or the covariates determine the arm.
    ConvergenceError
        The likelihood's maximum was not found.

    Notes
    -----
    Maximises ``l(b) + log |I(b)| / 2`` with Efron's ties in both parts. The penalty's gradient is half the trace of
    ``I^-1`` times the derivative of the information, a third central moment over the risk sets.

    References
    ----------
    Heinze & Schemper (2001), doi:10.1111/j.0006-341X.2001.00114.x.
    """
    event, treated = np.asarray(event01, dtype=np.float64), np.asarray(treated01, dtype=np.float64)
    weight = effective_weight(treated, weights)
    check_arms(treated[weight > 0.0])
    events = [float(event[(weight > 0.0) & (treated == arm)].sum()) for arm in (1.0, 0.0)]
    if sum(events) == 0.0:
        raise NoEventsError("neither arm has events, so there is nothing to compare")
    covariates = np.column_stack([treated, X])
    within = within_strata(covariates, strata)
    check_identified(within[:, 0], within[:, 1:])
    columns = independent_columns(within)
    centred = covariates[:, columns] - covariates[:, columns].mean(axis=0)
    scale = np.maximum(centred.std(axis=0), 1e-300)
    scale[_ARM] = 1.0
    clock = clock_of(np.asarray(days, dtype=np.float64), event, strata, weight)
    Z = (centred / scale)[clock.order]
    problem = _Problem(Z=Z, w=weight[clock.order], clock=clock, products=Z[:, :, None] * Z[:, None, :])
    best, top = _maximise(problem, np.zeros(Z.shape[1]), None)

    def deviance(c: float) -> float:
        begin = best.copy()
        begin[_ARM] = c
        return 2.0 * (top - _maximise(problem, begin, c)[1])

    return profile_estimate(float(best[_ARM]), deviance, events, level=level, phi=phi, df=df, estimator="penalised_cox")


def _objective(problem: _Problem, beta: FloatArray) -> tuple[float, FloatArray, FloatArray]:
    """Return the penalised log likelihood, its gradient (p,) and the information (p, p)."""
    Z, w, clock = problem.Z, problem.w, problem.clock
    m, at, dead = len(clock.first), clock.time_of_death, clock.dead
    r = w * np.exp(np.clip(Z @ beta, -500.0, 500.0))

    def mean_at_deaths(values: FloatArray) -> FloatArray:
        """Return, per death, the mean over those at risk with Efron's part of the deaths taken off."""
        inside, tied = over_risk_sets(values, clock), sum_by_unit(values[dead], at, m)
        shape = (-1, *(1,) * (values.ndim - 1))
        result: FloatArray = (inside[at] - clock.fraction.reshape(shape) * tied[at]) / z.reshape(shape)
        return result

    z = over_risk_sets(r, clock)[at] - clock.fraction * np.bincount(at, r[dead], m)[at]
    average = (np.bincount(at, w[dead], m) / np.bincount(at, minlength=m))[at]
    mean = mean_at_deaths(r[:, None] * Z)
    spread = mean_at_deaths(r[:, None, None] * problem.products) - mean[:, :, None] * mean[:, None, :]
    information = np.einsum("e,eij->ij", average, spread)
    sign, determinant = np.linalg.slogdet(information)
    if sign <= 0.0 or not np.isfinite(determinant):
        return -np.inf, np.zeros_like(beta), information
    inverse = np.linalg.inv(information)
    value = float((w[dead] * (Z[dead] @ beta)).sum() - (average * np.log(z)).sum())
    score = w[dead] @ Z[dead] - average @ mean
    length = np.einsum("ij,jk,ik->i", Z, inverse, Z, optimize=True)
    third = mean_at_deaths((r * length)[:, None] * Z) - mean_at_deaths(r * length)[:, None] * mean
    third = third - 2.0 * np.einsum("ej,jk,ekl->el", mean, inverse, spread, optimize=True)
    return value + determinant / 2.0, score + average @ third / 2.0, information


def _maximise(problem: _Problem, start: FloatArray, fixed: float | None) -> tuple[FloatArray, float]:
    """Return where the penalised likelihood is greatest, with the arm's coefficient held at `fixed` if given."""
    free = np.array([j for j in range(len(start)) if fixed is None or j != _ARM], dtype=np.intp)
    beta = start.copy()
    if fixed is not None:
        beta[_ARM] = fixed
    value, score, information = _objective(problem, beta)
    for _ in range(200):
        if not free.size:
            return beta, value
        step = np.zeros_like(beta)
        step[free] = np.linalg.lstsq(information[np.ix_(free, free)], score[free])[0]
        length = float(np.abs(step).max())
        factor = min(1.0, 3.0 / max(length, 1e-300))
        while True:
            trial = _objective(problem, beta + factor * step)
            if trial[0] >= value - 1e-11 * (1.0 + abs(value)) or factor < 1e-8:
                break
            factor /= 2.0
        beta = beta + factor * step
        value, score, information = trial
        if length < 1e-9:
            return beta, value
    raise ConvergenceError(
        "the penalised likelihood did not reach its maximum", next_step="adjust for fewer covariates"
    )
