"""The cumulative incidence: the share of persons with a first event by each day, with its limits.

Here: the curve. Not here: what compares curves (`effectmeter.estimators.hazard`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from effectmeter.estimators.base import FloatArray
from effectmeter.estimators.sandwich import sum_by_unit


@dataclass(frozen=True, slots=True, kw_only=True)
class CumulativeIncidence:
    """One less the Kaplan-Meier curve, at each day with an event.

    Attributes
    ----------
    day
        (d,) days with at least one event.
    incidence, std_error
        (d,) probability of an event up to and including that day, and its Greenwood error.
    low, high
        (d,) log-log limits.
    n_at_risk, n_events
        (d,) just before, and on, that day; weighted where weights were given.
    """

    day: FloatArray
    incidence: FloatArray
    std_error: FloatArray
    low: FloatArray
    high: FloatArray
    n_at_risk: FloatArray
    n_events: FloatArray


def cumulative_incidence(
    days: FloatArray,
    event01: FloatArray,
    weights: FloatArray | None = None,
    *,
    size: FloatArray | None = None,
    level: float = 0.95,
) -> CumulativeIncidence:
    """Return the share of persons with a first event by each day, with censoring taken into account.

    Parameters
    ----------
    days, event01
        (n,) days until the first event or the end of observation; 1 where it ended with an event.
    weights
        (n,) weights, taken as known.
    size
        (n,) how many persons each row stands for, one by default.
    level
        Of the pointwise limits.

    Notes
    -----
    ``S(t) = prod (1 - d / n)``; Greenwood's error, for weights with the effective numbers ``(sum w)^2 / sum w^2`` at
    risk (Xie & Liu 2005); limits ``S^exp(+- z se / (S log S))``.

    References
    ----------
    Xie & Liu (2005), doi:10.1002/sim.2174.
    """
    from scipy import stats

    time, event = np.asarray(days, dtype=np.float64), np.asarray(event01, dtype=np.float64)
    w = np.ones(len(time)) if weights is None else np.asarray(weights, dtype=np.float64)
    persons = np.ones(len(time)) if size is None else size
    order = np.argsort(time, kind="stable")
    time, event = time[order], event[order]
    square = (persons * w**2)[order]
    w = (persons * w)[order]
    day = np.unique(time[(event > 0.0) & (w > 0.0)])
    first = np.searchsorted(time, day, side="left")
    at_risk = w.sum() - np.r_[0.0, np.cumsum(w)][first]
    squares = square.sum() - np.r_[0.0, np.cumsum(square)][first]
    here = np.searchsorted(day, time[event > 0.0])
    inside = w[event > 0.0] > 0.0
    n_events = sum_by_unit(w[event > 0.0][inside], here[inside], len(day))
    q = np.clip(n_events / at_risk, 0.0, 1.0)
    survival = np.cumprod(1.0 - q)
    effective = at_risk**2 / np.maximum(squares, 1e-300)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        relative = np.sqrt(np.cumsum(q / ((1.0 - q) * effective)))
        half = stats.norm.ppf(1.0 - (1.0 - level) / 2.0) * relative / -np.log(survival)
        low, high = 1.0 - survival ** np.exp(-half), 1.0 - survival ** np.exp(half)
        std_error = survival * relative
    gone = survival <= 0.0
    return CumulativeIncidence(
        day=day,
        incidence=1.0 - survival,
        std_error=np.where(gone, np.nan, std_error),
        low=np.where(gone, np.nan, low),
        high=np.where(gone, np.nan, high),
        n_at_risk=at_risk,
        n_events=n_events,
    )
