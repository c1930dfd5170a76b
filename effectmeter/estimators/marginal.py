"""Standardised risks, rates and means: what each arm would show in the estimand's population, with stacked errors.

The engine of `risk`, `rate` and `value`; those say which model, this says what is made of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from effectmeter.estimators.base import (
    ArmContrast,
    EmptyArmError,
    FloatArray,
    SeparationError,
    Weights,
)
from effectmeter.estimators.glm import GlmFit, fit_glm
from effectmeter.estimators.sandwich import (
    IntArray,
    cluster_index,
    coefficient_influence,
    reference_df,
    small_sample_factor,
    wald,
)

ARM = 1
"""Position of the arm in every design: after the intercept, before the covariates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standardised:
    """Both arms' standardised means, with what their contrast's error needs.

    Attributes
    ----------
    treated, comparison
        Standardised mean per person (risks, values) or per person-year (rates).
    unit_treated, unit_comparison
        (units,) influence values on those, with the small-sample correction of the variance asked for.
    person_treated, person_comparison
        (n,) influence values on those, without correction.
    gradient_treated, gradient_comparison
        (p,) derivatives to the coefficients.
    df
        Degrees of freedom of the reference.
    """

    fit: GlmFit
    treated: float
    comparison: float
    unit_treated: FloatArray
    unit_comparison: FloatArray
    person_treated: FloatArray
    person_comparison: FloatArray
    gradient_treated: FloatArray
    gradient_comparison: FloatArray
    df: float | None

    def standard_error(self, d_treated: float, d_comparison: float, variance: str) -> float:
        """Return the error of a contrast whose derivatives to the two means are given."""
        if variance == "model":
            gradient = d_treated * self.gradient_treated + d_comparison * self.gradient_comparison
            return float(np.sqrt(gradient @ self.fit.bread @ gradient * self.fit.scale))
        return float(np.sqrt(((d_treated * self.unit_treated + d_comparison * self.unit_comparison) ** 2).sum()))


def check_arms(treated01: FloatArray) -> None:
    """Raise `EmptyArmError` unless both arms have persons."""
    for arm, name in ((1.0, "treated"), (0.0, "comparison")):
        if not (treated01 == arm).any():
            raise EmptyArmError(f"the {name} arm has no persons with this outcome")


def check_identified(treated: FloatArray, others: FloatArray) -> None:
    """Raise `SeparationError` when the other columns of the design (n, p) determine the arm (n,)."""
    rest = treated - others @ np.linalg.lstsq(others, treated)[0] if others.shape[1] else treated
    if np.linalg.norm(rest) <= 1e-7 * np.linalg.norm(treated):
        raise SeparationError(
            "covariates or blocks determine the arm, so its effect cannot be told apart from theirs",
            next_step="leave out the covariate that says who was treated",
        )


def stratum_columns(strata: NDArray[np.generic] | None, n: int) -> FloatArray:
    """Return (n, s - 1) indicators of the blocks in which the arms were drawn, the first one left out."""
    if strata is None:
        return np.empty((n, 0))
    levels, index = np.unique(strata, return_inverse=True)
    return np.eye(len(levels))[index][:, 1:]


def outcome_design(treated01: FloatArray, X: FloatArray, strata: NDArray[np.generic] | None) -> FloatArray:
    """Return the design (n, 2 + k + s - 1): intercept, arm, covariates (centred, for the numbers' sake), blocks."""
    n = len(treated01)
    centred = X - X.mean(axis=0) if X.shape[1] else X.reshape(n, 0)
    return np.column_stack([np.ones(n), treated01, centred, stratum_columns(strata, n)])


def target_weight(
    treated01: FloatArray, weights: Weights | None, estimand: str
) -> tuple[FloatArray, FloatArray | None]:
    """Return each person's share (n,) in the estimand's population, and its derivative (n, k) to the weights.

    ``itt`` and ``ate``: everybody. ``att``: treated persons (those matched, after matching). ``ato``: ``e (1 - e)``.
    """
    if estimand in {"itt", "ate"}:
        return np.ones(len(treated01)), None
    if estimand == "att":
        return treated01 * (weights.weight if weights is not None else 1.0), None
    if estimand == "ato":
        if weights is None or weights.propensity is None or weights.weight_gradient is None:
            raise ValueError("the overlap population needs overlap weights")
        e = weights.propensity
        slope = (1.0 - 2.0 * treated01)[:, None] * weights.weight_gradient
        return e * (1.0 - e), (1.0 - 2.0 * e)[:, None] * slope
    raise ValueError(f"unknown estimand {estimand!r}")


