"""Which estimator answers which measure: a sample and a specification in, a ratio and a difference out.

Here: the choice of estimator, and what is done when an arm has few events or none. Not here: which rows a design
shows (`effectmeter.designs.persons`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from effectmeter.designs.rows import ReasonedError
from effectmeter.designs.sample import DAYS_PER_YEAR, Sample
from effectmeter.estimators.base import ArmContrast, ConvergenceError, Estimate, FloatArray, Weights
from effectmeter.estimators.hazard import hazard_ratio
from effectmeter.estimators.penalised import penalised_profile
from effectmeter.estimators.rate import rate_contrast, raw_rate_contrast
from effectmeter.estimators.risk import raw_risk_contrast, risk_contrast
from effectmeter.estimators.small_samples import (
    effective_counts,
    exact_rate_ratio,
    few_events,
    quasi_score_rate_ratio,
    score_risk_difference,
    score_risk_ratio,
)
from effectmeter.estimators.value import mean_difference

COMPANION = {"risk_ratio": "risk_difference", "rate_ratio": "rate_difference"}
"""The absolute difference that stands beside a ratio."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Specification:
    """How a sample is analysed.

    Attributes
    ----------
    is_adjusted
        False: the raw comparison.
    variance
        ``hc3``, ``cr3`` ... or ``model``.
    denominator
        ``free_time`` or ``calendar_time`` for rates.
    """

    estimand: str
    variance: str
    is_adjusted: bool = True
    weights: Weights | None = None
    denominator: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A measure's estimate, the difference beside it, and the outcome's size in the comparison arm (`scale`)."""

    main: Estimate
    beside: Estimate | None = None
    scale: float = 1.0


def fit(measure: str, sample: Sample, how: Specification, level: float) -> Pair:
    """Estimate one measure.

    Raises
    ------
    EstimationError
        The data do not allow it; its sentence goes into the row.
    """
    if measure not in _FITS:
        raise ReasonedError(
            f"'{measure}' is not estimated for persons; ask for risk_ratio, rate_ratio or hazard_ratio",
            "Deze maat wordt voor personen niet berekend.",
        )
    if sample.cluster is not None and how.variance.startswith("cr") and _fewest_clusters(sample) < 2:
        raise ReasonedError(
            "everyone in an arm belongs to one cluster, so how much clusters differ cannot be told",
            "In een van de groepen hoort iedereen bij dezelfde groep of locatie. Dan is de marge niet te berekenen.",
        )
    return _FITS[measure](sample, how, level)


def _fewest_clusters(sample: Sample) -> int:
    cluster = sample.cluster if sample.cluster is not None else np.empty(0)
    return min(len(np.unique(cluster[(sample.treated01 == arm) & sample.in_contrast])) for arm in (1, 0))


def estimator_name(measure: str, how: Specification) -> str:
    """Return the estimator that would have answered, for rows without an estimate."""
    if measure == "hazard_ratio":
        return "cox_efron"
    if how.variance == "model":
        return "outcome_regression"
    if measure.startswith("rate"):
        return "poisson"
    if measure == "mean_difference":
        return "least_squares"
    return "g_computation" if how.is_adjusted else "modified_poisson"


def _risk_contrast(sample: Sample, how: Specification, level: float) -> ArmContrast:
    if sample.value is not None and (sample.value.min() < 0 or sample.value.max() > 1):
        raise ReasonedError("a risk needs values between 0 and 1", "Een kans vraagt om waarden tussen 0 en 1.")
    if not how.is_adjusted:
        return raw_risk_contrast(
            sample.event01, sample.treated01, cluster=sample.cluster, variance=how.variance, level=level
        )
    return risk_contrast(
        sample.event01,
        sample.treated01,
        sample.X,
        weights=how.weights,
        cluster=sample.cluster,
        strata=sample.strata,
        estimand=_population(how),
        variance=how.variance,
        level=level,
    )


def _rate_contrast(sample: Sample, how: Specification, level: float) -> ArmContrast:
    years = sample.calendar_years if how.denominator == "calendar_time" else sample.free_years
    if not how.is_adjusted:
        return raw_rate_contrast(
            sample.n_events, years, sample.treated01, cluster=sample.cluster, variance=how.variance, level=level
        )
    return rate_contrast(
        sample.n_events,
        years,
        sample.treated01,
        sample.X,
        weights=how.weights,
        cluster=sample.cluster,
        strata=sample.strata,
        estimand=_population(how),
        variance=how.variance,
        level=level,
    )


def _population(how: Specification) -> str:
    """Return the population to standardise to; without weights there is no overlap population."""
    return "ate" if how.estimand == "ato" and how.weights is None else how.estimand


def _has_few_events(sample: Sample, counts: FloatArray, how: Specification, *, of_persons: bool) -> bool:
    """Return whether the default row leaves Wald's interval; rows with an error asked for by name keep it."""
    if how.variance not in {"hc3", "cr3"}:
        return False
    events = sample.sides(counts)
    return few_events(*events, *sample.sides(np.ones(len(counts)))) if of_persons else few_events(*events)


