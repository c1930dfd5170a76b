"""Counts over time: a quasi-Poisson (or, against a control series, quasi-binomial) model with correlated neighbours.

Here: the fit, and the interval of any combination of its coefficients. Not here: which terms a series has
(`effectmeter.estimators.series_terms`), nor intervals where hardly anything was counted
(`effectmeter.estimators.series_few`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from effectmeter.estimators.base import ConvergenceError, Estimate, EstimationError, FloatArray, NoEventsError
from effectmeter.estimators.glm import fit_glm, independent_columns, inverse_link
from effectmeter.estimators.sandwich import wald

Autocorrelation = Literal["ar1", "none"]

CORRELATIONS = np.array([(rho, share) for share in (0.25, 0.5, 0.75, 1.0) for rho in np.linspace(-0.3, 0.98, 25)])
"""(g, 2) correlations over which the fit is averaged: rho, and the share of the variance that is correlated at all (the
rest is chance from period to period, as the counting itself makes). Neighbours that strongly alternate are left out:
counts hardly do, and in 40 periods chance often looks like it, which would narrow the interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesFit:
    """A fitted series.

    Attributes
    ----------
    beta
        (p,) coefficients, 0 for columns that the data say nothing about.
    kept
        (p,) whether a column was kept.
    correlation, believed
        (g, 2) rho and share as in `CORRELATIONS`, and (g,) how far the data believe each; they add up to 1.
    beta_at, covariance_at
        (g, p), (g, p, p) coefficients and their covariance at each of those.
    dispersion
        Pearson's, as found; in the covariances it counts for at least 1.
    df
        Residual degrees of freedom.
    mean
        (n,) fitted counts.
    residual
        (n,) Pearson residuals.
    """

    beta: FloatArray
    kept: NDArray[np.bool_]
    correlation: FloatArray = field(repr=False)
    believed: FloatArray = field(repr=False)
    beta_at: FloatArray = field(repr=False)
    covariance_at: FloatArray = field(repr=False)
    dispersion: float
    df: float
    mean: FloatArray = field(repr=False)
    residual: FloatArray = field(repr=False)

    @property
    def mean_rho(self) -> float:
        """Return the correlation of neighbouring periods, averaged over what the data believe."""
        return float(self.believed @ self.correlation.prod(axis=1))

    def covariance(self) -> FloatArray:
        """Return the covariance (p, p) over everything that the data believe of the correlation."""
        centre = self.believed @ self.beta_at
        apart = self.beta_at - centre
        within = np.einsum("g,gij->ij", self.believed, self.covariance_at)
        found: FloatArray = within + np.einsum("g,gi,gj->ij", self.believed, apart, apart)
        return found

    def combination(
        self,
        direction: FloatArray,
        *,
        level: float = 0.95,
        estimator: str,
        variance: str,
        shift: float = 0.0,
        is_log: bool = True,
    ) -> Estimate:
        """Return the interval of ``direction @ beta + shift``, as a ratio when `is_log`.

        Parameters
        ----------
        direction
            (p,) weights of the coefficients; for a curved quantity its gradient at `beta`.
        shift
            What a curved quantity has beyond ``direction @ beta``.

        Raises
        ------
        EstimationError
            The data say nothing about one of the columns in `direction`, or nothing varies.
        """
        if np.any((direction != 0.0) & ~self.kept):
            raise EstimationError("the periods do not tell this change apart from trend and season")
        middles = self.beta_at @ direction + shift
        spreads = np.sqrt(np.maximum(np.einsum("i,gij,j->g", direction, self.covariance_at, direction), 0.0))
        centre = float(self.beta @ direction + shift)
        if len(self.correlation) == 1:
            return wald(
                centre,
                float(spreads[0]),
                level=level,
                estimator=estimator,
                variance=variance,
                df=self.df,
                is_log=is_log,
            )
        std_error = math.sqrt(float(direction @ self.covariance() @ direction))
        if not std_error > 0.0 or not math.isfinite(centre):
            raise EstimationError("the data do not vary enough to say how precise this estimate is")
        tail = (1.0 - level) / 2.0
        low, high = (_quantile(share, middles, spreads, self.believed, self.df) for share in (tail, 1.0 - tail))
        below = _share_below(0.0, middles, spreads, self.believed, self.df)
        shown = (lambda value: math.exp(min(value, 700.0))) if is_log else float
        return Estimate(
            value=shown(centre),
            std_error=std_error,
            low=shown(low),
            high=shown(high),
            p_value=min(1.0, 2.0 * min(below, 1.0 - below)),
            level=level,
            estimator=estimator,
            variance=variance,
            df=self.df,
        )


