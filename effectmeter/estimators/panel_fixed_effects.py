"""Two-way fixed effects: an effect per area, an effect per period, and indicators of treatment and distance rings.

Area effects are taken off in closed form, period effects by a system of the number of periods: exact with gaps too.
With starts at different times this mixes up effects of different ages (`group_time` does not): it is here for values
with one start, and beside the others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from effectmeter.estimators.base import Estimate, EstimationError, FloatArray, SeparationError
from effectmeter.estimators.group_time_panel import BoolArray, Effect, Shares
from effectmeter.estimators.sandwich import IntArray, wald

EXACT_JACKKNIFE = 1000
"""Up to so many clusters, each is left out of all coefficients exactly; above it, to first order."""


@dataclass(frozen=True, kw_only=True)
class TwoWayFit:
    """Least squares with area and period effects.

    Attributes
    ----------
    beta
        (q,) coefficients of the indicators.
    residual
        (n, T), 0 where not observed.
    design
        (n, T, q) indicators without their area and period means.
    within
        (n, T, q + T - 1) indicators and period dummies without their area means; for leaving clusters out.
    n_parameters
        Indicators, areas and periods.
    """

    beta: FloatArray
    residual: FloatArray = field(repr=False)
    design: FloatArray = field(repr=False)
    observed: BoolArray = field(repr=False)
    indicators: FloatArray = field(repr=False)
    y: FloatArray = field(repr=False)
    cluster: IntArray = field(repr=False)
    n_parameters: int
    n_area_effects: int

    @property
    def n_observed(self) -> int:
        """Number of area-periods."""
        return int(self.observed.sum())

    def shares(self, position: int, variance: str) -> tuple[Shares, float | None]:
        """Return the shares of a coefficient, per cluster or per area-period, and its degrees of freedom.

        Parameters
        ----------
        variance
            ``model``, ``hc1``, ``hc3``, ``cr0``, ``cr1``, ``cr3``.

        Notes
        -----
        ``hc1`` multiplies by ``N / (N - K)``, K with all area and period effects; ``cr1`` by
        ``G / (G - 1) (N - 1) / (N - K)``, K without area effects, which lie within clusters.
        """
        bread = np.linalg.pinv(np.einsum("itq,itr->qr", self.design, self.design), hermitian=True)
        row = np.einsum("itq,q->it", self.design, bread[position])
        spare = self.n_observed - self.n_parameters
        if spare < 1:
            raise EstimationError("there are fewer area-periods than the model needs")
        any_treated = (self.indicators[:, :, position] != 0.0).any(axis=1)
        if variance == "model":
            size = math.sqrt(float((self.residual**2).sum()) / spare * float(bread[position, position]))
            return Shares(values=np.array([size]), is_treated=np.array([True])), float(spare)
        if variance in {"hc1", "hc3"}:
            values = row * self.residual
            if variance == "hc1":
                values = values * math.sqrt(self.n_observed / spare)
            else:
                values = values / np.maximum(1.0 - self._leverage(), 1e-8)
            by_period = values[self.observed]
            sides = np.broadcast_to(any_treated[:, None], values.shape)[self.observed]
            return Shares(values=by_period, is_treated=sides), float(spare)
        size_g = int(self.cluster.max()) + 1
        is_treated = np.bincount(self.cluster, any_treated, size_g) > 0.0
        if variance == "cr3" and size_g <= EXACT_JACKKNIFE:
            return Shares(values=self._left_out(position, size_g), is_treated=is_treated), None
        total: FloatArray = np.bincount(self.cluster, (row * self.residual).sum(axis=1), size_g).astype(np.float64)
        if variance == "cr1":
            k = self.n_parameters - self.n_area_effects + 1
            total = total * math.sqrt(size_g / max(size_g - 1, 1) * (self.n_observed - 1) / max(self.n_observed - k, 1))
        elif variance == "cr3":
            total = total * size_g / max(size_g - 1, 1)
        return Shares(values=total, is_treated=is_treated), None

    def coefficient(self, position: int, variance: str, level: float = 0.95) -> Estimate:
        """Return one coefficient with its interval."""
        shares, df = self.shares(position, variance)
        return wald(
            float(self.beta[position]),
            shares.std_error,
            level=level,
            estimator="twoway_fe",
            variance=variance,
            df=df or shares.df,
        )

    def effect(self, position: int, variance: str) -> Effect:
        """Return a coefficient as an effect on the area-periods whose indicator is set, for ratios."""
        shares, df = self.shares(position, variance)
        if df is not None:
            raise EstimationError("a ratio's error is by cluster here")
        inside = (self.indicators[:, :, position] != 0.0) & self.observed
        count, level = inside.sum(axis=1).astype(np.float64), np.where(inside, self.y, 0.0).sum(axis=1)
        size = len(shares.values)
        n, total = (np.bincount(self.cluster, values, size) for values in (count, level))
        mean = float(total.sum() / n.sum())
        left = n.sum() - n if variance == "cr3" else np.full(size, n.sum())
        own = np.divide(total - mean * n, left, out=np.zeros(size), where=left > 0.0)
        return Effect(
            att=float(self.beta[position]),
            mean=mean,
            att_shares=shares,
            mean_shares=Shares(values=own, is_treated=shares.is_treated),
            estimator="twoway_fe",
            variance=variance,
        )

    def _within(self) -> FloatArray:
        """Return (n, T, q + T - 1) indicators and period dummies without their area means."""
        n, periods = self.observed.shape
        dummies = np.broadcast_to(np.eye(periods)[:, 1:], (n, periods, periods - 1))
        both = np.concatenate([self.indicators, dummies], axis=2) * self.observed[:, :, None]
        return _without_area_means(both, self.observed)

    def _leverage(self) -> FloatArray:
        within = self._within()
        bread = np.linalg.pinv(np.einsum("itp,itr->pr", within, within), hermitian=True)
        per_area = np.maximum(self.observed.sum(axis=1), 1)[:, None]
        found: FloatArray = np.einsum("itp,pr,itr->it", within, bread, within, optimize=True) + 1.0 / per_area
        return found

    def _left_out(self, position: int, size: int) -> FloatArray:
        """Return the coefficient less that without each cluster."""
        within = self._within()
        q = within.shape[2]
        information, score = np.zeros((size, q, q)), np.zeros((size, q))
        np.add.at(information, self.cluster, np.einsum("itp,itr->ipr", within, within, optimize=True))
        np.add.at(score, self.cluster, np.einsum("itp,it->ip", within, self.residual))
        rest = information.sum(axis=0)[None, :, :] - information
        found = np.zeros(size)
        for cluster in range(size):
            step, _, rank, _ = np.linalg.lstsq(rest[cluster], score[cluster], rcond=1e-10)
            if rank < q and np.linalg.matrix_rank(rest[cluster][:, np.arange(q) != position], tol=1e-8) == rank:
                raise EstimationError("this rests on one area, so that nothing can be said about precision")
            found[cluster] = step[position]
        return found


def two_way(y: FloatArray, indicators: FloatArray, cluster: IntArray) -> TwoWayFit:
    """Fit area effects, period effects and indicators by least squares.

    Parameters
    ----------
    y
        (n, T); NaN where not observed.
    indicators
        (n, T, q) 0/1: treated area-periods first, then each ring.
    cluster
        (n,) 0..G-1.

    Raises
    ------
    SeparationError
        An indicator follows from areas, periods and the other indicators.
    """
    observed = ~np.isnan(y)
    outcome = np.where(observed, y, 0.0)
    stacked = np.concatenate([indicators * observed[:, :, None], outcome[:, :, None]], axis=2)
    clean = _without_both_means(stacked, observed)
    design, rest = clean[:, :, :-1], clean[:, :, -1]
    information = np.einsum("itq,itr->qr", design, design)
    raw = np.einsum("itq,itq->q", indicators * observed[:, :, None], indicators)
    if (np.diag(information) < 1e-9 * np.maximum(raw, 1.0)).any() or np.linalg.matrix_rank(
        information, tol=1e-9 * max(float(raw.max()), 1.0)
    ) < len(information):
        raise SeparationError("treatment follows from areas and periods alone: there is nothing to compare with")
    beta = np.linalg.solve(information, np.einsum("itq,it->q", design, rest))
    n_areas, n_periods = int(observed.any(axis=1).sum()), int(observed.any(axis=0).sum())
    return TwoWayFit(
        beta=beta,
        residual=(rest - design @ beta) * observed,
        design=design,
        observed=observed,
        indicators=indicators,
        y=outcome,
        cluster=cluster,
        n_parameters=indicators.shape[2] + n_areas + n_periods - 1,
        n_area_effects=n_areas,
    )


def _without_area_means(values: FloatArray, observed: BoolArray) -> FloatArray:
    """Return (n, T, m) values less their area means, 0 where not observed."""
    number = np.maximum(observed.sum(axis=1), 1)[:, None, None]
    result: FloatArray = (values - values.sum(axis=1, keepdims=True) / number) * observed[:, :, None]
    return result


def _without_both_means(values: FloatArray, observed: BoolArray) -> FloatArray:
    """Return (n, T, m) values less area and period effects, by exact algebra.

    After taking off area means, period effects d solve ``(diag(n_t) - O' diag(1 / n_i) O) d = sums per period``, with O
    the (n, T) pattern of what was observed.
    """
    within = _without_area_means(values, observed)
    pattern = observed.astype(np.float64)
    per_area = np.maximum(pattern.sum(axis=1), 1.0)
    system = np.diag(pattern.sum(axis=0)) - (pattern / per_area[:, None]).T @ pattern
    effects: NDArray[np.float64] = np.linalg.pinv(system, rcond=1e-12, hermitian=True) @ within.sum(axis=0)
    dummies = _without_area_means(np.broadcast_to(effects, values.shape) * observed[:, :, None], observed)
    return within - dummies
