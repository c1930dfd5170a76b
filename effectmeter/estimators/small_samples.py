"""Intervals that hold with few events, and bounds where an arm has none."""

from __future__ import annotations

import numpy as np

from effectmeter.estimators.base import Estimate, EstimationError, FloatArray


def few_events(events_treated: float, events_comparison: float) -> bool:
    """Return whether an arm has so few events that a Wald interval no longer holds its level."""
    return min(events_treated, events_comparison) < FEW


FEW = 5


def score_risk_ratio(
    events_treated: float, n_treated: float, events_comparison: float, n_comparison: float, *, level: float = 0.95
) -> Estimate:
    """Return the score interval of a risk ratio (Koopman; Miettinen & Nurminen)."""
    raise NotImplementedError


def _no_events() -> EstimationError:
    return EstimationError("neither arm has events, so nothing can be compared")


_ = (np, FloatArray)