def fit_series(
    y: FloatArray,
    X: FloatArray,
    period: NDArray[np.int64],
    *,
    offset: FloatArray | None = None,
    totals: FloatArray | None = None,
    autocorrelation: Autocorrelation = "ar1",
    correlations: FloatArray = CORRELATIONS,
) -> SeriesFit:
    """Fit a series of counts.

    Parameters
    ----------
    y
        (n,) counts, in order of time.
    X
        (n, p) design with its intercept first.
    period
        (n,) number of each period, rising; what is missing in between was not delivered.
    offset
        (n,) log population, or 0.
    totals
        (n,) counts of this series and its control together: the model is then of this series' share in them
        (binomial), and everything that both have in common drops out. None: Poisson.
    autocorrelation
        ``ar1``: Pearson residuals d periods apart are correlated by ``share * rho ** d``. ``none``: they are not.
    correlations
        (g, 2) rho and share, evenly spaced, to average over.

    Raises
    ------
    NoEventsError
        Nothing was counted.
    EstimationError
        Fewer periods than the model needs.
    ConvergenceError
        The fit did not reach its maximum.

    Notes
    -----
    Without autocorrelation: maximum likelihood, Pearson's scale (never below 1), t with n - p.

    With it: quasi-likelihood with working covariance ``phi W^1/2 R W^1/2`` (Liang & Zeger 1986; Zeger 1988), R that of
    an AR(1) under chance of its own for every period, stepping over gaps. Counts around a rate that drifts look like
    that: with an AR(1) alone intervals covered 91 % there. A single series has no second cluster, so the error is the
    model's own; rho and share are not plugged in but averaged over their restricted likelihood (Harville 1974), because
    with 40 to 150 periods an estimated correlation is too small and its own error widens the interval. The interval is
    that of the mixture of t's, ``beta`` its mean. Covers better than every plug-in: benchmarks/series_coverage.md.

    References
    ----------
    Liang & Zeger (1986), doi:10.1093/biomet/73.1.13; Zeger (1988), doi:10.1093/biomet/75.4.621; Harville (1974),
    doi:10.1093/biomet/61.2.383; Zellner & Tiao (1964), doi:10.1080/01621459.1964.10480726.
    """
    n, p = X.shape
    offset = np.zeros(n) if offset is None else offset
    if not y.sum() > 0.0 or (totals is not None and not (totals - y).sum() > 0.0):
        raise NoEventsError("nothing was counted, so there is nothing to compare")
    columns = independent_columns(X)
    kept = np.isin(np.arange(p), columns)
    df = n - len(columns)
    if df < 1:
        raise EstimationError("there are fewer periods than the model has terms")
    design = X[:, columns]
    beta = _start(y, design, offset, totals)
    if autocorrelation == "none":
        mean, w = _mean(design, beta, offset, totals)
        residual = (y - mean) / np.sqrt(w)
        dispersion = float((residual**2).sum()) / df
        covariance = max(dispersion, 1.0) * np.linalg.pinv((design * w[:, None]).T @ design, hermitian=True)
        return _wide(beta[None], covariance[None], np.zeros((1, 2)), np.ones(1), kept, dispersion, df, mean, residual)
    filter_ = _Filter.of(np.diff(period).astype(np.float64), correlations)
    found, mean, residual = _reweighted(y, design, beta, offset, totals, filter_)
    dispersion = float(found.weight @ found.scale)
    covariance = found.covariance * np.maximum(found.scale, 1.0)[:, None, None]
    return _wide(found.beta, covariance, correlations, found.weight, kept, dispersion, df, mean, residual)


