"""From an estimate to a row of the effects table: counts, verdict interval, and the sentence of what could not be had.

Here: the shape of rows. Not here: which rows a design has (`effectmeter.designs.persons`, `before_after`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from effectmeter.designs.base import AnalysisData
from effectmeter.estimators.base import (
    ConvergenceError,
    EmptyArmError,
    Estimate,
    EstimationError,
    NoEventsError,
    SeparationError,
)
from effectmeter.looks import Bounds, look_number, verdict_interval, wald_bounds
from effectmeter.results import RATIO_MEASURES, EffectRow

LEVEL = 0.95

_DUTCH: tuple[tuple[type[EstimationError], str], ...] = (
    (EmptyArmError, "In een van de groepen zit niemand die wij kunnen tellen."),
    (SeparationError, "In een van de groepen had niemand of juist iedereen een voorval. Dan is dit niet te berekenen."),
    (ConvergenceError, "De berekening kwam niet tot een uitkomst. Er zijn te weinig gegevens voor dit model."),
    (NoEventsError, "In geen van beide groepen is een voorval geteld. Dan valt er niets te vergelijken."),
    (EstimationError, "Deze gegevens laten geen berekening toe."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a row rests on; "treated" is the first side of the contrast.

    Attributes
    ----------
    n, events, person_years, n_clusters
        (treated, comparison); None where it has no meaning.
    """

    n: tuple[int, int]
    events: tuple[float, float] | None = None
    person_years: tuple[float, float] | None = None
    n_clusters: tuple[int, int] | None = None


def blank_row(data: AnalysisData, **values: Any) -> EffectRow:
    """Return a row with programme, quarter and design filled in."""
    return EffectRow(
        programme=data.plan.programme, quarter=str(data.quarter), design=data.plan.design, conf_level=LEVEL, **values
    )


def with_counts(row: EffectRow, counts: Counts) -> EffectRow:
    """Return the row with its counts."""
    none: tuple[None, None] = (None, None)
    events, years, clusters = counts.events or none, counts.person_years or none, counts.n_clusters or none
    return replace(
        row,
        n_treated=counts.n[0],
        n_comparison=counts.n[1],
        events_treated=events[0],
        events_comparison=events[1],
        person_years_treated=years[0],
        person_years_comparison=years[1],
        n_clusters_treated=clusters[0],
        n_clusters_comparison=clusters[1],
    )


def with_estimate(
    data: AnalysisData,
    row: EffectRow,
    estimate: Estimate,
    *,
    refit: Callable[[float], Estimate] | None = None,
    scale: float = 1.0,
) -> EffectRow:
    """Return the row with an estimate, its interval and the interval over all looks.

    Parameters
    ----------
    refit
        Gives the same estimate at another level; asked only where the interval is not Wald's.
    scale
        Size of the outcome, for differences (see `effectmeter.looks.mixture_multiplier`).
    """
    is_ratio = row.measure in RATIO_MEASURES
    low, high = _finite(estimate.low), _finite(estimate.high)
    if low is None and high is None and _finite(estimate.value) is None:
        return not_estimable(row, _NOTHING_TO_SAY)  # never a row that is shown and empty
    again: Callable[[float], Bounds] | None = None
    if refit is not None and not _is_wald(estimate, is_ratio=is_ratio):
        once = refit

        def again(level: float) -> Bounds:
            try:
                wider = once(level)
            except EstimationError:
                return None, None
            return _finite(wider.low), _finite(wider.high)

    verdict_low, verdict_high = verdict_interval(
        estimate.value,
        estimate.std_error,
        low,
        high,
        looks=data.plan.looks,
        look=look_number(data.plan.looks, data.quarter),
        is_ratio=is_ratio,
        level=estimate.level,
        df=estimate.df,
        scale=scale,
        refit=again,
    )
    return replace(
        row,
        estimator=estimate.estimator,
        variance=estimate.variance,
        estimate=_finite(estimate.value),
        conf_low=low,
        conf_high=high,
        std_error=_finite(estimate.std_error),
        p_value=_finite(estimate.p_value),
        verdict_low=verdict_low,
        verdict_high=verdict_high,
    )


def not_estimable(row: EffectRow, fault: EstimationError) -> EffectRow:
    """Return the row without a number and with the reason in both languages."""
    dutch = getattr(fault, "reason_nl", "") or next(text for kind, text in _DUTCH if isinstance(fault, kind))
    return replace(row, status="not_estimable", reason=_sentence(fault.what), reason_nl=dutch)


class ReasonedError(EstimationError):
    """A question that the design cannot answer, with its reason in both languages."""

    def __init__(self, what: str, reason_nl: str) -> None:
        super().__init__(what)
        self.reason_nl = reason_nl


_NOTHING_TO_SAY = ReasonedError(
    "with these figures there is neither an estimate nor a bound on it; look where nothing was counted",
    "Met deze cijfers is er geen uitkomst en ook geen grens. Kijk waar niets is geteld.",
)


def _sentence(text: str) -> str:
    """Return a fault as a sentence."""
    text = text.strip()
    return text if not text else text[0].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _is_wald(estimate: Estimate, *, is_ratio: bool) -> bool:
    """Return whether the interval is value -/+ quantile x error, so that it can be widened without a second fit."""
    if estimate.value is None or not estimate.std_error or estimate.low is None or estimate.high is None:
        return False
    if is_ratio and estimate.value <= 0:
        return False
    low, high = wald_bounds(estimate.value, estimate.std_error, is_ratio=is_ratio, level=estimate.level, df=estimate.df)
    return (
        low is not None
        and high is not None
        and (
            math.isclose(low, estimate.low, rel_tol=1e-6, abs_tol=1e-9)
            and math.isclose(high, estimate.high, rel_tol=1e-6, abs_tol=1e-9)
        )
    )
