"""Cumulative incidence curves: the share with a first event by each day, per arm, as the report draws them.

Here: curves for designs that follow persons. Not here: whether a curve may be shown (`effectmeter.disclosure`).
"""

from __future__ import annotations

import numpy as np
import polars as pl

from effectmeter.designs.base import AnalysisData, sizes
from effectmeter.estimators.incidence import cumulative_incidence
from effectmeter.results import Comparability, CurvePoint


def incidence_curves(data: AnalysisData, comparability: Comparability) -> tuple[CurvePoint, ...]:
    """Return the curves of every outcome over its longest window, weighted as the primary estimate is.

    Parameters
    ----------
    data
        Persons and outcomes; periods other than ``follow_up`` give no curve.
    comparability
        Weights of the comparison arm, where the design has them.

    Returns
    -------
    tuple of CurvePoint
        Steps in order of contrast, outcome, arm and day. Counts at risk and of events are of persons, unweighted.
    """
    weights = pl.DataFrame(
        {
            "contrast": list(comparability.weight_contrast),
            "person_id": list(comparability.weight_person_id),
            "weight": list(comparability.weight),
        },
        schema={"contrast": pl.String, "person_id": pl.String, "weight": pl.Float64},
    )
    followed = data.outcomes.filter(
        (pl.col("period") == "follow_up") & pl.col("is_complete") & (pl.col("days_observed") > 0)
    ).join(data.persons.select("person_id", "arm"), on="person_id")
    points: list[CurvePoint] = []
    for treated, contrast in data.plan.contrasts:
        own = weights.filter(pl.col("contrast") == contrast).drop("contrast")
        for outcome in data.plan.outcomes:
            rows = followed.filter(pl.col("outcome") == outcome)
            if rows.is_empty():
                continue
            open_ended = rows.filter(pl.col("window_days").is_null())
            longest = rows["window_days"].max()
            rows = open_ended if not open_ended.is_empty() else rows.filter(pl.col("window_days") == longest)
            for arm in (treated, data.plan.arms.comparison):
                points.extend(_curve(rows.filter(pl.col("arm") == arm), own, contrast, outcome, arm))
    return tuple(points)


def _curve(rows: pl.DataFrame, weights: pl.DataFrame, contrast: str, outcome: str, arm: str) -> list[CurvePoint]:
    """Return one arm's steps."""
    if not weights.is_empty():
        rows = rows.join(weights, on="person_id")
    if rows.is_empty():
        return []
    days = rows["days_observed"].to_numpy().astype(float)
    event = rows["first_event_day"].is_not_null().to_numpy().astype(float)
    weight = None if weights.is_empty() else rows["weight"].to_numpy().astype(float)
    persons = sizes(rows)
    curve = cumulative_incidence(days, event, weight, size=persons)
    at_risk = [int(persons[days >= day].sum()) for day in curve.day]
    with_event = [int(persons[(days == day) & (event > 0)].sum()) for day in curve.day]
    return [
        CurvePoint(
            contrast=contrast,
            outcome=outcome,
            arm=arm,
            day=int(day),
            incidence=float(value),
            # where everybody has had the event there is no interval any more
            conf_low=float(low) if np.isfinite(low) else float(value),
            conf_high=float(high) if np.isfinite(high) else float(value),
            n_at_risk=n_at_risk,
            n_events=n_events,
        )
        for day, value, low, high, n_at_risk, n_events in zip(
            curve.day, curve.incidence, curve.low, curve.high, at_risk, with_event, strict=True
        )
        if n_events
    ]
