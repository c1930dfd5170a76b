"""What pictures of series and trials are drawn from, cleared: periods as counted, trials by themselves.

Here: one function per table, dataclasses in, a Polars frame with `is_suppressed` out. Not here: the effects table
(`effectmeter.clearing`) and the tables about persons (`effectmeter.cleared_tables`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist
from typing import Any

import polars as pl

from effectmeter import disclosure
from effectmeter.cleared_tables import frame_of
from effectmeter.clearing_figures import SATURATED
from effectmeter.disclosure import Rules
from effectmeter.results import SeriesPoint, TrialEffect
from effectmeter.results import as_record as record_of

_GROUPS = (1, 2, 3, 4, 6, 12, 24)
_SHOWN = 0.9
"""Periods are taken together until at least this share of them may be shown."""


def clear_series_points(points: Sequence[SeriesPoint], rules: Rules) -> pl.DataFrame:
    """Return the periods with rounded counts; small ones masked, or taken together until most may be shown.

    Taken together from the start outwards, so that none lies on both sides of it. The limits of what is expected add
    up as if neighbouring periods were wrong together: too wide rather than too narrow.

    Notes
    -----
    A masked period needs no second one beside it: the total is rounded, and so is every other period, which leaves all
    of zero to nine possible.
    """
    records: list[dict[str, Any]] = []
    for outcome in dict.fromkeys(point.outcome for point in points):
        own = sorted((point for point in points if point.outcome == outcome), key=lambda point: point.period)
        for point in _large_enough(own, rules):
            is_few = disclosure.is_too_few(point.observed, rules.minimum_persons)
            limits = {
                name: disclosure.round_figure(getattr(point, name), 0) for name in ("expected", "conf_low", "conf_high")
            }
            observed = None if point.observed is None else disclosure.safe_count(point.observed, rules)
            records.append(record_of(point) | limits | {"observed": observed, "is_suppressed": is_few})
    return frame_of("series_points", records)


def _large_enough(points: Sequence[SeriesPoint], rules: Rules) -> list[SeriesPoint]:
    """Return the periods, taken together as few at a time as lets most be shown; none where nothing does."""
    start = min((point.period for point in points if point.is_after), default=0)
    for size in _GROUPS:
        groups: dict[int, list[SeriesPoint]] = {}
        for point in points:
            groups.setdefault((point.period - start) // size, []).append(point)
        taken = [_together(group) for group in groups.values() if len(group) == size]
        counts = [point.observed for point in taken if point.observed is not None]
        large = [count for count in counts if count >= rules.minimum_persons]
        if counts and len(large) >= _SHOWN * len(counts):
            return taken
    return []


def _together(group: Sequence[SeriesPoint]) -> SeriesPoint:
    """Return consecutive periods as one; what one of them lacks, the sum lacks."""
    if len(group) == 1:
        return group[0]

    def total(name: str) -> float | None:
        values = [getattr(point, name) for point in group]
        return None if any(value is None for value in values) else float(sum(values))

    sums: dict[str, Any] = {name: total(name) for name in ("observed", "expected", "conf_low", "conf_high")}
    return replace(group[0], label=f"{group[0].label} – {group[-1].label}", **sums)


def clear_trial_effects(trials: Sequence[TrialEffect], rules: Rules) -> pl.DataFrame:
    """Return every trial with its estimate, from rounded counts where it brought counts; a small trial is masked.

    A trial's own figures are its raw counts in another form, so they go with any of its four cells. One masked trial
    takes the smallest other along: the total would give it back.
    """
    sizes = [None if trial.n_treated is None else float(trial.n_treated) for trial in trials]
    hidden = disclosure.with_complement(sizes, [_is_small(trial, rules) for trial in trials])
    records = []
    for trial, is_hidden in zip(trials, hidden, strict=True):
        counts: dict[str, Any] = {
            name: disclosure.safe_count(getattr(trial, name), rules)
            for name in ("n_treated", "n_comparison", "events_treated", "events_comparison")
        }
        if is_hidden:
            counts |= {"events_treated": None, "events_comparison": None, "estimate": None, "conf_low": None}
            counts |= {"conf_high": None, "weight": None}
            records.append(record_of(trial) | counts | {"is_suppressed": True})
            continue
        shown = _recomputed(trial, counts)
        figures = {name: disclosure.round_figure(shown[name]) for name in shown}
        figures["weight"] = disclosure.round_figure(trial.weight)
        records.append(record_of(trial) | counts | figures | {"is_suppressed": False})
    return frame_of("trial_effects", records)


def _is_small(trial: TrialEffect, rules: Rules) -> bool:
    """Return whether one of a trial's cells is small, or nearly everybody in an arm had the event."""
    cells = (trial.n_treated, trial.n_comparison, trial.events_treated, trial.events_comparison)
    arms = ((trial.events_treated, trial.n_treated), (trial.events_comparison, trial.n_comparison))
    is_class = any(disclosure.is_class_disclosure(events, n, rules) for events, n in arms)
    return is_class or any(disclosure.is_too_few(cell, rules.minimum_persons) for cell in cells)


def _recomputed(trial: TrialEffect, counts: dict[str, Any]) -> dict[str, float | None]:
    """Return estimate and limits from the published counts; as given where the trial brought no counts."""
    given = {"estimate": trial.estimate, "conf_low": trial.conf_low, "conf_high": trial.conf_high}
    compute, on_persons = SATURATED.get(trial.measure, (None, False))
    if compute is None or not on_persons or any(value is None for value in counts.values()):
        return given
    found = compute(
        (counts["events_treated"], counts["events_comparison"]), (counts["n_treated"], counts["n_comparison"])
    )
    if found is None:
        return dict.fromkeys(given)
    reach = NormalDist().inv_cdf(0.975) * found.std_error
    if trial.measure.endswith("difference"):
        return {"estimate": found.value, "conf_low": found.value - reach, "conf_high": found.value + reach}
    return {
        "estimate": found.value,
        "conf_low": found.value * math.exp(-reach),
        "conf_high": found.value * math.exp(reach),
    }
