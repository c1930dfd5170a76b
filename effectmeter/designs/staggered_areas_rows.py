"""The rows of one outcome of areas: the effect, what stands beside it, and what could have been had otherwise.

Not here: how anything is estimated (`staggered_areas_fits`, `staggered_areas_calibrated`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from effectmeter.designs.base import AnalysisData
from effectmeter.designs.questions import measures_of
from effectmeter.designs.rows import LEVEL, Counts, ReasonedError, blank_row, not_estimable, with_counts, with_estimate
from effectmeter.designs.staggered_areas_calibrated import (
    CalibratedCohort,
    calibrated_bound,
    effect_of_cohorts,
)
from effectmeter.designs.staggered_areas_fits import (
    RATIOS,
    AtTime,
    How,
    effect_of,
    estimate_of,
    event_effects,
    few_events_ratio,
    has_few_events,
    is_difference,
    unadjusted,
)
from effectmeter.designs.staggered_areas_panel import AreaPanel
from effectmeter.estimators.base import Estimate, EstimationError
from effectmeter.estimators.group_time_panel import Effect, as_percent
from effectmeter.results import EffectRow

MOST_CELLS = 60
"""With more group-time effects than this, only their averages are rows."""
_COMPANIONS = {"rate_ratio": ("percent_change", "rate_difference"), "percent_change": ("rate_ratio", "rate_difference")}

Cohorts = tuple[CalibratedCohort, ...] | EstimationError | None


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One outcome and how it is estimated.

    Attributes
    ----------
    role
        ``primary``, ``secondary`` or ``negative_control``: the analysis of its main row.
    cohorts
        Calibrated weights, why there are none, or None where the plan does not ask them.
    """

    data: AnalysisData
    outcome: str
    role: str
    how: How
    cohorts: Cohorts = None

    @property
    def measures(self) -> tuple[str, ...]:
        """Measures that the plan asks for, the main one first."""
        return tuple(measures_of(self.data.plan, self.outcome))

    def row(self, measure: str, analysis: str, *, how: How | None = None, subgroup: str | None = None) -> EffectRow:
        """Return an empty row."""
        how = how or self.how
        return blank_row(
            self.data,
            outcome=self.outcome,
            measure=measure,
            contrast=self.data.plan.contrasts[0][1],
            estimand="att",
            estimator=how.estimator,
            variance=how.variance,
            analysis=analysis,
            subgroup=subgroup,
        )


def main_measures(asked: Asked, area: AreaPanel | None) -> Iterator[tuple[str, str]]:
    """Yield measure and analysis: what the plan asks, then what stands beside it."""
    measures = asked.measures
    for number, measure in enumerate(measures):
        yield measure, asked.role if number == 0 or asked.role == "negative_control" else "secondary"
    if asked.role == "negative_control" or area is None:
        return
    beside = [other for measure in measures for other in _COMPANIONS.get(measure, ())]
    if area.kind == "value":
        beside = ["mean_difference" if other == "rate_difference" else other for other in beside]
    elif all(is_difference(measure) for measure in measures):
        beside = ["rate_ratio"]
    for measure in dict.fromkeys(beside):
        if measure not in measures:
            yield measure, "secondary"


def main_rows(asked: Asked, area: AreaPanel) -> list[EffectRow]:
    """Return the measures that the plan asks for, and what stands beside them."""
    effect = fitted(asked, area, asked.how)
    used = (area.with_always or area) if asked.how.estimator == "twoway_fe" else area
    counts = used.numbers(_served(asked, used))
    return [
        estimated(asked, with_counts(asked.row(measure, analysis), counts), area, effect)
        for measure, analysis in main_measures(asked, area)
    ]


def _served(asked: Asked, area: AreaPanel) -> np.ndarray | None:
    """Return which areas served as comparison."""
    if asked.how.estimator == "calibrated" and isinstance(asked.cohorts, tuple):
        weighted = {
            name
            for cohort in asked.cohorts
            for name, weight in zip(cohort.comparison, cohort.calibration.weight, strict=True)
            if weight > 0.0
        }
        return np.array([name in weighted for name in area.area_id])
    return served_areas(area, asked.how)


def served_areas(area: AreaPanel, how: How) -> np.ndarray:
    """Return (n,) which areas are compared with at some time after a start: those that start later, or never."""
    never = ~area.is_treated
    if how.estimator == "calibrated" or how.comparison == "never_treated":
        return never
    result: np.ndarray = never | (area.panel.start > area.panel.cohorts.min())
    return result


def fitted(asked: Asked, area: AreaPanel, how: How) -> Effect | EstimationError:
    """Return the effect, or why there is none."""
    try:
        if how.estimator != "calibrated":
            return effect_of(area, how)
        if isinstance(asked.cohorts, EstimationError):
            return asked.cohorts
        return effect_of_cohorts(area, asked.cohorts or ())
    except EstimationError as fault:
        return fault


