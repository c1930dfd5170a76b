"""Which estimator answers which measure: a sample and a specification in, a ratio and a difference out.

Here: the choice of estimator. Not here: which one answers when an arm has few events (`effectmeter.designs.few`), nor
which rows a design shows (`effectmeter.designs.persons`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from effectmeter.designs.few import few_hazards, few_odds, few_rates, few_risks, has_few_events
from effectmeter.designs.pair import Pair, Specification
from effectmeter.designs.rows import ReasonedError
from effectmeter.designs.sample import Sample
from effectmeter.estimators.base import ArmContrast, FloatArray
from effectmeter.estimators.hazard import hazard_ratio
from effectmeter.estimators.rate import rate_contrast, raw_rate_contrast
from effectmeter.estimators.risk import odds_contrast, raw_risk_contrast, risk_contrast
from effectmeter.estimators.value import mean_difference

COMPANION = {"risk_ratio": "risk_difference", "rate_ratio": "rate_difference"}
"""The absolute difference that stands beside a ratio."""


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
            sample.event01,
            sample.treated01,
            cluster=sample.cluster,
            variance=how.variance,
            level=level,
            cells=sample.cells("risk"),
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
        cells=sample.cells("risk"),
    )


def _check_counts(sample: Sample) -> None:
    """Raise when a delivered value cannot be a number of events."""
    if sample.n_events.min() < 0:
        raise ReasonedError("a rate needs counts of 0 or more", "Hiervoor zijn aantallen van 0 of meer nodig.")


def _time(how: Specification) -> Literal["free_time", "calendar_time"]:
    return "calendar_time" if how.denominator == "calendar_time" else "free_time"


def _years(sample: Sample, how: Specification) -> FloatArray:
    return sample.calendar_years if how.denominator == "calendar_time" else sample.free_years


def _rate_contrast(sample: Sample, how: Specification, level: float) -> ArmContrast:
    years = _years(sample, how)
    if not how.is_adjusted:
        return raw_rate_contrast(
            sample.n_events,
            years,
            sample.treated01,
            cluster=sample.cluster,
            variance=how.variance,
            level=level,
            cells=sample.cells(_time(how)),
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
        cells=sample.cells(_time(how)),
    )


def _population(how: Specification) -> str:
    """Return the population to standardise to; without weights there is no overlap population."""
    return "ate" if how.estimand == "ato" and how.weights is None else how.estimand


def _are_few(sample: Sample, how: Specification) -> bool:
    """Return whether score intervals answer for a risk: for delivered values too, which vary less than 0 and 1 do."""
    if sample.value is not None and (sample.value.min() < 0 or sample.value.max() > 1):
        return False
    return has_few_events(sample, sample.event01, how, of_persons=True)


def _risk(sample: Sample, how: Specification, level: float) -> Pair:
    if _are_few(sample, how):
        return few_risks(sample, how, level)
    found = _risk_contrast(sample, how, level)
    return Pair(main=found.ratio, beside=found.difference, scale=found.comparison)


def _risk_difference(sample: Sample, how: Specification, level: float) -> Pair:
    if _are_few(sample, how):
        return _only_difference(few_risks(sample, how, level))
    found = _risk_contrast(sample, how, level)
    return Pair(main=found.difference, scale=found.comparison)


def _only_difference(pair: Pair) -> Pair:
    """Return the difference alone, which stood beside a ratio."""
    if pair.beside is None:
        raise ReasonedError(
            "the difference has no interval with so few events",
            "Voor het verschil is er met zo weinig voorvallen geen marge.",
        )
    return Pair(main=pair.beside, scale=pair.scale)


def _odds(sample: Sample, how: Specification, level: float) -> Pair:
    if sample.value is not None and (sample.value.min() < 0 or sample.value.max() > 1):
        raise ReasonedError("odds need values between 0 and 1", "Hiervoor zijn waarden tussen 0 en 1 nodig.")
    if _are_few(sample, how):
        return few_odds(sample, how, level)
    raw = not how.is_adjusted
    cells = sample.cells("risk")
    return Pair(
        main=odds_contrast(
            sample.event01,
            sample.treated01,
            np.empty((len(sample.treated01), 0)) if raw else sample.X,
            weights=None if raw else how.weights,
            cluster=sample.cluster,
            strata=None if raw else sample.strata,
            estimand="ate" if raw else _population(how),
            variance=how.variance,
            level=level,
            cells=cells.without_covariates() if raw and cells is not None else cells,
        )
    )


def _rate(sample: Sample, how: Specification, level: float) -> Pair:
    _check_counts(sample)
    if has_few_events(sample, sample.n_events, how, of_persons=False):
        return few_rates(sample, how, _years(sample, how), level)
    found = _rate_contrast(sample, how, level)
    return Pair(main=found.ratio, beside=found.difference, scale=found.comparison)


def _rate_difference(sample: Sample, how: Specification, level: float) -> Pair:
    _check_counts(sample)
    if has_few_events(sample, sample.n_events, how, of_persons=False):
        return _only_difference(few_rates(sample, how, _years(sample, how), level))
    found = _rate_contrast(sample, how, level)
    return Pair(main=found.difference, scale=found.comparison)


def _hazard(sample: Sample, how: Specification, level: float) -> Pair:
    if sample.value is not None:
        raise ReasonedError(
            "a hazard needs dated events, not a delivered value", "Hiervoor zijn voorvallen met een datum nodig."
        )
    few = has_few_events(sample, sample.event01, how, of_persons=False)
    # a robust error asked for by name has no bound of its own where an arm has no event
    if few or (how.variance != "model" and min(sample.sides(sample.event01)) == 0):
        return few_hazards(sample, how, level)
    X: FloatArray = sample.X if how.is_adjusted else np.empty((len(sample.treated01), 0))
    cells = sample.cells("hazard")
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
            cells=cells if how.is_adjusted or cells is None else cells.without_covariates(),
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
    own = sample.value[sample.in_contrast]
    unit = float(np.abs(own - own[0]).max()) or 1.0  # so that no square overflows
    return Pair(main=found, scale=unit * float(((own - own[0]) / unit).std()) or 1.0)


_FITS: dict[str, Callable[[Sample, Specification, float], Pair]] = {
    "risk_ratio": _risk,
    "risk_difference": _risk_difference,
    "rate_ratio": _rate,
    "rate_difference": _rate_difference,
    "odds_ratio": _odds,
    "hazard_ratio": _hazard,
    "mean_difference": _mean,
}
