"""A change of level where hardly anything was counted on one side of the start: a score interval, or a bound.

Not here: the fit where there is enough (`effectmeter.estimators.series_model`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from effectmeter.estimators.base import ConvergenceError, Estimate, EstimationError, FloatArray, NoEventsError
from effectmeter.estimators.glm import independent_columns, inverse_link
from effectmeter.estimators.sandwich import quantile, two_sided_p
from effectmeter.estimators.sensitivity import BOUND
from effectmeter.estimators.series_model import Autocorrelation, SeriesFit, fit_series

FURTHEST = 12.0
"""Log ratios are sought this far to both sides (a factor of 160,000)."""
_STEP = 0.5


def few_score_ratio(
    y: FloatArray,
    after01: FloatArray,
    X: FloatArray,
    period: NDArray[np.int64],
    offset: FloatArray,
    totals: FloatArray | None,
    autocorrelation: Autocorrelation,
    *,
    level: float = 0.95,
) -> Estimate:
    """Return the score interval of the level's change.

    Parameters
    ----------
    y, after01
        (n,) counts; 1 after the start.
    X
        (n, k) trend and season, intercept first.
    period, offset, totals, autocorrelation
        As in `effectmeter.estimators.series_model.fit_series`.

    Returns
    -------
    Estimate
        ``quasi_score``; without events after the start 0 with an upper bound alone.

    Raises
    ------
    NoEventsError
        Nothing was counted before the start.
    EstimationError
        Fewer periods before the start than the model needs.

    Notes
    -----
    At a log ratio theta the rest of the model is fitted with theta given; the score of theta is ``sum over after of
    (y - mean)``, its variance ``phi a' R a`` with a the level's column, standardised and freed of the other terms, and
    R the correlation of neighbours, averaged over what the time before the start says of it. phi is Pearson's, from
    before the start, at least 1. The interval holds every theta whose statistic lies within t's limits: as Wilson's
    interval, but with trend and season.

    References
    ----------
    Rao (1948), doi:10.1017/S0305004100023987; McCullagh & Nelder (1989), section 9.2.
    """
    before = after01 == 0.0
    if not y[before].sum() > 0.0:
        raise NoEventsError("nothing was counted before the start")
    known = fit_series(
        y[before],
        X[before],
        period[before],
        offset=offset[before],
        totals=None if totals is None else totals[before],
        autocorrelation=autocorrelation,
    )
    if known.df < 1:
        raise EstimationError("there are fewer periods before the start than the model has terms")
    correlation = _correlation(known, period)
    dispersion = max(1.0, known.dispersion)

    columns = independent_columns(X[before])
    X = X[:, columns]
    beta = known.beta[columns]  # each fit starts where the one before it ended

    def statistic(theta: float) -> float:
        nonlocal beta
        beta, mean, w = _without_theta(y, X, offset + theta * after01, totals, beta)
        root = np.sqrt(w)
        level_column, rest = root * after01, root[:, None] * X
        freed = level_column - rest @ np.linalg.lstsq(rest, level_column)[0]
        variance = dispersion * float(freed @ correlation @ freed)
        score = float((y - mean)[~before].sum())
        return score / math.sqrt(variance) if variance > 1e-12 else 0.0

    return _interval(statistic, known.df, level, has_after=bool(y[~before].sum() > 0.0))


def few_bound(
    y: FloatArray,
    after01: FloatArray,
    X: FloatArray,
    period: NDArray[np.int64],
    offset: FloatArray,
    totals: FloatArray | None,
    autocorrelation: Autocorrelation,
    *,
    n_after: float,
    level: float = 0.95,
) -> Estimate:
    """Return the upper bound on the level's change as if `n_after` events had been counted after the start.

    What was really counted there does not enter, neither its number nor its months: the events are laid out as the time
    before the start (and the control series) would have them. So the bound may be told where the number may not, and
    it lies above the one of any smaller number.

    Parameters
    ----------
    y, after01, X, period, offset, totals, autocorrelation
        As in `few_score_ratio`.

    Raises
    ------
    NoEventsError, EstimationError
        As `few_score_ratio`; and where nothing was to be expected after the start.
    """
    before = after01 == 0.0
    if not y[before].sum() > 0.0:
        raise NoEventsError("nothing was counted before the start")
    others = None if totals is None else totals - y
    known = fit_series(
        y[before],
        X[before],
        period[before],
        offset=offset[before],
        totals=None if totals is None else totals[before],
        autocorrelation=autocorrelation,
    )
    logged = offset + X @ known.beta + (0.0 if others is None else np.log(np.maximum(others, 1e-300)))
    expected = np.exp(logged[~before] - logged[~before].max())
    if not math.isfinite(float(expected.sum())):
        raise EstimationError("nothing was to be expected after the start")
    told = y.astype(np.float64).copy()
    told[~before] = n_after * expected / expected.sum()
    whole = None if others is None else told + others
    found = few_score_ratio(told, after01, X, period, offset, whole, autocorrelation, level=level)
    return replace(found, value=None, low=None, p_value=None, estimator=BOUND)


def _interval(statistic: Callable[[float], float], df: float, level: float, *, has_after: bool) -> Estimate:
    """Return every log ratio whose statistic lies within t's limits; without events after the start a bound alone."""
    q = quantile(level, df)
    centre = _crossing(statistic, 0.0, 0.0) if has_after else None
    high = _crossing(statistic, -q, centre if centre is not None else -FURTHEST / 2)
    low = None if centre is None else _crossing(statistic, q, centre)
    return Estimate(
        value=0.0 if centre is None else math.exp(centre),
        std_error=None,
        low=None if low is None else math.exp(low),
        high=None if high is None else math.exp(high),
        p_value=two_sided_p(statistic(0.0), df),
        level=level,
        estimator="quasi_score",
        variance="score",
    )


