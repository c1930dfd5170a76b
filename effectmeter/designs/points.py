"""What a report draws beside the effects: the periods of a series, the trials of a pooled analysis.

Here: asking a design for its points, in the shape of the results tables. Not here: computing them (a design's module
does, where it has a method `points`), nor whether they may be shown (`effectmeter.cleared_points`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from effectmeter.designs.base import AnalysisData, Design
from effectmeter.designs.questions import primary_outcome
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
    """Return the periods of the primary outcome, as counted."""
    outcome = primary_outcome(data.plan)
    frame = data.units["series"]
    return tuple(
        SeriesPoint(
            outcome=outcome,
            series="control" if row["is_control"] else "programme",
            period=row["period"],
            label=row["label"],
            is_after=row["after"],
            observed=row["count"],
        )
        for row in frame.filter(frame["outcome"] == outcome).to_dicts()
    )