def _reweighted(
    y: FloatArray,
    design: FloatArray,
    beta: FloatArray,
    offset: FloatArray,
    totals: FloatArray | None,
    filter_: _Filter,
) -> tuple[_Averaged, FloatArray, FloatArray]:
    """Return the fit at every correlation, the mean and Pearson's residuals (n,), by reweighting until nothing moves.

    Raises
    ------
    ConvergenceError
        It did not come to rest.
    """
    df = len(y) - design.shape[1]
    for _ in range(60):
        mean, w = _mean(design, beta, offset, totals)
        root = np.sqrt(w)
        residual = (y - mean) / root
        found = _average(root[:, None] * design, root * (design @ beta) + residual, filter_, df)
        step = found.weight @ found.beta - beta
        beta = beta + step * min(1.0, 3.0 / max(float(np.abs(step).max()), 1e-300))
        if float(np.abs(step).max()) < 1e-8 * (1.0 + float(np.abs(beta).max())):
            return found, mean, residual
    raise ConvergenceError("the series' model did not reach its maximum", next_step="ask for fewer harmonics")


@dataclass(frozen=True, slots=True)
class _Averaged:
    """Least squares at every correlation: weight, coefficients (g, p), covariance per scale (g, p, p), scale."""

    weight: FloatArray
    beta: FloatArray
    covariance: FloatArray
    scale: FloatArray


def _average(Z: FloatArray, r: FloatArray, filter_: _Filter, df: int) -> _Averaged:
    """Return generalised least squares of `r` (n,) on `Z` (n, p) at every correlation, by restricted likelihood."""
    both = np.column_stack([Z, r])
    size = np.maximum(np.sqrt((both**2).sum(axis=0)), 1e-300)
    white = filter_.whitened(both / size)
    cross = white.transpose(1, 2, 0) @ white.transpose(1, 0, 2)
    information, score = cross[:, :-1, :-1], cross[:, :-1, -1]
    covariance = np.linalg.inv(information)  # the columns are independent, and of one size
    beta = np.einsum("gij,gj->gi", covariance, score)
    square = np.maximum(cross[:, -1, -1] - np.einsum("gi,gi->g", beta, score), 1e-12)
    log_weight = -filter_.log_spread - 0.5 * np.linalg.slogdet(information)[1] - 0.5 * df * np.log(square)
    weight = np.exp(log_weight - log_weight.max())
    scale = size[:-1] / size[-1]
    return _Averaged(
        weight / weight.sum(),
        beta / scale,
        covariance / size[:-1, None] / size[None, :-1],
        square * size[-1] ** 2 / df,
    )


