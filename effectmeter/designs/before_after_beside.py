"""What stands beside the effect of a before-after design: other methods, errors and periods, and the expected drop.

Here: the sensitivity rows. Not here: the effect itself (`before_after`), nor whether they agree
(`effectmeter.gates.agreement`).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import polars as pl

from effectmeter.designs.base import AnalysisData
from effectmeter.designs.before_after_rows import (
    TIMES,
    Estimator,
    Periods,
    change_row,
    effect_parts,
    effect_row,
    estimated,
    periods_of,
)
from effectmeter.designs.questions import Question
from effectmeter.estimators.base import Estimate, EstimationError
from effectmeter.estimators.before_after import change, difference_in_change, difference_in_rates, leave_one_out
from effectmeter.estimators.before_after_few import difference_in_change_bayes, difference_in_change_permutation
from effectmeter.estimators.regression_to_the_mean import expected_from_reference
from effectmeter.results import EffectRow

EXPECTED = "expected_without_effect"
"""Estimator of rows that say what change to expect without any programme."""
EARLIER = "before=earlier_period"
"""Subgroup of rows whose "before" is the period before the one by which people were picked."""


def difference_row(
    data: AnalysisData, question: Question, periods: Periods, treated: str, contrast: str, denominator: str
) -> EffectRow:
    """Return the absolute difference that stands beside the ratio: events per person-year."""
    return effect_row(
        data,
        question,
        periods,
        treated,
        contrast,
        "secondary",
        denominator,
        by=difference_in_rates,
        measure="rate_difference",
        variance="cr1",
    )


def beside(
    data: AnalysisData, question: Question, periods: Periods, treated: str, contrast: str, denominator: str
) -> list[EffectRow]:
    """Return the effect by other methods, with other errors, from an earlier period, and without one cluster."""

    def row(periods: Periods, **options: Any) -> EffectRow:
        return effect_row(data, question, periods, treated, contrast, "sensitivity", denominator, **options)

    rows = [
        row(periods, by=_named(name, estimator), estimator=name, variance=name)
        for name, estimator in (
            ("permutation", difference_in_change_permutation),
            ("bayes", difference_in_change_bayes),
        )
    ]
    for variance in dict.fromkeys(data.plan.variance):
        if variance != "cr3":
            rows.append(row(periods, by=partial(difference_in_change, variance=variance), variance=variance))
    earlier = earlier_outcomes(data)
    if earlier is not None:
        rows.append(row(periods_of(data, question.outcome, before=earlier), subgroup=EARLIER))
    return rows + _without_one(data, question, periods, treated, contrast, denominator)


def _named(name: str, estimator: Estimator) -> Estimator:
    """Return the estimator under the name that the effects table has for it."""
    return lambda *arrays, **options: replace(estimator(*arrays, **options), estimator=name)


def _without_one(
    data: AnalysisData, question: Question, periods: Periods, treated: str, contrast: str, denominator: str
) -> list[EffectRow]:
    """Return the lowest and highest effect that leaving out one family gives; which family is not told.

    The counts are those of all families: the others' counts would give the one away.
    """
    rows = []
    for position, extreme in enumerate(("lowest", "highest")):
        row, arrays, cluster = effect_parts(
            data,
            question,
            periods,
            treated,
            contrast,
            "sensitivity",
            denominator,
            estimator="leave_one_out",
            subgroup=f"one_left_out={extreme}",
        )

        def at(level: float, arrays: Any = arrays, cluster: Any = cluster, position: int = position) -> Estimate:
            return leave_one_out(*arrays, cluster=cluster, level=level)[position]

        rows.append(estimated(data, row, at))
    return rows


def earlier_outcomes(data: AnalysisData) -> pl.DataFrame | None:
    """Return the outcomes whose "before" is the period before the picking; None where it was not delivered.

    A "before" longer than time zero was moved back reaches into the period of the picking, and will not do.
    """
    around = data.plan.before_after
    if data.placebo is None or around.before_days > around.wash_in_days + around.after_days:
        return None
    return data.placebo.outcomes


def expected_rows(data: AnalysisData, question: Question, periods: Periods, *, controlled: bool) -> list[EffectRow]:
    """Return what change to expect in each treated arm without effect, from every source that there is.

    From comparison families picked by the same rule: their own change. From the period before the picking: what
    people were like when they were not yet picked. From the plan's reference: mean and dispersion of the population
    that they were picked from (primary outcome only). Counts are those of the source.
    """
    rows = []
    for treated, _ in data.plan.contrasts:
        contrast = f"{treated} after vs before"

        def row(periods: Periods, arm: str, source: str, by: Estimator, contrast: str = contrast) -> EffectRow:
            fields = {"contrast": contrast, "estimator": EXPECTED, "subgroup": f"source={source}"}
            return change_row(data, question, periods, arm, "sensitivity", TIMES[0], by=by, **fields)

        if controlled:
            rows.append(row(periods, data.plan.arms.comparison, "comparison", _expected))
        back = _looking_back(data, question)
        if back is not None and back.of(treated).any():
            rows.append(row(back, treated, "earlier_period", _expected))
        reference = data.plan.before_after.reference
        if question.is_primary and reference is not None:
            by = partial(_from_reference, mean=reference.mean, dispersion=reference.dispersion)
            rows.append(row(periods, treated, "reference", by))
    return rows


def _looking_back(data: AnalysisData, question: Question) -> Periods | None:
    """Return the period of the picking as "before" and the one before it as "after"."""
    earlier = earlier_outcomes(data)
    if earlier is None:
        return None
    try:
        return periods_of(data, question.outcome, after=earlier)
    except EstimationError:
        return None


def _expected(*arrays: Any, **options: Any) -> Estimate:
    """Return a change as the change to expect."""
    return replace(change(*arrays, **options), estimator=EXPECTED)


def _from_reference(*arrays: Any, **options: Any) -> Estimate:
    """Return the change to expect from what happened before and a reference; what happened after is not looked at."""
    before, _, years_before, years_after = arrays
    return expected_from_reference(before, years_before, years_after, **options)
