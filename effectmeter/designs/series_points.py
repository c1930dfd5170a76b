"""The series for a picture: what was counted, what the model fits, and what was to be expected without the programme.

Here: the points of a drawing, and nothing about a single person. Not here: the drawing, nor the rounding of what may
leave the vault.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from effectmeter.designs.base import AnalysisData
from effectmeter.designs.questions import primary_outcome
from effectmeter.designs.series_data import model_of, rows_of, series_of
from effectmeter.estimators.base import EstimationError, FloatArray
from effectmeter.estimators.series import Series, SeriesAnalysis, SeriesModel, analyse

PER = 100_000
"""Rates are per this many of the population."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesPoint:
    """One period of a series.

    Attributes
    ----------
    label, period
        As delivered, and its number on the calendar (a gap in the numbers is a gap in the series).
    is_after
        From the start on.
    observed, fitted
        What was counted and what the model gives for it.
    counterfactual, counterfactual_low, counterfactual_high
        What was to be expected without the programme, with the 95 % interval of that expectation (not of single
        periods, which vary around it); before the start the same as `fitted`.
    unit
        ``count``, or ``rate_per_100000`` where a population was delivered.
    """

    outcome: str
    label: str
    period: int
    is_after: bool
    observed: float
    fitted: float
    counterfactual: float
    counterfactual_low: float
    counterfactual_high: float
    unit: str


def series_points(data: AnalysisData) -> tuple[SeriesPoint, ...]:
    """Return every period of every outcome that can be fitted, the primary outcome first, in order of time.

    Notes
    -----
    Against a control series the expectation is what the control was fitted to count, times the ratio that the two would
    have had without the programme. Outcomes without a fit (no start, hardly any counts) have no points.
    """
    first = primary_outcome(data.plan)
    points: list[SeriesPoint] = []
    for outcome in sorted(data.plan.outcomes, key=lambda name: name != first):
        try:
            points += _points(data, outcome)
        except EstimationError:
            continue
    return tuple(points)


def _points(data: AnalysisData, outcome: str) -> list[SeriesPoint]:
    model = model_of(data.plan)
    found = analyse(series_of(data, outcome), model)
    series, fit = found.series, found.fit
    if fit is None:
        return []
    per_log = _log_of_one(found, model)
    unit = "count" if series.population is None else f"rate_per_{PER}"
    size = 1.0 if series.population is None else PER / series.population
    without = found.design.without("level", "slope")
    fitted = np.exp(found.design.X @ fit.beta + per_log) * size
    labels = dict(rows_of(data, outcome).select("period", "label").iter_rows())
    points = []
    for place, period in enumerate(series.period):
        expected = fit.combination(
            without[place], shift=float(per_log[place]), estimator=found.estimator, variance=model.variance
        )
        scale = float(np.broadcast_to(size, fitted.shape)[place])
        value, low, high = (scale * float(limit or 0.0) for limit in (expected.value, expected.low, expected.high))
        points.append(
            SeriesPoint(
                outcome=outcome,
                label=str(labels.get(int(period), period)),
                period=int(period),
                is_after=bool(series.after[place]),
                observed=float(series.count[place] * scale),
                fitted=float(fitted[place]),
                counterfactual=value,
                counterfactual_low=low,
                counterfactual_high=high,
                unit=unit,
            )
        )
    return points


def _log_of_one(found: SeriesAnalysis, model: SeriesModel) -> FloatArray:
    """Return (n,) the log of what a period counts at a linear predictor of 0."""
    series = found.series
    own = np.zeros(len(series.count)) if series.population is None else np.log(series.population)
    if series.control_count is None:
        return own
    control = Series(
        period=series.period,
        after=series.after,
        season=series.season,
        start=series.start,
        count=series.control_count,
        population=series.control_population,
    )
    fitted = analyse(control, model)
    if fitted.fit is None:
        raise EstimationError("the control series counts too little to draw")
    mean = np.log(fitted.fit.mean)
    return own + mean - (0.0 if series.control_population is None else np.log(series.control_population))
