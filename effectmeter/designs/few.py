"""What answers when an arm has few events or none: score, quasi-score, penalised and exact intervals.

Here: the choice among them, measure by measure. Not here: the usual estimators, nor who turns to these
(`effectmeter.designs.fitting`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from effectmeter.designs.pair import Pair, Specification
from effectmeter.designs.sample import DAYS_PER_YEAR, Sample
from effectmeter.estimators.base import ConvergenceError, Estimate, EstimationError, FloatArray
from effectmeter.estimators.penalised import effective_weight, penalised_profile
from effectmeter.estimators.penalised_hazard import penalised_hazard_ratio
from effectmeter.estimators.score import (
    Counts,
    clustered_counts,
    dispersion,
    level_with_df,
    score_odds_ratio,
    score_rate_difference,
    with_reference,
)
from effectmeter.estimators.small_samples import (
    effective_counts,
    exact_rate_ratio,
    few_events,
    quasi_score_rate_ratio,
    score_risk_difference,
    score_risk_ratio,
)


def has_few_events(sample: Sample, counts: FloatArray, how: Specification, *, of_persons: bool) -> bool:
    """Return whether the default row leaves Wald's interval; rows with an error asked for by name keep it."""
    if how.variance not in {"hc3", "cr3"}:
        return False
    events = sample.sides(counts)
    return few_events(*events, *sample.sides(np.ones(len(counts)))) if of_persons else few_events(*events)


def few_risks(sample: Sample, how: Specification, level: float) -> Pair:
    """Return score intervals, the adjusted ratio by penalised likelihood, clusters by their dispersion.

    Weighted arms count for their effective number of persons.
    """
    counts = _counts(sample, how)
    return Pair(
        main=_ratio_of_risks(sample, how, level) or score_risk_ratio(*counts, level=level),
        beside=_difference_of_risks(sample, how, counts, level),
        scale=max(counts[2], counts[0], 0.5) / max(counts[3], 1.0),
    )


def few_odds(sample: Sample, how: Specification, level: float) -> Pair:
    """Return the score interval of the odds ratio; where only a regression can adjust, penalised likelihood.

    The latter's ratio is conditional on the covariates; with few events both are close to the risk ratio.
    """
    phi, df = _among_clusters(sample)
    if _needs_regression(sample, how) and how.weights is None:
        try:
            return Pair(
                main=penalised_profile(
                    sample.event01,
                    sample.of_rows(sample.treated01),
                    sample.of_rows(sample.X),
                    family="binomial",
                    strata=None if sample.strata is None else sample.of_rows(sample.strata),
                    size=sample.size,
                    phi=phi,
                    df=df,
                    level=level,
                )
            )
        except ConvergenceError:
            pass
    counts = clustered_counts(_counts(sample, how), phi)
    return Pair(main=with_reference(score_odds_ratio(*counts, level=level_with_df(level, df)), level, df))


def few_rates(sample: Sample, how: Specification, years: FloatArray, level: float) -> Pair:
    """Return the quasi-score interval of the rate ratio, penalised where covariates matter, and the difference's."""
    weight = effective_weight(sample.treated01, how.weights if how.is_adjusted else None, sample.persons)
    weight = sample.of_rows(weight)
    phi, df = dispersion(sample.n_events, years, **_units(sample))
    sides = (*sample.sides(weight * sample.n_events), *sample.sides(weight * years))
    main: Estimate | None = None
    if _needs_regression(sample, how):
        try:
            main = _penalised(sample, sample.n_events, years, how, phi, df, level)
        except ConvergenceError:
            main = None
    if main is None:
        main = quasi_score_rate_ratio(weight * sample.n_events, weight * years, **_units(sample), level=level)
    return Pair(
        main=main,
        beside=score_rate_difference(sides[0], sides[2], sides[1], sides[3], phi=phi, df=df, level=level),
        scale=max(sides[1] / sides[3], sides[0] / sides[2], 0.5 / sides[3]),
    )


