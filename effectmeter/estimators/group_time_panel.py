"""Areas by periods, laid out for designs with staggered starts, and what every estimator on them hands back.

Here: the panel itself and how influence values become an error, a t reference and an interval. Not here: any estimate
(`effectmeter.estimators.group_time`, `panel_poisson`, `panel_fixed_effects`, `calibration`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from effectmeter.estimators.base import Estimate, EstimationError, FloatArray, SeparationError
from effectmeter.estimators.sandwich import IntArray, wald

BoolArray = NDArray[np.bool_]
NEVER = math.inf
VAGUE = 3.0
"""A log ratio with a larger error has limits a factor of 400 away, or none that a number can hold."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Areas by periods.

    Attributes
    ----------
    y
        (n, T) outcome; NaN where it was not observed.
    start
        (n,) calendar index of the first treated period; `NEVER` for areas that are not treated within the panel.
    periods
        (T,) calendar indices, ascending; gaps stay gaps.
    cluster
        (n,) 0..G-1.
    X
        (n, k) covariates without intercept.
    """

    y: FloatArray = field(repr=False)
    start: FloatArray
    periods: FloatArray
    cluster: IntArray
    X: FloatArray = field(repr=False)

    @cached_property
    def observed(self) -> BoolArray:
        """(n, T) where the outcome is known."""
        result: BoolArray = ~np.isnan(self.y)
        return result

    @cached_property
    def treated(self) -> BoolArray:
        """(n, T) from an area's first treated period on."""
        result: BoolArray = self.periods[None, :] >= self.start[:, None]
        return result

    @cached_property
    def cohorts(self) -> FloatArray:
        """(K,) starts within the panel, ascending."""
        return np.unique(self.start[np.isfinite(self.start)])

    @property
    def n_clusters(self) -> int:
        """Number of clusters G."""
        return int(self.cluster.max()) + 1 if len(self.cluster) else 0

    def keep(self, areas: BoolArray) -> Panel:
        """Return the panel of some areas, clusters numbered again."""
        _, cluster = np.unique(self.cluster[areas], return_inverse=True)
        return replace(
            self,
            y=self.y[areas],
            start=self.start[areas],
            cluster=cluster.astype(np.intp),
            X=self.X[areas],
        )

    def with_outcome(self, y: FloatArray) -> Panel:
        """Return the same areas and starts with another outcome."""
        return replace(self, y=y)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """What each cluster adds to the error of an estimate: the estimate less the estimate without that cluster.

    Attributes
    ----------
    values
        (G,) jackknife or influence values, on the scale of the estimate.
    is_treated
        (G,) whether the cluster holds a treated area.
    """

    values: FloatArray
    is_treated: BoolArray

    @property
    def std_error(self) -> float:
        """Square root of the sum of squares."""
        return math.sqrt(float(self.values @ self.values))

    @property
    def df(self) -> float:
        """Degrees of freedom of Welch and Satterthwaite: treated and comparison clusters have their own variance.

        With 15 treated areas among 300 the error rests on 15 numbers, not on 315.
        """
        parts = []
        for side in (True, False):
            own = self.values[(self.is_treated == side) & (self.values != 0.0)]
            if len(own):
                parts.append((float(own @ own), max(len(own) - 1.0, 1.0)))
        total = sum(part for part, _ in parts)
        below = sum(part**2 / degrees for part, degrees in parts)
        return max(total**2 / below, 1.0) if below > 0.0 else 1.0

    def scaled(self, factor: float) -> Shares:
        """Return the shares of a multiple of the estimate."""
        return replace(self, values=self.values * factor)


def combined(parts: list[tuple[float, Shares]]) -> Shares:
    """Return the shares of a sum of estimates, each with its factor."""
    values = np.sum([factor * part.values for factor, part in parts], axis=0)
    return Shares(values=np.asarray(values, dtype=np.float64), is_treated=parts[0][1].is_treated)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """The effect on treated area-periods, from which every measure follows.

    Attributes
    ----------
    att
        Mean difference between what was seen and what would have been.
    mean
        What was seen: the mean of the treated area-periods.
    att_shares, mean_shares
        Their errors.
    estimator, variance
        Names for the effects table.
    """

    att: float
    mean: float
    att_shares: Shares
    mean_shares: Shares
    estimator: str
    variance: str

    @property
    def without(self) -> float:
        """What would have been: the mean without the programme."""
        return self.mean - self.att

    def difference(self, level: float = 0.95) -> Estimate:
        """Return the difference with its interval."""
        return wald(
            self.att,
            self.att_shares.std_error,
            level=level,
            estimator=self.estimator,
            variance=self.variance,
            df=self.att_shares.df,
        )

    def ratio(self, level: float = 0.95) -> Estimate:
        """Return what was seen over what would have been, with the error carried to the log scale.

        Raises
        ------
        SeparationError
            Nothing was seen among the treated, or less than nothing would have been.
        """
        if not self.mean > 0.0:
            raise SeparationError("nothing was counted in treated areas after the start: there is only a bound")
        if not self.without > 0.0:
            raise EstimationError("without the programme less than nothing would have been seen: there is no ratio")
        shares = combined(
            [(1.0 / self.mean - 1.0 / self.without, self.mean_shares), (1.0 / self.without, self.att_shares)]
        )
        if shares.std_error > VAGUE:
            raise EstimationError("too little was counted to give this ratio any limits")
        return wald(
            math.log(self.mean / self.without),
            shares.std_error,
            level=level,
            estimator=self.estimator,
            variance=self.variance,
            df=shares.df,
            is_log=True,
        )


def as_percent(ratio: Estimate) -> Estimate:
    """Return a ratio as a change in per cent; the error in per cent points by the delta method."""

    def changed(value: float | None) -> float | None:
        return None if value is None else 100.0 * (value - 1.0)

    error = None if ratio.std_error is None or ratio.value is None else 100.0 * ratio.value * ratio.std_error
    return replace(ratio, value=changed(ratio.value), std_error=error, low=changed(ratio.low), high=changed(ratio.high))


def only_bound(ratio: Estimate) -> bool:
    """Return whether a ratio has one limit only."""
    return ratio.low is None or ratio.high is None
