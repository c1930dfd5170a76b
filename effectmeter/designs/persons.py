"""The rows of both designs on persons: adjusted, unadjusted, textbook, sensitivity, placebo, controls, subgroups.

Here: which rows, with which label. Not here: what is set beside the primary row (`persons_sensitivity`), subgroups
(`persons_subgroups`), who is analysed (`sample`), what answers (`fitting`), and what the two designs do differently
(`randomised`, `comparison_cohort`): they hand in a `Method`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from effectmeter.designs.base import AnalysisData, Scope
from effectmeter.designs.fitting import COMPANION
from effectmeter.designs.pair import Specification
from effectmeter.designs.persons_rows import (
    WEIGHTS_ALONE,
    Method,
    Rows,
    Weigh,
    denominators_of,
    primary_question,
    robust_variance,
)
from effectmeter.designs.persons_sensitivity import add_sensitivity
from effectmeter.designs.persons_subgroups import add_subgroups
from effectmeter.designs.questions import (
    Question,
    measures_of,
    outcome_of,
    primary_measure,
    primary_outcome,
    questions,
    windows_of,
)
from effectmeter.designs.rows import (
    LEVEL,
    Counts,
    ReasonedError,
    blank_row,
    not_estimable,
    with_counts,
    with_estimate,
)
from effectmeter.designs.sample import NO_LABEL, Sample
from effectmeter.estimators.base import Estimate, EstimationError, SeparationError
from effectmeter.estimators.pairs import matched_pairs
from effectmeter.results import EffectRow

__all__ = ["WEIGHTS_ALONE", "Method", "effect_rows"]


def effect_rows(data: AnalysisData, method: Method, scope: Scope = "all") -> tuple[EffectRow, ...]:
    """Return the rows of a design on persons, nothing hidden yet; the primary row comes first.

    With scope ``verdict`` only those that the verdict and the gates read: the primary row of each contrast with its
    difference, negative controls, placebo.
    """
    rows = Rows(data, method, scope)
    for treated, contrast in data.plan.contrasts:
        if scope == "verdict":
            _primary_alone(rows, treated, contrast)
            _negative_controls(rows, treated, contrast)
            continue
        for question in questions(data.plan):
            _answer(rows, treated, contrast, question)
        add_subgroups(rows, treated, contrast)
        _negative_controls(rows, treated, contrast)
        add_sensitivity(rows, treated, contrast)
    placebo = _placebo(data, method, scope)
    # a hazard's hc1 and hc3 are one error: asking for both gives one row
    return tuple(sorted(dict.fromkeys([*rows.found, *placebo]), key=lambda row: row.analysis != "primary"))


def _primary_alone(rows: Rows, treated: str, contrast: str) -> None:
    """Add the primary row of a contrast, and the difference beside it."""
    question = primary_question(rows.data.plan)
    if question is None:
        return
    sample = rows.sample(treated, question)
    how = rows.specification(sample, question)
    rows.add(sample, question, contrast, "primary", how, weigh=rows.method.weigh)


def _answer(rows: Rows, treated: str, contrast: str, question: Question) -> None:
    """Add all rows of one question: adjusted, unadjusted, textbook, and with other estimands and errors."""
    plan, method = rows.data.plan, rows.method
    sample = rows.sample(treated, question)
    with_beside = COMPANION.get(question.measure) not in measures_of(plan, question.outcome)
    first = method.estimands[0]
    robust = robust_variance(rows.data)
    for number, denominator in enumerate(denominators_of(sample, question)):
        main = Specification(estimand=first, variance=robust, denominator=denominator)
        analysis = "primary" if question.is_primary and number == 0 else "secondary"

        def add(
            analysis: str,
            how: Specification,
            weigh: Weigh | None = None,
            estimator: str = "",
        ) -> None:
            rows.add(
                sample, question, contrast, analysis, how, weigh=weigh, with_beside=with_beside, estimator=estimator
            )

        add(analysis, main, method.weigh)
        add("unadjusted", replace(main, is_adjusted=False))
        # the textbook row: no weights, model error; standardised to persons, since the overlap population needs weights
        add("sensitivity", replace(main, variance="model", estimand="att" if first == "ato" else first))
        for estimand in method.estimands[1:]:
            add("sensitivity", replace(main, estimand=estimand), method.weigh)
        for variance in dict.fromkeys(plan.variance):
            if variance not in {robust, "model"}:
                add("sensitivity", replace(main, variance=variance), method.weigh)
        if question.is_primary and number == 0:
            if robust == "cr3" and "hc3" not in plan.variance:
                add("sensitivity", replace(main, variance="hc3"), method.weigh)
            for estimand, estimator, weigh in method.others:
                add("sensitivity", replace(main, estimand=estimand), weigh, estimator)
    _matched(rows, sample, question, contrast)


def _matched(rows: Rows, sample: Sample | EstimationError, question: Question, contrast: str) -> None:
    """Add what the matched pairs show, beside the rest: McNemar, matched risk ratio, conditional odds ratio.

    A pair is one treated and one comparison person. Of sets of another size nobody is picked to stand for the others:
    which one it would be depends on the order of delivery.
    """
    if isinstance(sample, EstimationError) or not rows.data.plan.pairs or question.measure != "risk_ratio":
        return
    pair = np.full(len(sample.treated01), NO_LABEL) if sample.pair is None else sample.pair
    sides = [(sample.treated01 == arm) & sample.in_contrast & (pair != NO_LABEL) for arm in (1, 0)]
    members = [dict(zip(pair[who], sample.event01[who], strict=True)) for who in sides]
    single = [names[n == 1] for names, n in (np.unique(pair[who], return_counts=True) for who in sides)]
    pairs = np.intersect1d(*single)
    events = [np.array([side[pair] for pair in pairs]) for side in members]
    row = blank_row(
        rows.data,
        outcome=question.outcome,
        measure="risk_ratio",
        contrast=contrast,
        estimand=rows.method.estimands[0],
        estimator="mcnemar",
        variance="matched",
        analysis="sensitivity",
        window_days=question.window_days,
    )
    row = with_counts(row, Counts(n=(len(pairs), len(pairs)), events=(float(events[0].sum()), float(events[1].sum()))))
    try:
        if not len(pairs):
            raise ReasonedError(
                "no `pair_id` is shared by exactly one treated and one comparison person, so there are no pairs",
                "Geen enkele `pair_id` hoort bij precies één deelnemer en één vergelijkingspersoon. Er zijn dus geen "
                "paren.",
            )
        found = matched_pairs(*events, level=LEVEL)
        if "risk_ratio" not in found:
            rows.found.append(not_estimable(row, SeparationError("in one arm no member of a pair has the event")))
        for measure, estimate in found.items():

            def again(level: float, measure: str = measure) -> Estimate:
                return matched_pairs(*events, level=level)[measure]

            rows.found.append(with_estimate(rows.data, replace(row, measure=measure), estimate, refit=again))
    except EstimationError as fault:
        rows.found.append(not_estimable(row, fault))


def _negative_controls(rows: Rows, treated: str, contrast: str) -> None:
    """Add outcomes that the programme cannot change, on the measure of the primary outcome where they name none."""
    plan = rows.data.plan
    for name in plan.negative_controls:
        if name == primary_outcome(plan):
            continue
        has_own = name in plan.outcomes and bool(plan.outcomes[name].measures)
        lender = name if has_own or outcome_of(plan, name).value is not None else primary_outcome(plan)
        measure = primary_measure(plan, lender)
        if measure == "mean_difference" and outcome_of(plan, name).value is None:
            measure = "risk_ratio"
        asked = Question(name, windows_of(plan, name)[0], measure, is_primary=False)
        sample = rows.sample(treated, asked)
        how = rows.specification(sample, asked)
        rows.add(sample, asked, contrast, "negative_control", how, weigh=rows.method.weigh, with_beside=False)


def _placebo(data: AnalysisData, method: Method, scope: Scope) -> list[EffectRow]:
    """Return the primary question asked of the period before the programme, where the answer must be 1."""
    asked = primary_question(data.plan)
    if data.placebo is None or asked is None or outcome_of(data.plan, asked.outcome).value is not None:
        return []
    rows = Rows(data.placebo, method, scope)
    for treated, contrast in data.plan.contrasts:
        sample = rows.sample(treated, asked)
        how = rows.specification(sample, asked)
        rows.add(sample, asked, contrast, "placebo", how, weigh=method.weigh, with_beside=False)
    return rows.found
