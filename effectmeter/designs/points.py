"""What a report draws beside the effects: the periods of a series, the trials of a pooled analysis.

Here: asking a design for its points, in the shape of the results tables. Not here: computing them (a design's module
does, where it has a method `points`), nor whether they may be shown (`effectmeter.cleared_points`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from effectmeter.designs.base import AnalysisData, Design
from effectmeter.designs.series_points import PER, series_points
from effectmeter.designs.trial_set import pooled_measure, trial_points
from effectmeter.estimators.base import EstimationError
from effectmeter.results import SeriesPoint, TrialEffect


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """What there is to draw; empty for designs on persons."""

    series: tuple[SeriesPoint, ...] = ()
    trials: tuple[TrialEffect, ...] = ()


def points_of(design: Design, data: AnalysisData) -> Points:
    """Return the points of a quarter.

    A picture is no reason to stop a refresh: where a design cannot answer, there are no points.
    """
    try:
        if data.plan.design == "pooled_trials":
            return Points(trials=_trials(data))
        if data.plan.design == "interrupted_series":
            return Points(series=_series(data))
    except EstimationError:
        return Points()
    return Points()


def _trials(data: AnalysisData) -> tuple[TrialEffect, ...]:
    """Return every trial's own estimate with its counts, in the order of the delivery."""
    counts = {str(row["trial_id"]): row for row in data.units["trials"].to_dicts()}

    def whole(value: float | None) -> int | None:
        return None if value is None else round(value)

    found = []
    for point in trial_points(data):
        row: dict[str, Any] = counts.get(point.trial, {})
        found.append(
            TrialEffect(
                trial=point.trial,
                measure=pooled_measure(data),
                estimate=point.estimate,
                conf_low=point.low,
                conf_high=point.high,
                weight=point.weight,
                n_treated=whole(row.get("n_treated")),
                n_comparison=whole(row.get("n_comparison")),
                events_treated=row.get("events_treated"),
                events_comparison=row.get("events_comparison"),
            )
        )
    return tuple(found)


def _series(data: AnalysisData) -> tuple[SeriesPoint, ...]:
    """Return the periods of every outcome, in events: a rate per so many inhabitants is taken back to its count."""
    own = data.units["series"].filter(~pl.col("is_control"))
    people = {(row["outcome"], row["period"]): row["population"] for row in own.to_dicts()}
    found = []
    for point in series_points(data):
        scale = 1.0 if point.unit == "count" else (people.get((point.outcome, point.period)) or 0.0) / PER
        found.append(
            SeriesPoint(
                outcome=point.outcome,
                period=point.period,
                label=point.label,
                is_after=point.is_after,
                observed=round(scale * point.observed, 6),
                expected=scale * point.counterfactual,
                conf_low=scale * point.counterfactual_low,
                conf_high=scale * point.counterfactual_high,
            )
        )
    return tuple(found)
