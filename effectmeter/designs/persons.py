"""The rows of both designs on persons: adjusted, unadjusted, textbook, sensitivity, placebo, controls, subgroups.

Here: which rows, with which label. Not here: who is analysed (`sample`), what answers (`fitting`), and what the two
designs do differently (`randomised`, `comparison_cohort`): they hand in a `Method`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from effectmeter.designs.base import AnalysisData, Scope
from effectmeter.designs.fitting import COMPANION, Pair, Specification, estimator_name, fit
from effectmeter.designs.questions import (
    Question,
    measures_of,
    outcome_of,
    primary_measure,
    primary_outcome,
    questions,
    windows_of,
)
from effectmeter.designs.rows import LEVEL, Counts, ReasonedError, blank_row, not_estimable, with_counts, with_estimate
from effectmeter.designs.sample import NO_LABEL, Sample, assemble
from effectmeter.estimators.base import Estimate, EstimationError, Weights
from effectmeter.estimators.pairs import matched_pairs
from effectmeter.estimators.small_samples import bayesian_interval
from effectmeter.gates.people import ENOUGH_PERSONS
from effectmeter.results import EffectRow

WEIGHTS_ALONE = "weighting"
"""Estimator of rows that compare weighted arms without an outcome model, as textbooks do."""
_LARGEST_SUBGROUPING = 12  # levels; more is a list, not a subgroup analysis


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """What sets one design on persons apart from the other.

    Attributes
    ----------
    estimands
        The plan's or the default ones, the primary first.
    weigh
        Gives the weights for an estimand (None: no weighting); second argument the estimand.
    others
        (estimand, estimator, weigh) of further sensitivity analyses of the primary question. An estimator names the
        row where its weights would otherwise not be told apart; empty keeps the name of what answered.
    joins_arms
        Whether a regression of a delivered value is on all arms of the plan at once.
    """

    estimands: tuple[str, ...]
    weigh: Callable[[Sample, str], Weights | None]
    others: tuple[tuple[str, str, Callable[[Sample, str], Weights | None]], ...] = ()
    joins_arms: bool = False


@dataclass(slots=True)
class Rows:
    """Collects the rows of one programme's quarter.

    Attributes
    ----------
    samples
        Analysed persons by contrast, outcome, window, subgroup and whether other arms join; an error where nobody is
        left.
    """

    data: AnalysisData
    method: Method
    found: list[EffectRow] = field(default_factory=list)
    samples: dict[tuple[str, str, int | None, str | None, bool], Sample | EstimationError] = field(default_factory=dict)

    def sample(
        self, treated: str, question: Question, subgroup: tuple[str, str] | None = None
    ) -> Sample | EstimationError:
        """Return the analysed persons, or why there are none.

        A trial's differences in means come from one regression on all arms: its coefficients do not depend on the
        population they are averaged over, and every arm helps to tell what blocks and covariates do.
        """
        outcome, window = question.outcome, question.window_days
        all_arms = question.measure == "mean_difference" and self.method.joins_arms
        key = (treated, outcome, window, "=".join(subgroup) if subgroup else None, all_arms)
        if key not in self.samples:
            within = pl.col(subgroup[0]).cast(pl.String) == subgroup[1] if subgroup else None
            try:
                self.samples[key] = assemble(self.data, treated, outcome, window, within=within, all_arms=all_arms)
            except EstimationError as fault:
                self.samples[key] = fault
        return self.samples[key]

    def add(
        self,
        sample: Sample | EstimationError,
        question: Question,
        contrast: str,
        analysis: str,
        how: Specification,
        *,
        weigh: Callable[[Sample, str], Weights | None] | None = None,
        subgroup: str | None = None,
        with_beside: bool = True,
        estimator: str = "",
    ) -> None:
        """Estimate one measure and add its row, with the absolute difference beside a ratio.

        There is one primary row per contrast: the difference beside it is secondary.
        """
        beside = COMPANION.get(question.measure) if with_beside else None
        row = blank_row(
            self.data,
            outcome=question.outcome,
            measure=question.measure,
            contrast=contrast,
            estimand=how.estimand,
            estimator=estimator or estimator_name(question.measure, how),
            variance=how.variance,
            analysis=analysis,
            subgroup=subgroup,
            window_days=question.window_days,
            denominator=how.denominator,
        )
        second = "secondary" if analysis == "primary" else analysis
        pair = [row] if beside is None else [row, replace(row, measure=beside, analysis=second)]
        if isinstance(sample, EstimationError):
            self.found += [not_estimable(each, sample) for each in pair]
            return
        pair = [with_counts(each, sample.counts(each.measure, how.denominator)) for each in pair]
        try:
            if question.window_days is None and sample.value is None and question.measure.startswith(("risk", "odds")):
                raise _no_window()
            spec = how if weigh is None else replace(how, weights=weigh(sample, how.estimand))
            if estimator == WEIGHTS_ALONE:
                sample = replace(sample, X=np.empty((len(sample.treated01), 0)), terms=(), strata=None)
            found = self._estimated(pair, sample, spec)
            self.found += [replace(each, estimator=estimator) for each in found] if estimator else found
        except EstimationError as fault:
            self.found += [not_estimable(each, fault) for each in pair]

    def _estimated(self, pair: list[EffectRow], sample: Sample, spec: Specification) -> Iterator[EffectRow]:
        """Return the rows with their estimates."""
        measure = pair[0].measure

        def again(level: float) -> Pair:
            return fit(measure, sample, spec, level)

        found = again(LEVEL)
        rows = [
            with_estimate(
                self.data,
                pair[0],
                found.main,
                refit=lambda level: again(level).main,
                scale=1.0 if pair[0].is_ratio else found.scale,
            )
        ]
        if len(pair) > 1 and found.beside is not None:
            rows.append(with_estimate(self.data, pair[1], found.beside, scale=found.scale))
        elif len(pair) > 1:
            rows.append(
                not_estimable(
                    pair[1],
                    ReasonedError(
                        "the difference has no interval with so few events",
                        "Voor het verschil is er met zo weinig voorvallen geen marge.",
                    ),
                )
            )
        return iter(rows)


def _no_window() -> ReasonedError:
    return ReasonedError(
        "a risk needs a window of the same length for everyone; to the end of follow-up only rates and "
        "hazards can be compared",
        "Een kans vraagt om dezelfde periode voor iedereen. Hier is iedereen gevolgd tot het eind. Kijk "
        "naar het aantal per jaar.",
    )


def effect_rows(data: AnalysisData, method: Method, scope: Scope = "all") -> tuple[EffectRow, ...]:
    """Return the rows of a design on persons, nothing hidden yet; the primary row comes first.

    With scope ``verdict`` only those that the verdict and the gates read: the primary row of each contrast with its
    difference, negative controls, placebo.
    """
    rows = Rows(data, method)
    for treated, contrast in data.plan.contrasts:
        if scope == "verdict":
            _primary_alone(rows, treated, contrast)
            _negative_controls(rows, treated, contrast)
            continue
        for question in questions(data.plan):
            _answer(rows, treated, contrast, question)
        _subgroups(rows, treated, contrast)
        _negative_controls(rows, treated, contrast)
    placebo = _placebo(data, method)
    # a hazard's hc1 and hc3 are one error: asking for both gives one row
    return tuple(sorted(dict.fromkeys([*rows.found, *placebo]), key=lambda row: row.analysis != "primary"))


def robust_variance(data: AnalysisData) -> str:
    """Return the default error: by cluster where the plan has clusters, else HC3."""
    return "cr3" if data.plan.cluster else "hc3"


def _denominators(sample: Sample | EstimationError, question: Question) -> tuple[str | None, ...]:
    """Return the person-time that a measure has: rates both where absences make them differ, hazards the calendar."""
    if isinstance(sample, EstimationError) or sample.value is not None:
        return (
            ("free_time",) if question.measure.startswith("rate") and isinstance(sample, EstimationError) else (None,)
        )
    if question.measure.startswith("rate"):
        return ("free_time", "calendar_time") if sample.has_absences else ("free_time",)
    return ("calendar_time",) if question.measure == "hazard_ratio" else (None,)


def _primary_alone(rows: Rows, treated: str, contrast: str) -> None:
    """Add the primary row of a contrast, and the difference beside it."""
    question = next((question for question in questions(rows.data.plan) if question.is_primary), None)
    if question is None:
        return
    sample = rows.sample(treated, question)
    how = Specification(
        estimand=rows.method.estimands[0],
        variance=robust_variance(rows.data),
        denominator=_denominators(sample, question)[0],
    )
    rows.add(sample, question, contrast, "primary", how, weigh=rows.method.weigh)


def _answer(rows: Rows, treated: str, contrast: str, question: Question) -> None:
    """Add all rows of one question: adjusted, unadjusted, textbook, and with other estimands and errors."""
    plan, method = rows.data.plan, rows.method
    sample = rows.sample(treated, question)
    with_beside = COMPANION.get(question.measure) not in measures_of(plan, question.outcome)
    first = method.estimands[0]
    robust = robust_variance(rows.data)
    for number, denominator in enumerate(_denominators(sample, question)):
        main = Specification(estimand=first, variance=robust, denominator=denominator)
        analysis = "primary" if question.is_primary and number == 0 else "secondary"

        def add(
            analysis: str,
            how: Specification,
            weigh: Callable[[Sample, str], Weights | None] | None = None,
            estimator: str = "",
        ) -> None:
            rows.add(
                sample, question, contrast, analysis, how, weigh=weigh, with_beside=with_beside, estimator=estimator
            )

        add(analysis, main, method.weigh)
        if analysis == "primary":
            _beside_a_small_one(rows, sample)
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


def _beside_a_small_one(rows: Rows, sample: Sample | EstimationError) -> None:
    """Add the estimate as seen with a sceptical prior, where an arm is so small that the size gate warns."""
    row = next((row for row in reversed(rows.found[-2:]) if row.is_ratio and row.analysis == "primary"), rows.found[-1])
    small = not isinstance(sample, EstimationError) and min(sample.counts(row.measure, None).n) < ENOUGH_PERSONS
    if not small or not row.is_ratio or row.estimate is None or not row.std_error:
        return
    known = Estimate(
        value=row.estimate,
        std_error=row.std_error,
        low=row.conf_low,
        high=row.conf_high,
        p_value=None,
        level=LEVEL,
        estimator="bayes",
        variance=row.variance,
    )
    rows.found.append(with_estimate(rows.data, replace(row, analysis="sensitivity"), bayesian_interval(known)))


def _matched(rows: Rows, sample: Sample | EstimationError, question: Question, contrast: str) -> None:
    """Add what the matched pairs show, beside the rest: McNemar, matched risk ratio, conditional odds ratio."""
    if isinstance(sample, EstimationError) or sample.pair is None or question.measure != "risk_ratio":
        return
    labels = np.unique(sample.pair)
    members = [
        {str(pair): event for pair, event in zip(sample.pair[who], sample.event01[who], strict=True)}
        for who in (sample.treated01 == 1, sample.treated01 == 0)
    ]
    pairs = [
        str(label) for label in labels if str(label) in members[0] and str(label) in members[1] and label != NO_LABEL
    ]
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
        for measure, estimate in matched_pairs(*events, level=LEVEL).items():

            def again(level: float, measure: str = measure) -> Estimate:
                return matched_pairs(*events, level=level)[measure]

            rows.found.append(with_estimate(rows.data, replace(row, measure=measure), estimate, refit=again))
    except EstimationError as fault:
        rows.found.append(not_estimable(row, fault))


def _subgroups(rows: Rows, treated: str, contrast: str) -> None:
    """Add the primary question within each level of the plan's subgroup columns; a missing level is no subgroup."""
    plan = rows.data.plan
    asked = next((question for question in questions(plan) if question.is_primary), None)
    if asked is None:
        return
    for column in plan.subgroups:
        if column not in rows.data.persons.columns:
            continue
        levels = sorted(rows.data.persons[column].drop_nulls().cast(pl.String).unique().to_list())
        for level in levels[:_LARGEST_SUBGROUPING]:
            sample = rows.sample(treated, asked, (column, level))
            how = Specification(
                estimand=rows.method.estimands[0],
                variance=robust_variance(rows.data),
                denominator=_denominators(sample, asked)[0],
            )
            rows.add(sample, asked, contrast, "subgroup", how, weigh=rows.method.weigh, subgroup=f"{column}={level}")


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
        how = Specification(
            estimand=rows.method.estimands[0],
            variance=robust_variance(rows.data),
            denominator=_denominators(sample, asked)[0],
        )
        rows.add(sample, asked, contrast, "negative_control", how, weigh=rows.method.weigh, with_beside=False)


def _placebo(data: AnalysisData, method: Method) -> list[EffectRow]:
    """Return the primary question asked of the period before the programme, where the answer must be 1."""
    asked = next((question for question in questions(data.plan) if question.is_primary), None)
    if data.placebo is None or asked is None or outcome_of(data.plan, asked.outcome).value is not None:
        return []
    rows = Rows(data.placebo, method)
    for treated, contrast in data.plan.contrasts:
        sample = rows.sample(treated, asked)
        how = Specification(
            estimand=method.estimands[0],
            variance=robust_variance(data),
            denominator=_denominators(sample, asked)[0],
        )
        rows.add(sample, asked, contrast, "placebo", how, weigh=method.weigh, with_beside=False)
    return rows.found