def _few_risks(sample: Sample, how: Specification, level: float) -> Pair:
    """Return score intervals, the adjusted ratio by penalised likelihood, clusters by their dispersion.

    Weighted arms count for their effective number of persons.
    """
    weight = how.weights.weight if how.is_adjusted and how.weights is not None else None
    counts = effective_counts(sample.event01, sample.treated01, weight)
    return Pair(
        main=_few_ratio(sample, how, level) or score_risk_ratio(*counts, level=level),
        beside=score_risk_difference(*counts, level=level),
        scale=max(counts[2], counts[0], 0.5) / max(counts[3], 1.0),
    )


def _few_ratio(sample: Sample, how: Specification, level: float) -> Estimate | None:
    """Return the ratio of few risks where clusters or covariates matter; None where the plain score interval does."""
    if sample.cluster is not None:
        return quasi_score_rate_ratio(
            sample.event01, np.ones(len(sample.event01)), sample.treated01, cluster=sample.cluster, level=level
        )
    if how.is_adjusted and (sample.X.shape[1] or sample.strata is not None):
        try:
            return penalised_profile(
                sample.event01, sample.treated01, sample.X, weights=how.weights, strata=sample.strata, level=level
            )
        except ConvergenceError:
            return None
    return None


def _risk(sample: Sample, how: Specification, level: float) -> Pair:
    if sample.value is None and _has_few_events(sample, sample.event01, how, of_persons=True):
        return _few_risks(sample, how, level)
    found = _risk_contrast(sample, how, level)
    return Pair(main=found.ratio, beside=found.difference, scale=found.comparison)


def _risk_difference(sample: Sample, how: Specification, level: float) -> Pair:
    if sample.value is None and _has_few_events(sample, sample.event01, how, of_persons=True):
        few = _few_risks(sample, how, level)
        return few if few.beside is None else Pair(main=few.beside, scale=few.scale)
    found = _risk_contrast(sample, how, level)
    return Pair(main=found.difference, scale=found.comparison)


def _rate(sample: Sample, how: Specification, level: float) -> Pair:
    if _has_few_events(sample, sample.n_events, how, of_persons=False):
        years = sample.calendar_years if how.denominator == "calendar_time" else sample.free_years
        return Pair(
            main=quasi_score_rate_ratio(sample.n_events, years, sample.treated01, cluster=sample.cluster, level=level)
        )
    found = _rate_contrast(sample, how, level)
    return Pair(main=found.ratio, beside=found.difference, scale=found.comparison)


def _rate_difference(sample: Sample, how: Specification, level: float) -> Pair:
    found = _rate_contrast(sample, how, level)
    return Pair(main=found.difference, scale=found.comparison)


def _hazard(sample: Sample, how: Specification, level: float) -> Pair:
    if sample.value is not None:
        raise ReasonedError(
            "a hazard needs dated events, not a delivered value", "Hiervoor zijn voorvallen met een datum nodig."
        )
    events, years = sample.sides(sample.event01), sample.sides(sample.days / DAYS_PER_YEAR)
    if how.variance != "model" and min(events) == 0:
        # first events per year at risk: with a constant hazard this is the bound on the hazard ratio
        return Pair(main=exact_rate_ratio(events[0], years[0], events[1], years[1], level=level))
    X: FloatArray = sample.X if how.is_adjusted else np.empty((len(sample.treated01), 0))
    return Pair(
        main=hazard_ratio(
            sample.days,
            sample.event01,
            sample.treated01,
            X,
            weights=how.weights if how.is_adjusted else None,
            cluster=sample.cluster,
            strata=sample.strata if how.is_adjusted else None,
            variance=how.variance,
            level=level,
        )
    )


def _mean(sample: Sample, how: Specification, level: float) -> Pair:
    if sample.value is None:
        raise ReasonedError(
            "a difference in means needs a delivered value", "Hiervoor is een aangeleverde waarde nodig."
        )
    if sample.value.min() == sample.value.max():
        raise ReasonedError("everybody has the same value", "Iedereen heeft dezelfde waarde.")
    who = sample.in_contrast if not how.is_adjusted else np.ones(len(sample.value), dtype=np.bool_)
    X: FloatArray = sample.X if how.is_adjusted else np.empty((int(who.sum()), 0))
    found = mean_difference(
        sample.value[who],
        sample.treated01[who],
        X,
        weights=how.weights if how.is_adjusted else None,
        cluster=None if sample.cluster is None else sample.cluster[who],
        strata=sample.strata if how.is_adjusted else None,
        estimand=_population(how) if how.is_adjusted else "ate",
        variance=how.variance,
        level=level,
    )
    return Pair(main=found, scale=float(sample.value[sample.in_contrast].std()) or 1.0)


_FITS: dict[str, Callable[[Sample, Specification, float], Pair]] = {
    "risk_ratio": _risk,
    "risk_difference": _risk_difference,
    "rate_ratio": _rate,
    "rate_difference": _rate_difference,
    "hazard_ratio": _hazard,
    "mean_difference": _mean,
}
