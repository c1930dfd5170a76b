"""Rows of the designs on persons: what sets one design apart, who is analysed, one row at a time.

Here: `Method` and `Rows`, which the modules beside this one fill. Not here: which rows there are
(`effectmeter.designs.persons` and its `persons_*`), who is analysed (`sample`), what answers (`fitting`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Literal

import numpy as np
import polars as pl

from effectmeter.designs.assembling import assemble
from effectmeter.designs.base import AnalysisData, Scope
from effectmeter.designs.fitting import COMPANION, estimator_name, fit
from effectmeter.designs.pair import Pair, Specification
from effectmeter.designs.questions import Question, questions
from effectmeter.designs.rows import LEVEL, ReasonedError, blank_row, not_estimable, with_counts, with_estimate
from effectmeter.designs.sample import Sample
from effectmeter.estimators.base import ConvergenceError, EstimationError, Weights
from effectmeter.plan import Plan
from effectmeter.results import EffectRow

WEIGHTS_ALONE = "weighting"
"""Estimator of rows that compare weighted arms without an outcome model, as textbooks do."""

Weigh = Callable[[Sample, str], Weights | None]
"""Gives the weights of a sample for an estimand; None: no weighting."""


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
    weigh: Weigh
    others: tuple[tuple[str, str, Weigh], ...] = ()
    joins_arms: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some of the persons of a contrast, or the same ones with missing covariates treated otherwise.

    Attributes
    ----------
    label
        Goes into the row's column `subgroup`: ``sex=f``, ``without=site 3``.
    within
        Whom it is about; None: everyone.
    missing
        The plan's rule for missing covariates, or the other one.
    """

    label: str
    within: pl.Expr | None = None
    missing: Literal["indicator", "exclude"] | None = None


@dataclass(slots=True)
class Rows:
    """Collects the rows of one programme's quarter.

    Attributes
    ----------
    scope
        With ``verdict`` only primary rows get the interval over all looks, where it takes a second fit.
    samples
        Analysed persons by contrast, outcome, window and whether other arms join; an error where nobody is left.
    """

    data: AnalysisData
    method: Method
    scope: Scope = "all"
    found: list[EffectRow] = field(default_factory=list)
    samples: dict[tuple[str, str, int | None, bool], Sample | EstimationError] = field(default_factory=dict)

    def sample(self, treated: str, question: Question, part: Part | None = None) -> Sample | EstimationError:
        """Return the analysed persons, or why there are none.

        A trial's differences in means come from one regression on all arms: its coefficients do not depend on the
        population they are averaged over, and every arm helps to tell what blocks and covariates do.
        """
        outcome, window = question.outcome, question.window_days
        all_arms = question.measure == "mean_difference" and self.method.joins_arms
        key = (treated, outcome, window, all_arms)
        if part is None and key in self.samples:
            return self.samples[key]
        found: Sample | EstimationError
        try:
            found = assemble(
                self.data,
                treated,
                outcome,
                window,
                within=part.within if part else None,
                missing=part.missing if part else None,
                all_arms=all_arms,
            )
        except EstimationError as fault:
            found = fault
        if part is None:  # parts are asked for once: of millions of persons, they would fill the memory
            self.samples[key] = found
        return found

    def specification(self, sample: Sample | EstimationError, question: Question) -> Specification:
        """Return how the main row of a question is made."""
        return Specification(
            estimand=self.method.estimands[0],
            variance=robust_variance(self.data),
            denominator=denominators_of(sample, question)[0],
        )

    def primary(self, contrast: str) -> EffectRow | None:
        """Return the primary row of a contrast, once it is there."""
        return next((row for row in self.found if row.analysis == "primary" and row.contrast == contrast), None)

    def add(
        self,
        sample: Sample | EstimationError,
        question: Question,
        contrast: str,
        analysis: str,
        how: Specification,
        *,
        weigh: Weigh | None = None,
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
        except (ArithmeticError, np.linalg.LinAlgError):  # numbers that no check foresaw: said, never raised
            broken = ConvergenceError(
                "the numbers broke down in the computation", next_step="adjust for fewer covariates"
            )
            self.found += [not_estimable(each, broken) for each in pair]

    def _estimated(self, pair: list[EffectRow], sample: Sample, spec: Specification) -> Iterator[EffectRow]:
        """Return the rows with their estimates."""
        measure = pair[0].measure
        is_read = self.scope == "all" or pair[0].analysis == "primary"

        @cache  # the difference beside asks for the same levels
        def again(level: float) -> Pair:
            return fit(measure, sample, spec, level)

        found = again(LEVEL)
        rows = [
            with_estimate(
                self.data,
                pair[0],
                found.main,
                refit=(lambda level: again(level).main) if is_read else None,
                scale=1.0 if pair[0].is_ratio else found.scale,
            )
        ]
        found_beside = found.beside
        if len(pair) > 1 and found_beside is not None:
            rows.append(
                with_estimate(
                    self.data,
                    pair[1],
                    found_beside,
                    refit=(lambda level: again(level).beside or found_beside) if self.scope == "all" else None,
                    scale=found.scale,
                )
            )
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


def robust_variance(data: AnalysisData) -> str:
    """Return the default error: by cluster where the plan has clusters, else HC3."""
    return "cr3" if data.plan.cluster else "hc3"


def denominators_of(sample: Sample | EstimationError, question: Question) -> tuple[str | None, ...]:
    """Return the person-time that a measure has: rates both where absences make them differ, hazards the calendar."""
    if isinstance(sample, EstimationError) or sample.value is not None:
        return (
            ("free_time",) if question.measure.startswith("rate") and isinstance(sample, EstimationError) else (None,)
        )
    if question.measure.startswith("rate"):
        return ("free_time", "calendar_time") if sample.has_absences else ("free_time",)
    return ("calendar_time",) if question.measure == "hazard_ratio" else (None,)


def primary_question(plan: Plan) -> Question | None:
    """Return the one question that the verdict is about."""
    return next((question for question in questions(plan) if question.is_primary), None)
