"""Figures of effects rows as they may be published: computed again from published counts, or rounded.

Here: how an estimate, its limits and its p-value are published once a row may be shown. Not here: whether it may
(`effectmeter.clearing`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import NormalDist
from typing import Any

from effectmeter import disclosure
from effectmeter.clearing_context import FIGURES, ClearedRow, Context
from effectmeter.disclosure import FromCounts, Pair
from effectmeter.estimators.sensitivity import NO_EFFECT_ESTIMATORS
from effectmeter.looks import look_number, verdict_interval
from effectmeter.results import EffectRow

SATURATED: Mapping[str, tuple[Callable[[Pair, Pair], FromCounts | None], bool]] = {
    "risk_ratio": (disclosure.risk_ratio_from, True),
    "odds_ratio": (disclosure.odds_ratio_from, True),
    "risk_difference": (disclosure.risk_difference_from, True),
    "rate_ratio": (disclosure.rate_ratio_from, False),
    "rate_difference": (disclosure.rate_difference_from, False),
    "level_ratio": (disclosure.rate_ratio_from, False),
}
"""Measures that two pairs of counts give exactly: how, and whether the second pair is persons (else person-years, or
the periods of a series without a population)."""


def time_base(row: EffectRow, context: Context) -> tuple[float | None, float | None]:
    """Return the time that a row's events were counted over: person-years, or the periods of a series without them."""
    years = (row.person_years_treated, row.person_years_comparison)
    if context.unit == "period" and years == (None, None):
        return row.n_treated, row.n_comparison
    return years


def from_counts(row: EffectRow, counted: EffectRow, context: Context) -> EffectRow | None:
    """Return a saturated row computed again from its published counts, or None when the row is not saturated.

    Saturated is what its own counts give back, whatever the row is called: an adjusted row of a plan without
    covariates is as open as an unadjusted one.
    """
    if row.measure == "percent_change":
        found = from_counts(_as_ratio(row), _as_ratio(counted), context)
        return None if found is None else _as_percent(found)
    if row.measure not in SATURATED or row.estimate is None or row.estimator in NO_EFFECT_ESTIMATORS:
        return None
    compute, on_persons = SATURATED[row.measure]
    raw, published = _pairs(row, on_persons, context), _pairs(counted, on_persons, context)
    exact = None if raw is None else compute(*raw)
    if exact is None or not _is_of_counts(row, exact):
        return None
    again = None if published is None else compute(*published)
    if again is None or published is None:
        return replace(rounded(counted), std_error=None)
    return _again(row, counted, exact, again, context, 1.0 if row.is_ratio else published[0][1] / published[1][1])


_NEARLY = 0.1
"""How far, on the log scale, person-time that differs between persons may take a change from what totals give."""


def _is_of_counts(row: EffectRow, exact: FromCounts) -> bool:
    """Return whether a row's own totals give it back: to the digit, or nearly where it is a plain change in time."""
    if row.estimate is None:
        return False
    if math.isclose(exact.value, row.estimate, rel_tol=1e-4, abs_tol=1e-6):
        return True
    is_change = row.estimator == "conditional_poisson" and row.is_ratio and row.estimate > 0 and exact.value > 0
    return is_change and abs(math.log(row.estimate / exact.value)) < _NEARLY


def _again(
    row: EffectRow, counted: EffectRow, exact: FromCounts, again: FromCounts, context: Context, scale: float
) -> EffectRow:
    """Return a row with the figures that published counts give, as wide as the real ones are.

    What clustering adds to the error is kept to one decimal, what uneven person-time adds to a ratio to two: both too
    coarse to give the exact counts back.
    """
    error = again.std_error * disclosure.inflation(row.std_error, exact.std_error)
    value = again.value
    if row.is_ratio and row.estimate and exact.value:
        value *= round(row.estimate / exact.value, 2)
    reach = NormalDist().inv_cdf((1 + row.conf_level) / 2) * error
    low, high = (value * math.exp(-reach), value * math.exp(reach)) if row.is_ratio else (value - reach, value + reach)
    verdict = verdict_interval(
        value,
        error,
        low,
        high,
        looks=context.looks,
        look=look_number(context.looks, row.figures_of),
        is_ratio=row.is_ratio,
        level=row.conf_level,
        scale=scale,
    )
    distance = abs(math.log(value) if row.is_ratio else value) / error if error else 0.0
    p_value = disclosure.round_p(2 * NormalDist().cdf(-distance))
    return replace(
        counted,
        estimate=disclosure.round_figure(value, 4),
        conf_low=disclosure.round_figure(low, 4),
        conf_high=disclosure.round_figure(high, 4),
        std_error=disclosure.round_figure(error, 4),
        verdict_low=disclosure.round_figure(verdict[0], 4),
        verdict_high=disclosure.round_figure(verdict[1], 4),
        p_value=p_value,
        p_value_adjusted=_adjusted(row, p_value),
    )


