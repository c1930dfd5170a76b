"""Risks and rates of cells: the same estimates and robust errors as one row per person gives.

The engine that `risk_contrast` and `rate_contrast` turn to when they are given cells; the counterpart of
`effectmeter.estimators.marginal`, whose formulas it evaluates per cell. Not here: the cells themselves
(`effectmeter.estimators.cells`), and hazards, which take cells as they are (`effectmeter.estimators.hazard`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from effectmeter.estimators.base import (
    ArmContrast,
    Estimate,
    EstimationError,
    FloatArray,
    NoEventsError,
    SeparationError,
    Weights,
)
from effectmeter.estimators.cells import Cells
from effectmeter.estimators.glm import GlmFit, fit_glm
from effectmeter.estimators.marginal import ARM, check_arms, check_identified, outcome_design, target_weight
from effectmeter.estimators.sandwich import cluster_index, coefficient_influence, sum_by_unit, wald

Family = Literal["binomial", "poisson"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Influence:
    """Influence values ``a + b y + c t`` of the persons in each cell on one arm's mean; (c,) each.

    Attributes
    ----------
    by_cluster
        (g,) totals per cluster under ``cr3``, which is no sum over persons; None otherwise.
    """

    a: FloatArray
    b: FloatArray
    c: FloatArray
    by_cluster: FloatArray | None = None


def cells_contrast(
    family: Family,
    cells: Cells,
    *,
    weights: Weights | None,
    estimand: str,
    variance: str,
    level: float,
    estimator: str,
) -> ArmContrast:
    """Compare the arms of cells.

    Parameters
    ----------
    family
        ``binomial`` for risks, ``poisson`` for rates per unit of `Cells.t`.
    cells
        The persons, added up.
    weights
        From `effectmeter.estimators.weighting.fit_weights` with ``n=cells.n``; one row per cell, per person in it.
    estimand, variance, level, estimator
        As in `effectmeter.estimators.risk.risk_contrast`.

    Returns
    -------
    ArmContrast
        As one row per person gives, to 1e-8; `influence` is None. Variance ``hc3`` of rates is answered with ``hc1``,
        and says so: the leverage of a person there hangs on their own time at risk. Below about 100,000 persons use
        rows.

    Raises
    ------
    EmptyArmError, SeparationError
        As one row per person.
    EstimationError
        There are fewer persons or clusters than the model needs.
    """
    found = _standardised(family, cells, weights, estimand, variance)
    one, zero = found.means
    log_ratio = float(np.log(one / zero)) if family == "binomial" else float(found.fit.beta[found.fit.position(ARM)])
    named = {"level": level, "estimator": estimator, "variance": found.variance, "df": found.df}
    return ArmContrast(
        treated=one,
        comparison=zero,
        ratio=wald(log_ratio, found.error(1.0 / one, -1.0 / zero), is_log=True, **named),  # type: ignore[arg-type]
        difference=wald(one - zero, found.error(1.0, -1.0), **named),  # type: ignore[arg-type]
    )


def cells_odds(
    cells: Cells, *, weights: Weights | None, estimand: str, variance: str, level: float, estimator: str
) -> Estimate:
    """Compare the odds of the arms' standardised risks. Parameters and faults are those of `cells_contrast`."""
    found = _standardised("binomial", cells, weights, estimand, variance)
    one, zero = found.means
    return wald(
        float(np.log(one / (1.0 - one) * (1.0 - zero) / zero)),
        found.error(1.0 / (one * (1.0 - one)), -1.0 / (zero * (1.0 - zero))),
        level=level,
        estimator=estimator,
        variance=found.variance,
        df=found.df,
        is_log=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standardised:
    """Both arms' means, treated first, with their influence and gradients, and the variance that answers."""

    cells: Cells
    fit: GlmFit
    means: tuple[float, float]
    influences: tuple[_Influence, _Influence]
    gradients: tuple[FloatArray, FloatArray]
    variance: str
    df: float | None

    def error(self, d_treated: float, d_comparison: float) -> float:
        """Return the error of a contrast of both means with these derivatives."""
        if self.variance == "model":
            gradient = d_treated * self.gradients[0] + d_comparison * self.gradients[1]
            return float(np.sqrt(gradient @ self.fit.bread @ gradient))
        return _error(self.cells, self.influences, (d_treated, d_comparison), self.variance)


def _standardised(family: Family, cells: Cells, weights: Weights | None, estimand: str, variance: str) -> _Standardised:
    """Fit the outcome model and standardise both arms."""
    if family == "poisson" and variance in {"hc3", "cr3"} and not _by_cluster(cells, variance):
        variance = "hc1"
    weights = cells.own(weights)
    _check_events(family, cells, weights)
    design = outcome_design(cells.treated01, cells.X, cells.strata)
    check_identified(cells.treated01, np.delete(design, ARM, axis=1))
    w = np.ones(len(cells)) if weights is None else weights.weight
    if family == "binomial":
        fit = fit_glm("binomial", cells.y / cells.n, design, weight=w * cells.n)
        if fit.slope.max() < 1e-6:
            raise SeparationError("the covariates predict the outcome perfectly for everybody")
    else:
        fit = fit_glm("poisson", cells.y, design, offset=np.log(cells.t), weight=w)
    one = _one_arm(family, cells, fit, w, weights, estimand, variance, 1.0)
    zero = _one_arm(family, cells, fit, w, weights, estimand, variance, 0.0)
    n, p = float(cells.n[w > 0.0].sum()), len(fit.beta)
    units = _n_units(cells, variance)
    df = None if variance == "model" else float(units - 1 if _by_cluster(cells, variance) else n - p)
    if df is not None and df < 1:
        raise EstimationError("there are fewer independent units than the model needs")
    return _Standardised(
        cells=cells,
        fit=fit,
        means=(one[0], zero[0]),
        gradients=(one[1], zero[1]),
        influences=(one[2], zero[2]),
        variance=variance,
        df=df,
    )


def _one_arm(
    family: Family,
    cells: Cells,
    fit: GlmFit,
    w: FloatArray,
    weights: Weights | None,
    estimand: str,
    variance: str,
    arm: float,
) -> tuple[float, FloatArray, _Influence]:
    """Return an arm's standardised mean, its gradient (p,) and the influence of persons on it."""
    size = cells.n if family == "binomial" else cells.t  # what a cell counts for in the population
    per_person, share_gradient = target_weight(cells.treated01, weights, estimand)
    share = per_person * size
    predicted, slope = fit.predict(ARM, arm)
    if family == "poisson":
        predicted, slope = predicted / cells.t, slope / cells.t
    whole = share.sum()
    mean = float(share @ predicted / whole)
    spread = predicted - mean
    counterfactual = fit.design.copy()
    counterfactual[:, fit.position(ARM)] = arm
    gradient: FloatArray = counterfactual.T @ (share * slope) / whole
    constant = np.zeros(len(cells))  # what the weights' own estimation adds, per person
    carried = np.zeros(len(cells))
    if weights is not None and weights.parameter_influence is not None and weights.weight_gradient is not None:
        residual = fit.residual * (cells.n if family == "binomial" else 1.0)
        by_parameter = (fit.design * residual[:, None]).T @ weights.weight_gradient
        carried = weights.parameter_influence @ (fit.bread @ by_parameter).T @ gradient
        if share_gradient is not None:
            constant = weights.parameter_influence @ (share_gradient.T @ (spread * size)) / whole
    score = w * (fit.design @ fit.bread @ gradient)  # a person's part is this times y - mean
    sampled = per_person * spread / whole  # times the time at risk, for rates
    factor = _small_sample_factor(cells, w, len(fit.beta), variance)
    if variance == "cr3" and _by_cluster(cells, variance):
        return mean, gradient, _jackknifed(cells, fit, gradient, share, spread, carried + constant)
    if variance in {"hc3", "cr3"}:
        lever = w * fit.slope * np.einsum("ij,jk,ik->i", fit.design, fit.bread, fit.design, optimize=True)
        score = score / np.maximum(1.0 - lever, 1e-8)
        sampled = sampled / np.maximum(1.0 - per_person / whole, 1e-8)
    score, sampled, extra = factor * score, factor * sampled, carried + factor * constant
    zero = np.zeros(len(cells))
    free = fit.free
    if family == "binomial":
        known = np.where(free, fit.mean, cells.y / cells.n)
        return mean, gradient, _Influence(a=extra + sampled - score * known, b=score, c=zero)
    rate = np.where(free, fit.mean / cells.t, 0.0)
    return mean, gradient, _Influence(a=extra, b=score, c=sampled - score * rate)


def _jackknifed(
    cells: Cells, fit: GlmFit, gradient: FloatArray, share: FloatArray, spread: FloatArray, extra: FloatArray
) -> _Influence:
    """Return each cluster's influence when it is left out."""
    unit, n_units = cluster_index(cells.cluster, "cr3", len(cells))
    on_beta = coefficient_influence(fit, unit, n_units, "cr3") @ gradient
    whole = share.sum()
    sampled = np.bincount(unit, share * spread, n_units) / whole
    sampled = sampled / np.maximum(1.0 - np.bincount(unit, share, n_units) / whole, 1e-8)
    total = on_beta + sampled + np.bincount(unit, extra * cells.n, n_units)
    nothing = np.zeros(len(cells))
    return _Influence(a=nothing, b=nothing, c=nothing, by_cluster=total)


def _error(cells: Cells, influences: tuple[_Influence, _Influence], at: tuple[float, float], variance: str) -> float:
    """Return the error of a contrast of both means with these derivatives."""
    if influences[0].by_cluster is not None and influences[1].by_cluster is not None:
        return float(np.sqrt(((at[0] * influences[0].by_cluster + at[1] * influences[1].by_cluster) ** 2).sum()))
    a, b, c = (
        at[0] * one + at[1] * zero
        for one, zero in zip(
            (influences[0].a, influences[0].b, influences[0].c),
            (influences[1].a, influences[1].b, influences[1].c),
            strict=True,
        )
    )
    if not _by_cluster(cells, variance):
        return float(np.sqrt(cells.squares(a, b, c).sum()))
    unit, n_units = cluster_index(cells.cluster, variance, len(cells))
    return float(np.sqrt((sum_by_unit(cells.total(a, b, c), unit, n_units) ** 2).sum()))


def _by_cluster(cells: Cells, variance: str) -> bool:
    return variance.startswith("cr") and cells.cluster is not None


def _n_units(cells: Cells, variance: str) -> int:
    return cluster_index(cells.cluster, variance, len(cells))[1] if _by_cluster(cells, variance) else int(cells.n.sum())


def _small_sample_factor(cells: Cells, w: FloatArray, p: int, variance: str) -> float:
    """Return the factor on influence values of ``hc1`` and ``cr1``, as `effectmeter.estimators.sandwich` has it."""
    n = float(cells.n[w > 0.0].sum())
    units = _n_units(cells, variance)
    if variance == "hc1":
        return float(np.sqrt(n / max(n - p, 1.0)))
    if variance == "cr1" and units > 1:
        return float(np.sqrt(units / (units - 1) * (n - 1) / max(n - p, 1.0)))
    return 1.0


def _check_events(family: Family, cells: Cells, weights: Weights | None) -> None:
    """Raise unless each arm has events and, for risks, persons without one."""
    check_arms(cells.treated01)
    counts = np.ones(len(cells), dtype=np.bool_) if weights is None else weights.weight > 0.0
    if not cells.y[counts].any():
        raise NoEventsError("neither arm has events, so there is nothing to compare")
    for arm, name in ((1.0, "treated"), (0.0, "comparison")):
        here = (cells.treated01 == arm) & counts
        if not cells.y[here].sum() > 0.0:
            raise SeparationError(f"nobody in the {name} arm has the event, so there is only a bound on the ratio")
        if family == "binomial" and cells.y[here].sum() >= cells.n[here].sum():
            raise SeparationError(f"everybody in the {name} arm has the event, so the model has no maximum")
