"""Families or persons before and after, with comparison families where there are any.

Here: the raw change per arm, and the effect as a ratio of those changes. Not here: whether a change may be called an
effect (`effectmeter.gates.periods.peak_selection`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from effectmeter.designs.base import AnalysisData, Scope
from effectmeter.designs.questions import Question, outcome_of, primary_outcome, questions
from effectmeter.designs.rows import LEVEL, Counts, ReasonedError, blank_row, not_estimable, with_counts, with_estimate
from effectmeter.designs.sample import DAYS_PER_YEAR
from effectmeter.estimators.base import Estimate, EstimationError, FloatArray, SeparationError
from effectmeter.estimators.before_after import (
    change,
    change_bound,
    difference_in_change,
    difference_in_change_bayes,
    difference_in_change_bound,
    difference_in_change_permutation,
)
from effectmeter.gates.base import Gate, has_comparison
from effectmeter.gates.people import clusters, follow_up, size, time_zero
from effectmeter.gates.periods import peak_selection
from effectmeter.gates.power import power
from effectmeter.results import Comparability, EffectRow, GateResult

EFFECT = "ratio_of_rate_ratios"


@dataclass(frozen=True, slots=True)
class Periods:
    """Counts and person-time of everyone with both periods complete.

    Attributes
    ----------
    before, after
        (n,) events.
    years_before, years_after
        (n,) person-years, by denominator.
    arm, cluster
        (n,) labels; cluster None where persons are the units.
    """

    before: FloatArray
    after: FloatArray
    years_before: dict[str, FloatArray]
    years_after: dict[str, FloatArray]
    arm: NDArray[np.generic]
    cluster: NDArray[np.generic] | None

    def of(self, *arms: str) -> NDArray[np.bool_]:
        """Return who is in one of the arms."""
        return np.isin(self.arm, arms)

    @property
    def denominators(self) -> tuple[str, ...]:
        """Return the kinds of person-time; both where absences make them differ."""
        differ = any(
            np.any(years["free_time"] != years["calendar_time"]) for years in (self.years_before, self.years_after)
        )
        return ("free_time", "calendar_time") if differ else ("free_time",)


class BeforeAfter:
    """The same families or persons before and after; the effect is their change against that of comparison families."""

    name = "before_after"
    tables: tuple[str, ...] = ("persons", "events", "absences", "person_counts")
    gate_list: tuple[Gate, ...] = (size, clusters, time_zero, follow_up, peak_selection, power)

    def compare(self, data: AnalysisData) -> Comparability:
        """Return nothing: each unit is compared with itself."""
        return Comparability()

    def estimate(self, data: AnalysisData, comparability: Comparability, scope: Scope = "all") -> tuple[EffectRow, ...]:
        """Return every row of the effects table, nothing hidden yet; the primary row first.

        With scope ``verdict`` only the primary outcome in its first kind of time, without the methods beside it.
        """
        asked = dict.fromkeys((question.outcome, question.window_days) for question in questions(data.plan))
        rows: list[EffectRow] = []
        for outcome, window in asked:
            is_primary = outcome == primary_outcome(data.plan)
            if is_primary or scope == "all":
                rows += _outcome_rows(data, Question(outcome, window, "ratio_of_rate_ratios", is_primary), scope)
        if data.placebo is not None and asked and has_comparison(data):
            outcome, window = next(iter(asked))
            rows += _placebo(data.placebo, Question(outcome, window, "ratio_of_rate_ratios", is_primary=False))
        return tuple(sorted(rows, key=lambda row: row.analysis != "primary"))

    def gates(
        self, data: AnalysisData, comparability: Comparability, effects: tuple[EffectRow, ...]
    ) -> tuple[GateResult, ...]:
        """Return the gates of a before-after design."""
        return tuple(result for gate in self.gate_list for result in gate(data, comparability, effects))


def _outcome_rows(data: AnalysisData, question: Question, scope: Scope) -> list[EffectRow]:
    """Return one outcome's changes and effect."""
    label = "primary" if question.is_primary else "secondary"
    comparison = data.plan.arms.comparison
    controlled = has_comparison(data)
    try:
        periods = _periods(data, question.outcome)
    except EstimationError as fault:
        return [
            not_estimable(_row(data, question, contrast, label, None), fault) for _, contrast in data.plan.contrasts
        ]
    rows = []
    denominators = periods.denominators if scope == "all" else periods.denominators[:1]
    for number, denominator in enumerate(denominators):
        analysis = label if number == 0 else "secondary"
        for treated, contrast in data.plan.contrasts:
            if controlled:
                extra = number == 0 and scope == "all"
                rows += _effect(data, question, periods, treated, contrast, analysis, denominator, extra=extra)
            else:
                rows.append(_change(data, question, periods, treated, analysis, denominator))
            rows.append(_change(data, question, periods, treated, "unadjusted", denominator))
        if controlled:
            rows.append(_change(data, question, periods, comparison, "unadjusted", denominator))
    return rows