def standardise(
    family: Literal["binomial", "poisson", "gaussian"],
    y: FloatArray,
    treated01: FloatArray,
    X: FloatArray,
    *,
    years: FloatArray | None = None,
    weights: Weights | None,
    cluster: NDArray[np.generic] | None,
    strata: NDArray[np.generic] | None,
    estimand: str,
    variance: str,
) -> Standardised:
    """Fit the outcome model and standardise both arms to the estimand's population.

    Parameters
    ----------
    y, treated01, X
        (n,) outcome; 1 for treated, 0 for comparison; (n, k) covariates without intercept.
    years
        (n,) time at risk in years, for rates: the offset, and what a person counts for in the population.
    weights, cluster, strata, estimand, variance
        As in `effectmeter.estimators.risk.risk_contrast`.

    Notes
    -----
    Arm a's mean is ``m_a = sum_i q_i mu(a, x_i) / sum_i q_i``. A unit's influence on it is
    ``sum q_i (mu_a - m_a) / Q + (dm_a/dbeta)' psi_beta + (sum_j (mu_aj - m_a) dq_j/dg' / Q) psi_g``:
    the sampling of the population, the outcome model, and the weights' parameters g. Under ``hc3`` and ``cr3`` the
    first part is divided by one less the unit's share in Q, its leverage on a mean.

    References
    ----------
    Lunceford & Davidian (2004), doi:10.1002/sim.1903; Stefanski & Boos (2002), doi:10.1198/000313002753631330.
    """
    check_arms(treated01)
    n = len(y)
    design = outcome_design(treated01, X, strata)
    check_identified(treated01, np.delete(design, ARM, axis=1))
    fit = fit_glm(
        family,
        y,
        design,
        offset=None if years is None else np.log(years),
        weight=None if weights is None else weights.weight,
    )
    if family == "binomial" and fit.slope.max() < 1e-6:  # every risk is 0 or 1, in either arm alike
        raise SeparationError("the covariates predict the outcome perfectly for everybody")
    share, share_gradient = target_weight(treated01, weights, estimand)
    if years is not None:
        share = share * years
        share_gradient = None if share_gradient is None else share_gradient * years[:, None]
    correction = "cr0" if variance == "model" else variance
    unit, n_units = cluster_index(cluster, correction, n)
    on_beta = coefficient_influence(fit, unit, n_units, correction, weights)
    on_beta_person = coefficient_influence(fit, np.arange(n, dtype=np.intp), n, "hc0", weights)
    means, units, persons, gradients = [], [], [], []
    factor = small_sample_factor(fit, n_units, correction)
    for arm in (1.0, 0.0):
        average, gradient, spread = _one_arm(fit, share, years, arm)
        extra = np.zeros(n)
        if share_gradient is not None and weights is not None and weights.parameter_influence is not None:
            extra = weights.parameter_influence @ (share_gradient.T @ spread) / share.sum()
        sampled = _population(share, spread, extra, unit, n_units, correction)
        means.append(average)
        units.append(on_beta @ gradient + factor * sampled)
        persons.append(on_beta_person @ gradient + share * spread / share.sum() + extra)
        gradients.append(gradient)
    return Standardised(
        fit=fit,
        treated=means[0],
        comparison=means[1],
        unit_treated=units[0],
        unit_comparison=units[1],
        person_treated=persons[0],
        person_comparison=persons[1],
        gradient_treated=gradients[0],
        gradient_comparison=gradients[1],
        df=reference_df(fit, n_units, variance, cluster),
    )


def _one_arm(
    fit: GlmFit, share: FloatArray, years: FloatArray | None, arm: float
) -> tuple[float, FloatArray, FloatArray]:
    """Return an arm's standardised mean, its gradient (p,) and each person's distance from it (n,)."""
    mean, slope = fit.predict(ARM, arm)
    if years is not None:
        mean, slope = mean / years, slope / years
    average = float(share @ mean / share.sum())
    counterfactual = fit.design.copy()
    counterfactual[:, fit.position(ARM)] = arm
    return average, counterfactual.T @ (share * slope) / share.sum(), mean - average


def _population(
    share: FloatArray, spread: FloatArray, extra: FloatArray, unit: IntArray, n_units: int, variance: str
) -> FloatArray:
    """Return each unit's part in the sampling of the population, jackknifed for ``hc3`` and ``cr3``."""
    total = share.sum()
    sampled = np.bincount(unit, share * spread, n_units) / total
    if variance in {"hc3", "cr3"}:
        sampled = sampled / np.maximum(1.0 - np.bincount(unit, share, n_units) / total, 1e-8)
    result: FloatArray = sampled + np.bincount(unit, extra, n_units)
    return result


def arm_contrast(
    found: Standardised, log_ratio: float, influence: FloatArray, *, level: float, estimator: str, variance: str
) -> ArmContrast:
    """Return the ratio and the difference of two standardised means with their Wald intervals."""
    one, zero = found.treated, found.comparison
    return ArmContrast(
        treated=one,
        comparison=zero,
        ratio=wald(
            log_ratio,
            found.standard_error(1.0 / one, -1.0 / zero, variance),
            level=level,
            estimator=estimator,
            variance=variance,
            df=found.df,
            is_log=True,
        ),
        difference=wald(
            one - zero,
            found.standard_error(1.0, -1.0, variance),
            level=level,
            estimator=estimator,
            variance=variance,
            df=found.df,
        ),
        influence=influence,
    )
