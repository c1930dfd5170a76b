"""Firth's penalised likelihood with its profile interval: an adjusted ratio that exists with few or separated events.

Never with a Wald interval, which covers 0.80 at rare events; the profile one holds its level.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from effectmeter.estimators.base import ConvergenceError, Estimate, FloatArray, NoEventsError, Weights
from effectmeter.estimators.glm import independent_columns, inverse_link
from effectmeter.estimators.marginal import ARM, check_arms, check_identified, outcome_design
from effectmeter.estimators.sandwich import quantile, two_sided_p


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problem:
    """What is maximised: (n,) outcome, offset and weight, (n, p) design scaled to about 1."""

    family: Literal["binomial", "poisson"]
    y: FloatArray
    X: FloatArray
    offset: FloatArray
    weight: FloatArray


def penalised_profile(
    y: FloatArray,
    treated01: FloatArray,
    X: FloatArray,
    *,
    family: Literal["binomial", "poisson"] = "poisson",
    years: FloatArray | None = None,
    weights: Weights | None = None,
    strata: NDArray[np.generic] | None = None,
    size: FloatArray | None = None,
    phi: float = 1.0,
    df: float | None = None,
    level: float = 0.95,
) -> Estimate:
    """Compare arms with few events by Firth's penalised likelihood, adjusted for covariates.

    Parameters
    ----------
    y, treated01
        (n,) events (0/1 or counts); 1 for treated.
    X
        (n, k) covariates without intercept.
    family
        ``poisson``: a rate ratio, or for 0/1 events a risk ratio (conservative, as a Poisson likelihood overstates the
        variance of a 0/1 outcome); ``binomial``: an odds ratio.
    years
        (n,) time at risk in years; all equal by default.
    weights
        Scaled within arms to their effective number of persons, so that they do not pretend to precision.
    strata
        (n,) blocks.
    size
        (n,) how many persons a row stands for, one by default: all alike (``binomial``), or added up in `y` and `years`
        (``poisson``, where `years` is then needed: persons, for risks).
    phi, df
        From `effectmeter.estimators.score.dispersion`, for clusters and overdispersed counts: the profile's threshold
        is that of the t with `df`, times `phi` (quasi-likelihood).
    level
        Of the profile interval.

    Returns
    -------
    Estimate
        Estimator ``penalised_likelihood``, variance ``profile``; only a bound where an arm has no events.

    Raises
    ------
    EstimationError
        Neither arm has events.
    ConvergenceError
        The likelihood's maximum was not found.

    Notes
    -----
    Maximises ``l(b) + log |I(b)| / 2``; the interval holds the log ratios c whose profile, with the penalty of the
    full information, lies within ``chi2(level, 1) / 2`` of the maximum.

    References
    ----------
    Firth (1993), doi:10.1093/biomet/80.1.27; Heinze & Schemper (2002), doi:10.1002/sim.1047.
    """
    outcome, treated = np.asarray(y, dtype=np.float64), np.asarray(treated01, dtype=np.float64)
    at_risk = np.ones(len(outcome), dtype=np.bool_) if years is None else np.asarray(years) > 0.0
    weight = effective_weight(treated, weights, size)
    if size is not None and family == "binomial":
        weight = weight * size
    at_risk &= weight > 0.0
    check_arms(treated[at_risk])
    events = [float(outcome[at_risk & (treated == arm)].sum()) for arm in (1.0, 0.0)]
    if sum(events) == 0.0:
        raise NoEventsError("neither arm has events, so there is nothing to compare")
    problem = _Problem(
        family=family,
        y=outcome[at_risk],
        X=_scaled_design(treated[at_risk], X[at_risk], None if strata is None else strata[at_risk]),
        offset=np.zeros(int(at_risk.sum())) if years is None else np.log(np.asarray(years, dtype=np.float64)[at_risk]),
        weight=weight[at_risk],
    )
    return _profile(problem, events, level, phi, df)


def _scaled_design(treated: FloatArray, X: FloatArray, strata: NDArray[np.generic] | None) -> FloatArray:
    """Return intercept, arm, covariates and blocks (n, p) that say something new, each of about 1."""
    design = outcome_design(treated, X, strata)
    check_identified(treated, np.delete(design, ARM, axis=1))
    design = design[:, independent_columns(design)]
    result: FloatArray = design / np.abs(design).max(axis=0)
    return result


def _profile(problem: _Problem, events: list[float], level: float, phi: float, df: float | None) -> Estimate:
    """Return the maximum and the limits of its profile."""
    start = np.zeros(problem.X.shape[1])
    if problem.family == "poisson":
        total = float((problem.weight * np.exp(problem.offset)).sum())
        start[0] = math.log(max(float((problem.weight * problem.y).sum()), 0.5) / total)
    best, top = _maximise(problem, start, None)

    def deviance(c: float) -> float:
        # always from the maximum, so that one point has one height; 1e-6 off in the rest is 1e-12 in the height
        return 2.0 * (top - _maximise(problem, best, c, precision=1e-6)[1])

    return profile_estimate(
        float(best[ARM]), deviance, events, level=level, phi=phi, df=df, estimator="penalised_likelihood"
    )


def profile_estimate(
    point: float,
    deviance: Callable[[float], float],
    events: Sequence[float],
    *,
    level: float,
    phi: float,
    df: float | None,
    estimator: str,
) -> Estimate:
    """Return a log ratio's profile interval.

    Parameters
    ----------
    point, deviance
        The log ratio of greatest likelihood, and twice the fall in log likelihood at another.
    events
        Of the treated and the comparison arm: one without any gives a bound.
    phi, df, level
        As in `penalised_profile`.
    """
    from scipy import optimize

    threshold = quantile(level, df) ** 2 * phi

    def beyond(c: float) -> float:
        # roots, since they are nearly straight in the log ratio: found in half the steps
        return math.sqrt(max(deviance(c), 0.0)) - math.sqrt(threshold)

    limits: list[float | None] = []
    for side, possible in ((-1.0, events[0] > 0.0), (1.0, events[1] > 0.0)):
        limit: float | None = None
        width = 0.5
        while possible and width < 40.0:
            if deviance(point + side * width) > threshold:
                ends = sorted((point, point + side * width))
                limit = float(optimize.brentq(beyond, ends[0], ends[1], xtol=1e-9))
                break
            width *= 2.0
        limits.append(limit)
    value: float | None = math.exp(point)
    if events[0] == 0.0:
        value = 0.0
    elif events[1] == 0.0:
        value = None
    return Estimate(
        value=value,
        std_error=None,
        low=None if limits[0] is None else math.exp(limits[0]),
        high=None if limits[1] is None else math.exp(limits[1]),
        p_value=two_sided_p(math.sqrt(max(deviance(0.0), 0.0) / phi), df),
        level=level,
        estimator=estimator,
        variance="profile",
    )


def effective_weight(treated: FloatArray, weights: Weights | None, size: FloatArray | None = None) -> FloatArray:
    """Return weights (n,) that sum to Kish's effective number of persons in each arm; rows of `size` persons each."""
    if weights is None:
        return np.ones(len(treated))
    weight = weights.weight.astype(np.float64)
    scaled = weight.copy()
    persons = np.ones(len(treated)) if size is None else size
    for arm in (1.0, 0.0):
        inside = treated == arm
        squares = float(persons[inside] @ weight[inside] ** 2)
        if squares > 0.0:
            scaled[inside] = weight[inside] * (persons[inside] @ weight[inside]) / squares
    return scaled