def _correlation(known: SeriesFit, period: NDArray[np.int64]) -> FloatArray:
    """Return (n, n) how alike periods are, averaged over what the time before the start says of it."""
    apart = np.abs(period[:, None] - period[None, :]).astype(np.float64)
    same = np.eye(len(period))
    correlation = np.zeros((len(period), len(period)))
    for (rho, share), believed in zip(known.correlation, known.believed, strict=True):
        if believed > 1e-6:
            correlation += believed * (share * np.where(apart == 0.0, 1.0, rho**apart) + (1.0 - share) * same)
    return correlation


def _without_theta(
    y: FloatArray, X: FloatArray, offset: FloatArray, totals: FloatArray | None, beta: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return coefficients (k,), mean (n,) and variance function (n,) of the model with theta in the offset.

    Newton's steps from `beta`; the likelihood has one peak, and steps that would not climb are halved.
    """
    size = 1.0 if totals is None else totals

    def likelihood(at: FloatArray) -> float:
        eta = np.clip(offset + X @ at, -700.0, 700.0)
        return float(y @ eta - (np.exp(eta).sum() if totals is None else totals @ np.logaddexp(0.0, eta)))

    now = likelihood(beta)
    for _ in range(100):
        share, slope = inverse_link("poisson" if totals is None else "binomial", offset + X @ beta)
        score = X.T @ (y - size * share)
        step = np.linalg.lstsq((X * (size * slope)[:, None]).T @ X, score)[0]
        then = likelihood(beta + step)
        while not then >= now - 1e-9 * abs(now) and float(np.abs(step).max()) > 1e-12:
            step = step / 2.0
            then = likelihood(beta + step)
        beta, now = beta + step, then
        if float(np.abs(step).max()) < 1e-9:
            break
    else:
        raise ConvergenceError("the series' model did not reach its maximum", next_step="ask for fewer harmonics")
    share, slope = inverse_link("poisson" if totals is None else "binomial", offset + X @ beta)
    return beta, size * share, np.maximum(size * slope, 1e-12)


def _crossing(statistic: Callable[[float], float], target: float, start: float) -> float | None:
    """Return where a falling statistic crosses `target`, seeking from `start`; None where it does not.

    To which side is what the statistic itself says: where much was to be expected, and nothing came, even the start of
    a bound's search (a factor of 400) may lie beyond the bound.
    """
    from scipy.optimize import brentq

    at, sign = start, 1.0 if statistic(start) > target else -1.0
    while abs(at - start) <= FURTHEST:
        further = at + sign * _STEP
        if (statistic(further) - target) * sign <= 0.0:
            low, high = sorted((at, further))
            return float(brentq(lambda theta: statistic(theta) - target, low, high, xtol=1e-10))
        at = further
    return None