@dataclass(frozen=True, slots=True)
class _Filter:
    """Kalman's filter of a correlated signal under chance of each period's own, for every correlation at once.

    Attributes
    ----------
    keep, take
        (n, g) share of what was foretold, and of the value itself, in what is foretold of the next period.
    spread
        (n, g) error of what was foretold, in units of the variance.
    log_spread
        (g,) half the log determinant of R.

    References
    ----------
    Kalman (1960), doi:10.1115/1.3662552.
    """

    keep: FloatArray
    take: FloatArray
    spread: FloatArray
    log_spread: FloatArray

    @classmethod
    def of(cls, gaps: FloatArray, correlations: FloatArray) -> _Filter:
        """Return the filter for periods that lie `gaps` (n - 1,) apart."""
        rho, share = correlations.T
        steps = np.concatenate([rho[None] ** gaps[:, None], np.zeros((1, len(rho)))])
        gains, spreads = np.empty_like(steps), np.empty_like(steps)
        variance = share
        for t, step in enumerate(steps):
            spreads[t] = variance + 1.0 - share
            gains[t] = variance / spreads[t]
            variance = step**2 * variance * (1.0 - gains[t]) + share * (1.0 - step**2)
        log_spread = 0.5 * np.log(spreads).sum(axis=0)
        return cls(steps * (1.0 - gains), steps * gains, np.sqrt(spreads), log_spread)

    def whitened(self, columns: FloatArray) -> FloatArray:
        """Return columns (n, k) as (n, g, k) without correlation and with variance 1."""
        foretold = np.zeros((*self.keep.shape, columns.shape[1]))
        taken = self.take[:, :, None] * columns[:, None, :]
        for t in range(1, len(columns)):
            foretold[t] = self.keep[t - 1][:, None] * foretold[t - 1] + taken[t - 1]
        white: FloatArray = (columns[:, None, :] - foretold) / self.spread[:, :, None]
        return white


def _start(y: FloatArray, X: FloatArray, offset: FloatArray, totals: FloatArray | None) -> FloatArray:
    """Return the coefficients (p,) by maximum likelihood with independent periods."""
    if totals is None:
        fit = fit_glm("poisson", y, X, offset=offset)
    else:
        fit = fit_glm("binomial", y / totals, X, offset=offset, weight=totals)
    if len(fit.beta) != X.shape[1]:
        raise ConvergenceError("in some part of the year or of the series nothing was counted at all")
    return fit.beta


def _mean(
    X: FloatArray, beta: FloatArray, offset: FloatArray, totals: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """Return mean (n,) and variance function (n,) at `beta`."""
    if totals is None:
        mean, slope = inverse_link("poisson", offset + X @ beta)
        return mean, np.maximum(slope, 1e-12)
    share, slope = inverse_link("binomial", offset + X @ beta)
    return totals * share, np.maximum(totals * slope, 1e-12)


def _wide(
    beta_at: FloatArray,
    covariance_at: FloatArray,
    correlation: FloatArray,
    believed: FloatArray,
    kept: NDArray[np.bool_],
    dispersion: float,
    df: int,
    mean: FloatArray,
    residual: FloatArray,
) -> SeriesFit:
    """Return the fit in the columns that were given, with zeros for those that were dropped."""
    p = len(kept)
    beta = np.zeros((len(correlation), p))
    beta[:, kept] = beta_at
    covariance = np.zeros((len(correlation), p, p))
    covariance[np.ix_(np.ones(len(correlation), dtype=bool), kept, kept)] = covariance_at
    return SeriesFit(
        beta=believed @ beta,
        kept=kept,
        correlation=correlation,
        believed=believed,
        beta_at=beta,
        covariance_at=covariance,
        dispersion=dispersion,
        df=float(df),
        mean=mean,
        residual=residual,
    )


def _share_below(at: float, middles: FloatArray, spreads: FloatArray, weight: FloatArray, df: float) -> float:
    from scipy.special import stdtr

    return float(weight @ stdtr(df, (at - middles) / np.maximum(spreads, 1e-300)))


def _quantile(share: float, middles: FloatArray, spreads: FloatArray, weight: FloatArray, df: float) -> float:
    """Return where `share` of the mixture of t's lies below."""
    from scipy.optimize import brentq
    from scipy.special import stdtrit

    # beyond every part's own quantile lies more (less) than the share; parts that hardly count would only slow it down
    counted = weight > 1e-12 * weight.max()
    each = middles[counted] + spreads[counted] * stdtrit(df, share)
    low, high = float(each.min()) - 1e-9, float(each.max()) + 1e-9
    shares = weight[counted] / weight[counted].sum()
    return float(
        brentq(
            lambda at: _share_below(at, middles[counted], spreads[counted], shares, df) - share, low, high, xtol=1e-12
        )
    )
