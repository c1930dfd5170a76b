"""Two-by-two counts of several trials: an estimate per trial, Mantel-Haenszel's common one, and the simple sum.

Here: what is computed from counts with a normal interval. Not here: methods on estimates
(`effectmeter.estimators.pooling`) and exact ones (`effectmeter.estimators.pooling_exact`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from effectmeter.estimators.base import Estimate, EstimationError, FloatArray, NoEventsError, SeparationError
from effectmeter.estimators.sandwich import wald
from effectmeter.estimators.sensitivity import BOUND

COUNTED = ("odds_ratio", "risk_ratio", "risk_difference")
"""Measures that four counts give."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialCounts:
    """Persons with the event, and persons, in each arm of each trial; all (k,).

    Attributes
    ----------
    events_treated, n_treated, events_comparison, n_comparison
        Whole numbers, with ``0 <= events <= n`` and ``n > 0``.
    """

    events_treated: FloatArray
    n_treated: FloatArray
    events_comparison: FloatArray
    n_comparison: FloatArray

    def __len__(self) -> int:
        """Return k."""
        return len(self.n_treated)

    @property
    def cells(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return treated with and without, comparison with and without the event."""
        return (
            self.events_treated,
            self.n_treated - self.events_treated,
            self.events_comparison,
            self.n_comparison - self.events_comparison,
        )

    @property
    def events(self) -> FloatArray:
        """Return events in both arms."""
        return self.events_treated + self.events_comparison

    @property
    def n(self) -> FloatArray:
        """Return persons in both arms."""
        return self.n_treated + self.n_comparison

    @property
    def has_empty_cell(self) -> NDArray[np.bool_]:
        """Return which trials have a cell without persons."""
        return np.asarray(np.min(np.stack(self.cells), axis=0) == 0.0)

    def only(self, keep: NDArray[np.bool_]) -> TrialCounts:
        """Return some of the trials."""
        return TrialCounts(
            events_treated=self.events_treated[keep],
            n_treated=self.n_treated[keep],
            events_comparison=self.events_comparison[keep],
            n_comparison=self.n_comparison[keep],
        )

    def summed(self) -> TrialCounts:
        """Return all trials as if they were one."""
        return TrialCounts(
            events_treated=self.events_treated.sum(keepdims=True),
            n_treated=self.n_treated.sum(keepdims=True),
            events_comparison=self.events_comparison.sum(keepdims=True),
            n_comparison=self.n_comparison.sum(keepdims=True),
        )


def informative(counts: TrialCounts, measure: str) -> NDArray[np.bool_]:
    """Return which trials say anything about a measure.

    Without events in either arm a trial says nothing about a ratio, and with events in everybody nothing about an odds
    ratio. A difference of 0 is an answer.
    """
    some, not_all = counts.events > 0, counts.events < counts.n
    if measure == "odds_ratio":
        return np.asarray(some & not_all)
    return np.asarray(some) if measure == "risk_ratio" else np.ones(len(counts), dtype=np.bool_)


def from_counts(counts: TrialCounts, measure: str) -> tuple[FloatArray, FloatArray]:
    """Return an estimate per trial and its variance, (k,) and (k,); logs for ratios.

    Trials with an empty cell, and only those, have 0.5 added to all four. Trials for which `informative` is False must
    be gone.

    References
    ----------
    Sweeting, Sutton & Lambert (2004), doi:10.1002/sim.1761, on what such a constant does.
    """
    half = 0.5 * counts.has_empty_cell
    a, b, c, d = (cell + half for cell in counts.cells)
    n1, n0 = a + b, c + d
    if measure == "odds_ratio":
        return np.log(a * d / (b * c)), 1 / a + 1 / b + 1 / c + 1 / d
    if measure == "risk_ratio":
        return np.log(a / n1) - np.log(c / n0), 1 / a - 1 / n1 + 1 / c - 1 / n0
    if measure == "risk_difference":
        return a / n1 - c / n0, a * b / n1**3 + c * d / n0**3
    raise EstimationError(f"counts of persons give no {measure}")


def mantel_haenszel(counts: TrialCounts, measure: str, *, level: float = 0.95) -> Estimate:
    """Return the one effect that all trials share, weighted as Mantel and Haenszel do.

    Counts are used as they are: no constant is added, and trials without events weigh nothing for a ratio.

    Parameters
    ----------
    counts
        The trials.
    measure
        ``odds_ratio``, ``risk_ratio`` or ``risk_difference``.

    Returns
    -------
    Estimate
        Estimator ``mantel_haenszel``, variance ``model``: Robins, Breslow and Greenland's for odds, Greenland and
        Robins' for risks, Sato's for differences; normal.

    Raises
    ------
    NoEventsError
        No trial has events.
    SeparationError
        An arm has no events (or, for odds, nobody without one) in any trial.

    References
    ----------
    Mantel & Haenszel (1959), doi:10.1093/jnci/22.4.719; Robins, Breslow & Greenland (1986), doi:10.2307/2531052;
    Greenland & Robins (1985), doi:10.2307/2530643; Sato (1989), doi:10.2307/2531717.
    """
    check_events(counts, measure)
    a, b, c, d = counts.cells
    n1, n0, n = counts.n_treated, counts.n_comparison, counts.n
    if measure == "risk_difference":
        weight = float((n1 * n0 / n).sum())
        value = float(((a * n0 - c * n1) / n).sum()) / weight
        p = (c * n1**2 - a * n0**2 + n1 * n0 * (n0 - n1) / 2) / n**2
        q = (a * d + b * c) / (2 * n)
        variance = (value * float(p.sum()) + float(q.sum())) / weight**2
        return _named(value, variance, level, is_log=False)
    if measure == "risk_ratio":
        r, s = a * n0 / n, c * n1 / n
        total = float(r.sum()) * float(s.sum())
        variance = float(((n1 * n0 * (a + c) - a * c * n) / n**2).sum()) / total
    else:
        r, s, p, q = a * d / n, b * c / n, (a + d) / n, (b + c) / n
        sum_r, sum_s = float(r.sum()), float(s.sum())
        variance = (
            float((p * r).sum()) / (2 * sum_r**2)
            + float((p * s + q * r).sum()) / (2 * sum_r * sum_s)
            + float((q * s).sum()) / (2 * sum_s**2)
        )
    return _named(math.log(float(r.sum()) / float(s.sum())), variance, level, is_log=True)


def few_bound(counts: TrialCounts, measure: str, *, few: float, in_treated: bool, level: float = 0.95) -> Estimate:
    """Return Mantel and Haenszel's bound as if the arm with few events had `few` of them over all trials.

    How many it really had, and in which trials, does not enter: the events are laid out over the trials as the other
    arm's risks would have them. So the bound may be told where the number may not, and it is wider than that of any
    smaller number.

    Parameters
    ----------
    counts, measure
        As in `mantel_haenszel`, for ratios; every trial brings counts.
    in_treated
        Whether the treated arm is the one with few events, and the bound an upper one; else it is a lower one.

    Raises
    ------
    NoEventsError
        The other arm has no events either.
    """
    n_few, n_other, other = counts.n_treated, counts.n_comparison, counts.events_comparison
    if not in_treated:
        n_few, n_other, other = n_other, n_few, counts.events_treated
    expected = n_few * other / n_other
    if not expected.sum() > 0.0:
        raise NoEventsError("the other arm has no events either, so there is nothing to compare")
    told = np.minimum(few * expected / expected.sum(), n_few)
    arms = (told, n_few, other, n_other) if in_treated else (other, n_other, told, n_few)
    as_if = dict(zip(("events_treated", "n_treated", "events_comparison", "n_comparison"), arms, strict=True))
    found = mantel_haenszel(TrialCounts(**as_if), measure, level=level)
    return replace(
        found,
        value=None,
        std_error=None,
        p_value=None,
        low=None if in_treated else found.low,
        high=found.high if in_treated else None,
        estimator=BOUND,
    )


def collapsed(counts: TrialCounts, measure: str, *, level: float = 0.95) -> Estimate:
    """Return the effect in all trials added up as if they were one: comparable with a newspaper, not an answer.

    It mixes differences between trials with those between arms (Simpson's paradox).

    Raises
    ------
    NoEventsError, SeparationError
        As `mantel_haenszel`.
    """
    whole = counts.summed()
    check_events(whole, measure)
    point, variance = from_counts(whole, measure)
    is_log = measure != "risk_difference"
    return wald(
        float(point[0]),
        math.sqrt(float(variance[0])),
        level=level,
        estimator="collapsed",
        variance="model",
        is_log=is_log,
    )


def check_events(counts: TrialCounts, measure: str) -> None:
    """Raise where there are no events, or where a ratio would be zero or without end."""
    a, b, c, d = counts.cells
    if not counts.events.sum() > 0:
        raise NoEventsError("no trial has an event in either arm, so there is nothing to compare")
    if measure == "risk_ratio" and not (a.sum() > 0 and c.sum() > 0):
        raise SeparationError("in none of the trials does one of the arms have an event")
    if measure == "odds_ratio" and not ((a * d).sum() > 0 and (b * c).sum() > 0):
        raise SeparationError("in none of the trials does one of the arms have persons with, or without, the event")


def _named(point: float, variance: float, level: float, *, is_log: bool) -> Estimate:
    return wald(
        point,
        math.sqrt(max(variance, 0.0)),
        level=level,
        estimator="mantel_haenszel",
        variance="model",
        is_log=is_log,
    )