def few_hazards(sample: Sample, how: Specification, level: float) -> Pair:
    """Return the penalised profile of Cox's model; the exact bound where an arm has no event and nothing to adjust."""
    events = sample.sides(sample.event01)
    plain = sample.cluster is None and not _needs_regression(sample, how)
    if min(events) == 0 and plain:
        # first events per year at risk: with a constant hazard this is the bound on the hazard ratio
        years = sample.sides(sample.days / DAYS_PER_YEAR)
        return Pair(main=exact_rate_ratio(events[0], years[0], events[1], years[1], level=level))
    X: FloatArray = sample.X if how.is_adjusted else np.empty((len(sample.treated01), 0))
    phi, df = 1.0, None
    if sample.cluster is not None:
        phi, df = dispersion(sample.event01, sample.days, **_units(sample))
    if sample.size is not None:
        # risk sets of millions: as rates of a first event, which hazards are while they are constant
        return Pair(main=_penalised(sample, sample.event01, sample.days / DAYS_PER_YEAR, how, phi, df, level))
    return Pair(
        main=penalised_hazard_ratio(
            sample.days,
            sample.event01,
            sample.treated01,
            X,
            weights=how.weights if how.is_adjusted else None,
            strata=sample.strata if how.is_adjusted else None,
            phi=phi,
            df=df,
            level=level,
        )
    )


def _penalised(
    sample: Sample,
    events: FloatArray,
    years: FloatArray | None,
    how: Specification,
    phi: float,
    df: float | None,
    level: float,
) -> Estimate:
    """Return the penalised ratio of events (n,) per year (n,), or per person; added up where persons are."""
    if sample.size is not None:
        years = np.ones(len(events)) if years is None else years
    is_raw = not how.is_adjusted
    return penalised_profile(
        sample.added(events if years is None else events * (years > 0.0)),
        sample.treated01,
        np.empty((len(sample.treated01), 0)) if is_raw else sample.X,
        years=None if years is None else sample.added(years),
        weights=None if is_raw else how.weights,
        strata=None if is_raw else sample.strata,
        size=sample.persons,
        phi=phi,
        df=df,
        level=level,
    )


def _units(sample: Sample) -> dict[str, Any]:
    """Return what tells apart the units whose differences count: arms, clusters, and how many persons a row is."""
    cluster = None if sample.cluster is None else sample.of_rows(sample.cluster)
    return {"treated01": sample.of_rows(sample.treated01), "cluster": cluster, "persons": sample.size}


def _counts(sample: Sample, how: Specification) -> Counts:
    weight = sample.of_rows(how.weights.weight) if how.is_adjusted and how.weights is not None else None
    return effective_counts(sample.event01, sample.of_rows(sample.treated01), weight, persons=sample.size)


def _needs_regression(sample: Sample, how: Specification) -> bool:
    """Return whether raw counts would not answer: weights or covariates, other than in a trial."""
    return how.is_adjusted and how.estimand != "itt" and (how.weights is not None or sample.X.shape[1] > 0)


def _among_clusters(sample: Sample) -> tuple[float, float | None]:
    """Return the dispersion of risks among clusters and its degrees of freedom; 1 and none without clusters."""
    if sample.cluster is None:
        return 1.0, None
    return dispersion(sample.event01, np.ones(len(sample.event01)), **_units(sample), is_binary=True)


def _ratio_of_risks(sample: Sample, how: Specification, level: float) -> Estimate | None:
    """Return the ratio of few risks where clusters or covariates matter; None where the plain score interval does."""
    if sample.cluster is not None and not _needs_regression(sample, how):
        return quasi_score_rate_ratio(sample.event01, np.ones(len(sample.event01)), **_units(sample), level=level)
    if how.is_adjusted and (sample.X.shape[1] or sample.strata is not None):
        phi, df = _among_clusters(sample)
        try:
            return _penalised(sample, sample.event01, None, how, phi, df, level)
        except ConvergenceError:
            return None
    return None


def _difference_of_risks(sample: Sample, how: Specification, counts: Counts, level: float) -> Estimate | None:
    """Return the score interval of the difference, persons in clusters counting for as many as they are worth."""
    try:
        phi, df = _among_clusters(sample)
    except EstimationError:
        return None
    return with_reference(
        score_risk_difference(*clustered_counts(counts, phi), level=level_with_df(level, df)), level, df
    )