def _row(data: AnalysisData, question: Question, contrast: str, analysis: str, denominator: str | None) -> EffectRow:
    return blank_row(
        data,
        outcome=question.outcome,
        measure=EFFECT,
        contrast=contrast,
        estimand="att",
        estimator="conditional_poisson",
        variance="cr3",
        analysis=analysis,
        window_days=question.window_days,
        denominator=denominator,
    )


def _periods(data: AnalysisData, outcome: str) -> Periods:
    """Lay out both periods of everyone for whom both are complete.

    Raises
    ------
    EstimationError
        The outcome is a delivered value, or nobody has both periods.
    """
    if outcome_of(data.plan, outcome).value is not None:
        raise ReasonedError(
            "a before-after design counts events in two periods; a delivered value has one",
            "Deze opzet telt voorvallen in twee perioden. Een aangeleverde waarde heeft er maar één.",
        )
    rows = data.outcomes.filter((pl.col("outcome") == outcome) & pl.col("is_complete"))
    columns = ["n_events", "days_free", "days_calendar"]
    both = rows.filter(pl.col("period") == "before").select("person_id", *columns)
    both = both.join(
        rows.filter(pl.col("period") == "after").select("person_id", *columns), on="person_id", suffix="_after"
    )
    people = data.persons.select("person_id", "arm", "cluster").join(both, on="person_id", maintain_order="left")
    if people.height == 0:
        raise ReasonedError(
            f"nobody has both periods complete for '{outcome}'", "Van niemand zijn beide perioden helemaal bekend."
        )

    def numbers(column: str) -> FloatArray:
        return np.asarray(people[column].cast(pl.Float64).fill_null(0.0).to_numpy(), dtype=np.float64)

    def years(suffix: str) -> dict[str, FloatArray]:
        return {
            "free_time": numbers(f"days_free{suffix}") / DAYS_PER_YEAR,
            "calendar_time": numbers(f"days_calendar{suffix}") / DAYS_PER_YEAR,
        }

    has_clusters = bool(data.plan.cluster) and people["cluster"].null_count() < people.height
    own = pl.coalesce(pl.col("cluster"), pl.format("- {}", pl.col("person_id")))
    return Periods(
        before=numbers("n_events"),
        after=numbers("n_events_after"),
        years_before=years(""),
        years_after=years("_after"),
        arm=people["arm"].to_numpy().astype(str),
        cluster=people.select(own).to_series().to_numpy().astype(str) if has_clusters else None,
    )


def _n_units(periods: Periods, who: NDArray[np.bool_]) -> int:
    return len(np.unique(periods.cluster[who])) if periods.cluster is not None else 0