def _adjusted(row: EffectRow, p_value: float | None) -> float | None:
    """Return a corrected p-value from the published one: as many times as the correction took it, never the exact."""
    if row.p_value_adjusted is None or not row.p_value or p_value is None:
        return None
    return disclosure.round_p(min(p_value * max(round(row.p_value_adjusted / row.p_value), 1), 1.0))


def with_changes(rows: Sequence[EffectRow], cleared: Sequence[ClearedRow], context: Context) -> list[ClearedRow]:
    """Return the rows with every change set against another change computed from the published counts of both."""
    changes = {
        (row.contrast, row.outcome, row.window_days, row.denominator): index
        for index, row in reversed(list(enumerate(rows)))
        if row.measure == "rate_ratio" and row.contrast.endswith(_CHANGE) and row.subgroup is None
    }
    result = list(cleared)
    for index, row in enumerate(rows):
        if row.measure != "ratio_of_rate_ratios" or cleared[index].row.status != "shown" or row.subgroup is not None:
            continue
        arms = row.contrast.split(" vs ")
        own = [changes.get((f"{arm}{_CHANGE}", row.outcome, row.window_days, row.denominator)) for arm in arms]
        if len(own) != 2 or own[0] is None or own[1] is None:
            continue
        exact = _ratio_of(rows[own[0]], rows[own[1]], context)
        again = _ratio_of(cleared[own[0]].row, cleared[own[1]].row, context)
        if exact is None or not _is_of_counts(replace(row, estimator="conditional_poisson"), exact):
            continue
        counted = cleared[index].row
        found = rounded(counted) if again is None else _again(row, counted, exact, again, context, 1.0)
        result[index] = ClearedRow(found, cleared[index].is_suppressed)
    return result


_CHANGE = " after vs before"


def _ratio_of(one: EffectRow, other: EffectRow, context: Context) -> FromCounts | None:
    """Return one arm's change over the other's, from the counts of both; None where a count is missing."""
    pairs = [_pairs(row, False, context) for row in (one, other)]
    found = [None if pair is None else disclosure.rate_ratio_from(*pair) for pair in pairs]
    if found[0] is None or found[1] is None:
        return None
    return FromCounts(found[0].value / found[1].value, math.hypot(found[0].std_error, found[1].std_error))


def _pairs(row: EffectRow, on_persons: bool, context: Context) -> tuple[Pair, Pair] | None:
    """Return events and base of a row; None where one is missing."""
    base = (row.n_treated, row.n_comparison) if on_persons else time_base(row, context)
    events = (row.events_treated, row.events_comparison)
    if base[0] is None or base[1] is None or events[0] is None or events[1] is None:
        return None
    return (events[0], events[1]), (float(base[0]), float(base[1]))


_LIMITS = ("estimate", "conf_low", "conf_high", "verdict_low", "verdict_high")


def _as_ratio(row: EffectRow) -> EffectRow:
    """Return a change in per cent as its ratio."""
    figures: dict[str, Any] = {
        name: None if (value := getattr(row, name)) is None else 1 + value / 100 for name in _LIMITS
    }
    ratio = figures["estimate"]
    error = row.std_error / (100 * ratio) if row.std_error and ratio and ratio > 0 else None
    return replace(row, measure="rate_ratio", std_error=error, **figures)


def _as_percent(row: EffectRow) -> EffectRow:
    """Return a ratio as its change in per cent, with the decimals that the ratio had."""
    figures: dict[str, Any] = {
        name: None if (value := getattr(row, name)) is None else disclosure.round_figure(100 * (value - 1))
        for name in _LIMITS
    }
    error = None if row.std_error is None or row.estimate is None else 100 * row.estimate * row.std_error
    return replace(row, measure="percent_change", std_error=disclosure.round_figure(error), **figures)


def rounded(row: EffectRow) -> EffectRow:
    """Return a model's row with two decimals; a change in per cent without, as its ratio has two.

    Differences between areas are per inhabitant, or on the scale of what was delivered: they get the decimals that
    their interval deserves.
    """
    decimals = 0 if row.measure == "percent_change" else 2
    if row.design in _OWN_SCALE and row.measure.endswith("difference") and row.conf_low is not None:
        decimals = disclosure.decimals_of(None if row.conf_high is None else row.conf_high - row.conf_low)
    figures: dict[str, Any] = {name: disclosure.round_figure(getattr(row, name), decimals) for name in FIGURES}
    for name in ("p_value", "p_value_adjusted"):
        figures[name] = disclosure.round_p(getattr(row, name))
    return replace(row, **figures)


_OWN_SCALE = frozenset({"staggered_areas"})