def estimated(
    asked: Asked, row: EffectRow, area: AreaPanel, effect: Effect | EstimationError, *, few: bool = True
) -> EffectRow:
    """Return the row with its estimate; score intervals where events are few, the reason where there is none."""
    is_count_ratio = few and area.kind == "count" and row.measure in RATIOS

    def by_scores(level: float) -> Estimate:
        if row.estimator == "calibrated":
            ratio = calibrated_bound(area, asked.cohorts if isinstance(asked.cohorts, tuple) else (), level)
        else:
            ratio = few_events_ratio(area, level)
        return as_percent(ratio) if row.measure == "percent_change" else ratio

    def at(level: float) -> Estimate:
        if isinstance(effect, EstimationError):
            raise effect
        if is_count_ratio and (effect.mean <= 0.0 or (has_few_events(area) and row.estimator != "calibrated")):
            return by_scores(level)
        try:
            return estimate_of(row.measure, effect, level)
        except EstimationError:
            if not is_count_ratio or row.estimator == "calibrated":
                raise
            return by_scores(level)

    scale = 1.0
    if isinstance(effect, Effect) and is_difference(row.measure):
        scale = _size(area, effect)
    return row_at(asked.data, row, at, scale)


def row_at(data: AnalysisData, row: EffectRow, at: Callable[[float], Estimate], scale: float = 1.0) -> EffectRow:
    """Return the row with an estimate that can be had at any level, or with the reason why there is none."""
    if row.measure == "percent_change":
        scale = 100.0
    try:
        found = at(LEVEL)
        if found.low is None and found.high is None:
            raise ReasonedError(
                "too little was counted before or after the start to give even a bound",
                "Vóór of na de start is te weinig geteld. Dan is er zelfs geen grens te geven.",
            )
        return with_estimate(data, row, found, refit=at, scale=scale)
    except EstimationError as fault:
        return not_estimable(row, fault)


def _size(area: AreaPanel, effect: Effect) -> float:
    """Return the size of the outcome that a difference is held against."""
    if area.kind == "count":
        return max(abs(effect.without), abs(effect.mean), 1e-12)
    return float(np.nanstd(area.panel.y)) or 1.0


def event_rows(asked: Asked, area: AreaPanel) -> list[EffectRow]:
    """Return the effect per time since the start, pretended ones before it too."""
    measure, how = asked.measures[0], asked.how
    if how.estimator == "calibrated":
        if not isinstance(asked.cohorts, tuple):
            return []
        cohorts = asked.cohorts
        last = max(round(area.panel.periods.max() - cohort.start) for cohort in cohorts)
        effects: dict[int, AtTime] = {}
        for time in range(last + 1):
            effect: Effect | EstimationError
            try:
                effect = effect_of_cohorts(area, cohorts, event_time=time)
            except EstimationError as fault:
                effect = fault
            effects[time] = AtTime(effect, _calibrated_areas(area, cohorts, time))
    else:
        how = How(estimator="callaway_santanna", comparison=how.comparison) if how.estimator == "twoway_fe" else how
        try:
            effects = event_effects(area, how)
        except EstimationError:
            return []
    return [
        estimated(
            asked,
            with_counts(
                asked.row(measure, "event_study", how=how, subgroup=f"event_time={time}"), Counts(n=found.areas)
            ),
            area,
            found.effect,
            few=False,
        )
        for time, found in effects.items()
    ]


def _calibrated_areas(area: AreaPanel, cohorts: tuple[CalibratedCohort, ...], time: int) -> tuple[int, int]:
    """Return the areas of cohorts that are followed so long, and those that carry weight beside them."""
    reached = [cohort for cohort in cohorts if cohort.start + time <= area.panel.periods.max()]
    treated = {name for cohort in reached for name in cohort.treated}
    weighted = {
        name
        for cohort in reached
        for name, weight in zip(cohort.comparison, cohort.calibration.weight, strict=True)
        if weight > 0.0
    }
    return len(treated), len(weighted)


def unadjusted_rows(asked: Asked, area: AreaPanel) -> list[EffectRow]:
    """Return the raw change of treated areas against that of comparison areas."""
    counts = area.numbers()
    rows = []
    for measure in dict.fromkeys((asked.measures[0], "rate_ratio" if area.kind == "count" else asked.measures[0])):
        raw = How(estimator="difference_in_change", variance="cr3")
        row = with_counts(asked.row(measure, "unadjusted", how=raw), counts)
        rows.append(row_at(asked.data, row, lambda level, m=measure: unadjusted(area, m, level)))  # type: ignore[misc]
    return rows