def _objective(problem: _Problem, beta: FloatArray) -> tuple[float, FloatArray, FloatArray]:
    """Return the penalised log likelihood, its modified score (p,) and the information (p, p)."""
    mean, slope = inverse_link(problem.family, problem.offset + problem.X @ beta)
    X, w = problem.X, problem.weight
    information = (X * (w * slope)[:, None]).T @ X
    sign, determinant = np.linalg.slogdet(information)
    if sign <= 0.0:
        return -np.inf, np.zeros_like(beta), information
    h = slope * ((X @ np.linalg.inv(information)) * X).sum(axis=1)  # leverage per unit of weight
    if problem.family == "poisson":
        likelihood = float((w * (problem.y * np.log(np.maximum(mean, 1e-300)) - mean)).sum())
        score = X.T @ (w * (problem.y - mean + h / 2.0))
    else:
        known = np.where(problem.y > 0.5, mean, 1.0 - mean)
        likelihood = float((w * np.log(np.maximum(known, 1e-300))).sum())
        score = X.T @ (w * (problem.y - mean + h * (0.5 - mean)))
    return likelihood + determinant / 2.0, score, information


def _maximise(
    problem: _Problem, start: FloatArray, fixed: float | None, *, precision: float = 1e-9
) -> tuple[FloatArray, float]:
    """Return where the penalised likelihood is greatest, with the arm's coefficient held at `fixed` if given."""
    free = np.array([j for j in range(len(start)) if fixed is None or j != ARM])
    beta = start.copy()
    if fixed is not None:
        beta[ARM] = fixed
    value, score, information = _objective(problem, beta)
    for _ in range(200):
        step = np.zeros_like(beta)
        try:
            step[free] = np.linalg.solve(information[np.ix_(free, free)], score[free])
        except np.linalg.LinAlgError:
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
        if length < precision:
            return beta, value
    raise ConvergenceError(
        "the penalised likelihood did not reach its maximum", next_step="adjust for fewer covariates"
    )