def _change(
    data: AnalysisData, question: Question, periods: Periods, arm: str, analysis: str, denominator: str
) -> EffectRow:
    """Return one arm's rate after against before. The sides of the contrast are the periods."""
    who = periods.of(arm)
    row = replace(_row(data, question, f"{arm} after vs before", analysis, denominator), measure="rate_ratio")
    years = periods.years_after[denominator][who], periods.years_before[denominator][who]
    n, units = int(who.sum()), _n_units(periods, who)
    row = with_counts(
        row,
        Counts(
            n=(n, n),
            events=(float(periods.after[who].sum()), float(periods.before[who].sum())),
            person_years=(float(years[0].sum()), float(years[1].sum())),
            n_clusters=(units, units) if periods.cluster is not None else None,
        ),
    )
    cluster = None if periods.cluster is None else periods.cluster[who]

    def at(level: float) -> Estimate:
        numbers = periods.before[who], periods.after[who], years[1], years[0]
        try:
            return change(*numbers, cluster=cluster, level=level)
        except SeparationError:
            return change_bound(*numbers, cluster=cluster, level=level)

    return _estimated(data, row, at)


def _effect(
    data: AnalysisData,
    question: Question,
    periods: Periods,
    treated: str,
    contrast: str,
    analysis: str,
    denominator: str,
    *,
    extra: bool,
) -> list[EffectRow]:
    """Return the ratio of rate ratios, with permutation and Bayes beside it."""
    comparison = data.plan.arms.comparison
    who = periods.of(treated, comparison)
    treated01 = (periods.arm[who] == treated).astype(np.float64)
    years_before, years_after = periods.years_before[denominator][who], periods.years_after[denominator][who]
    one, zero = periods.of(treated), periods.of(comparison)
    row = with_counts(
        _row(data, question, contrast, analysis, denominator),
        Counts(
            n=(int(one.sum()), int(zero.sum())),
            events=(float(periods.after[one].sum()), float(periods.after[zero].sum())),
            person_years=(
                float(periods.years_after[denominator][one].sum()),
                float(periods.years_after[denominator][zero].sum()),
            ),
            n_clusters=(_n_units(periods, one), _n_units(periods, zero)) if periods.cluster is not None else None,
        ),
    )
    shared: dict[str, Any] = {"cluster": None if periods.cluster is None else periods.cluster[who]}
    arrays = (periods.before[who], periods.after[who], years_before, years_after, treated01)

    def at(estimator: Callable[..., Estimate]) -> Callable[[float], Estimate]:
        return lambda level: estimator(*arrays, **shared, level=level)

    rows = [_estimated(data, row, at(_difference))]
    if extra:
        beside = replace(row, analysis="sensitivity" if analysis != "placebo" else "placebo")
        for name, estimator in (
            ("permutation", difference_in_change_permutation),
            ("bayes", difference_in_change_bayes),
        ):
            rows.append(_estimated(data, replace(beside, estimator=name, variance=name), at(_named(name, estimator))))
    return rows


def _difference(*arrays: Any, **options: Any) -> Estimate:
    """Return the ratio of the changes, or its bound where an arm has no events on one side of the start."""
    try:
        return difference_in_change(*arrays, **options)
    except SeparationError:
        return difference_in_change_bound(*arrays, **options)


def _named(name: str, estimator: Callable[..., Estimate]) -> Callable[..., Estimate]:
    """Return the estimator under the name that the effects table has for it."""
    return lambda *arrays, **options: replace(estimator(*arrays, **options), estimator=name)


def _estimated(data: AnalysisData, row: EffectRow, at: Callable[[float], Estimate]) -> EffectRow:
    """Return the row with its estimate, or with the reason why there is none."""
    try:
        return with_estimate(data, row, at(LEVEL), refit=at)
    except EstimationError as fault:
        return not_estimable(row, fault)


def _placebo(before: AnalysisData, question: Question) -> list[EffectRow]:
    """Return the same ratio for two periods before the programme, where it must be 1."""
    rows: list[EffectRow] = []
    for treated, contrast in before.plan.contrasts:
        try:
            periods = _periods(before, question.outcome)
        except EstimationError as fault:
            rows.append(not_estimable(_row(before, question, contrast, "placebo", "free_time"), fault))
            continue
        rows += _effect(before, question, periods, treated, contrast, "placebo", "free_time", extra=False)
    return rows
